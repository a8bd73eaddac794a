/* A query to the guest's resolver: what is answered fits a datagram and repeats the question. */
#include "guest/answer.h"
#include "guest/dns.h"

#include "fuzz.h"

enum { DATAGRAM_MAX_BYTES = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct names *names;
	auto_buf struct buf answer = {0};
	struct dns_question question;
	int parsed = dns_parse(slice_of(bytes, len), &question);
	int r;

	if (!names)
		property(names_new(NAMES_MAX, &names) == 0);
	if (parsed == DNS_GOOD) {
		property(question.section.len > 0 && question.section.len <= len);
		property(strlen(question.name) < sizeof(question.name));
	}
	r = answer_query(names, slice_of(bytes, len), &answer);
	property((r < 0) == (parsed < 0));
	property(r < 0 || (answer.len >= DNS_HEAD_BYTES && answer.len <= DATAGRAM_MAX_BYTES));
	property(r < 0 || memcmp(buf_text(&answer), bytes, 2) == 0);
	return 0;
}
