/* What the guest's resolver says: names in, made-up addresses out, and never a byte beyond what came. */
#include "guest/answer.h"
#include "guest/dns.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

struct answer {
	struct buf bytes;
	unsigned code, n_questions, n_records, type;
	struct slice value;
};

static void add_name(struct buf *into, const char *name)
{
	while (*name) {
		unsigned char len = (unsigned char)strcspn(name, ".");

		assert_int_equal(buf_append(into, slice_of(&len, 1)), 0);
		assert_int_equal(buf_append(into, slice_of(name, len)), 0);
		name += len + (name[len] == '.');
	}
	assert_int_equal(buf_append(into, slice_of("", 1)), 0);
}

static void make_query(struct buf *into, const char *name, unsigned type)
{
	const char tail[4] = {(char)(type >> 8), (char)type, 0, 1};

	buf_clear(into);
	assert_int_equal(buf_append(into, slice_of("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01", 12)),
			 0);
	add_name(into, name);
	assert_int_equal(buf_append(into, slice_of(tail, sizeof(tail))), 0);
	/* As programs send it: their version of EDNS behind the question. */
	assert_int_equal(buf_append(into, slice_of("\x00\x00\x29\x05\xc0\x00\x00\x00\x00\x00\x00", 11)), 0);
}

static unsigned number(const struct buf *bytes, size_t at)
{
	const unsigned char *data = (const unsigned char *)buf_text(bytes);

	return (unsigned)data[at] << 8 | data[at + 1];
}

static void read_answer(struct answer *answer, size_t question_len)
{
	size_t at = DNS_HEAD_BYTES + question_len;

	assert_int_equal(number(&answer->bytes, 0), 0x1234);
	answer->code = number(&answer->bytes, 2) & 15;
	assert_int_equal(number(&answer->bytes, 2) & 0xfff0, 0x8180);
	answer->n_questions = number(&answer->bytes, 4);
	answer->n_records = number(&answer->bytes, 6);
	if (answer->n_records == 0) {
		assert_int_equal(answer->bytes.len, at);
		return;
	}
	assert_int_equal(number(&answer->bytes, at), 0xc00c);
	answer->type = number(&answer->bytes, at + 2);
	answer->value = slice_of(buf_text(&answer->bytes) + at + 12, number(&answer->bytes, at + 10));
	assert_int_equal(at + 12 + answer->value.len, answer->bytes.len);
}

static void ask(struct names *names, const char *name, unsigned type, struct answer *ret)
{
	auto_buf struct buf query = {0};

	buf_clear(&ret->bytes);
	make_query(&query, name, type);
	assert_int_equal(answer_query(names, buf_slice(&query), &ret->bytes), 0);
	read_answer(ret, query.len - DNS_HEAD_BYTES - 11);
	assert_true(ret->bytes.len <= 512);
}

static void address_is(const struct answer *answer, const char *expected)
{
	char text[INET6_ADDRSTRLEN];

	assert_int_equal(answer->code, DNS_GOOD);
	assert_int_equal(answer->n_records, 1);
	assert_int_equal(answer->value.len, answer->type == DNS_A ? 4 : 16);
	inet_ntop(answer->type == DNS_A ? AF_INET : AF_INET6, answer->value.ptr, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void is_empty(const struct answer *answer, unsigned code)
{
	assert_int_equal(answer->code, code);
	assert_int_equal(answer->n_records, 0);
}

static void test_names_get_addresses(void **state)
{
	struct names *names = NULL;
	struct answer answer = {0};

	(void)state;
	assert_int_equal(names_new(NAMES_MAX, &names), 0);
	ask(names, "example.com", DNS_A, &answer);
	address_is(&answer, "198.19.0.1");
	ask(names, "registry.npmjs.org", DNS_A, &answer);
	address_is(&answer, "198.19.0.2");
	ask(names, "EXAMPLE.com", DNS_ANY, &answer);
	address_is(&answer, "198.19.0.1");
	ask(names, "example.com", DNS_AAAA, &answer);
	is_empty(&answer, DNS_GOOD);
	ask(names, "example.com", 65, &answer);
	is_empty(&answer, DNS_GOOD);
	ask(names, "example.com", 64, &answer);
	is_empty(&answer, DNS_GOOD);
	ask(names, "_https._tcp.example.com", 33, &answer);
	is_empty(&answer, DNS_GOOD);
	ask(names, "", DNS_A, &answer);
	is_empty(&answer, DNS_GOOD);
	buf_done(&answer.bytes);
	names_free(names);
}

static void test_addresses_have_names(void **state)
{
	static const char expected[] = "\7Example\3com";
	struct names *names = NULL;
	struct answer answer = {0};

	(void)state;
	assert_int_equal(names_new(NAMES_MAX, &names), 0);
	ask(names, "Example.com", DNS_A, &answer);
	ask(names, "1.0.19.198.in-addr.arpa", DNS_PTR, &answer);
	assert_int_equal(answer.type, DNS_PTR);
	assert_int_equal(answer.value.len, sizeof(expected));
	assert_memory_equal(answer.value.ptr, expected, sizeof(expected));
	ask(names, "1.0.19.198.in-addr.arpa", DNS_A, &answer);
	is_empty(&answer, DNS_GOOD);
	ask(names, "2.0.19.198.in-addr.arpa", DNS_PTR, &answer);
	is_empty(&answer, DNS_NO_NAME);
	ask(names, "257.0.19.198.in-addr.arpa", DNS_PTR, &answer);
	is_empty(&answer, DNS_NO_NAME);
	ask(names, "8.8.8.8.in-addr.arpa", DNS_PTR, &answer);
	is_empty(&answer, DNS_NO_NAME);
	ask(names, "1.0.0.0.ip6.arpa", DNS_PTR, &answer);
	is_empty(&answer, DNS_NO_NAME);
	buf_done(&answer.bytes);
	names_free(names);
}

static void test_local_names_stay_local(void **state)
{
	struct names *names = NULL;
	struct answer answer = {0};

	(void)state;
	assert_int_equal(names_new(NAMES_MAX, &names), 0);
	ask(names, "localhost", DNS_A, &answer);
	address_is(&answer, "127.0.0.1");
	ask(names, "app.LocalHost", DNS_AAAA, &answer);
	address_is(&answer, "::1");
	ask(names, "localhost", 15, &answer);
	is_empty(&answer, DNS_GOOD);
	ask(names, "notlocalhost", DNS_A, &answer);
	address_is(&answer, "198.19.0.1");
	buf_done(&answer.bytes);
	names_free(names);
}

static void test_odd_names(void **state)
{
	static const char *const odd[] = {"a b.com",          "a:80.com", "a/b", "a\n.com",
					  "b\303\274cher.de", "a@b",      "*"};
	char longest[DNS_NAME_BYTES];
	struct names *names = NULL;
	struct answer answer = {0};

	(void)state;
	assert_int_equal(names_new(NAMES_MAX, &names), 0);
	for (size_t i = 0; i < array_len(odd); i++) {
		ask(names, odd[i], DNS_A, &answer);
		is_empty(&answer, DNS_NO_NAME);
	}
	memset(longest, 'x', sizeof(longest));
	longest[63] = longest[127] = longest[191] = '.';
	longest[253] = '\0';
	ask(names, longest, DNS_A, &answer);
	address_is(&answer, "198.19.0.1");
	ask(names, "1.0.19.198.in-addr.arpa", DNS_PTR, &answer);
	assert_int_equal(answer.value.len, 255);
	buf_done(&answer.bytes);
	names_free(names);
}

static int answer_to(struct names *names, struct slice query, struct buf *into)
{
	/* A block of the exact size, so that a look beyond it is seen. */
	char *copy = malloc(query.len ? query.len : 1);
	int r;

	memcpy(copy, query.ptr, query.len);
	buf_clear(into);
	r = answer_query(names, slice_of(copy, query.len), into);
	free(copy);
	return r;
}

static void test_malformed_queries(void **state)
{
	auto_buf struct buf query = {0}, answer = {0};
	struct names *names = NULL;

	(void)state;
	assert_int_equal(names_new(NAMES_MAX, &names), 0);
	make_query(&query, "example.com", DNS_A);
	for (size_t len = 0; len < DNS_HEAD_BYTES; len++)
		assert_int_equal(answer_to(names, slice_of(buf_text(&query), len), &answer), -EBADMSG);
	for (size_t len = DNS_HEAD_BYTES; len < DNS_HEAD_BYTES + 17; len++) {
		assert_int_equal(answer_to(names, slice_of(buf_text(&query), len), &answer), 0);
		assert_int_equal(number(&answer, 2) & 15, DNS_MALFORMED);
		assert_int_equal(answer.len, DNS_HEAD_BYTES);
	}
	query.data[2] = (char)0x81;
	assert_int_equal(answer_to(names, buf_slice(&query), &answer), -EBADMSG);
	query.data[2] = 0x28;
	assert_int_equal(answer_to(names, buf_slice(&query), &answer), 0);
	assert_int_equal(number(&answer, 2) & 15, DNS_NOT_KNOWN);
	query.data[2] = 1;
	query.data[5] = 2;
	assert_int_equal(answer_to(names, buf_slice(&query), &answer), 0);
	assert_int_equal(number(&answer, 2) & 15, DNS_MALFORMED);
	query.data[5] = 1;
	query.data[12] = (char)0xc0;
	assert_int_equal(answer_to(names, buf_slice(&query), &answer), 0);
	assert_int_equal(number(&answer, 2) & 15, DNS_MALFORMED);
	names_free(names);
}

static void test_least_recently_used_goes(void **state)
{
	struct in_addr a, b, c, found;
	struct names *names = NULL;

	(void)state;
	assert_int_equal(names_new(3, &names), 0);
	assert_int_equal(names_add(names, "a", &a), 0);
	assert_int_equal(names_add(names, "b", &b), 0);
	assert_int_equal(names_add(names, "c", &c), 0);
	assert_int_equal(names_add(names, "A", &found), 0);
	assert_int_equal(found.s_addr, a.s_addr);
	assert_int_equal(names_add(names, "d", &found), 0);
	assert_int_equal(found.s_addr, b.s_addr);
	assert_string_equal(name_text(names_at(names, b)), "d");
	assert_string_equal(name_text(names_at(names, a)), "a");
	names_free(names);
}

static void test_held_names_stay(void **state)
{
	struct in_addr address[3], found;
	struct name *held[3];
	struct names *names = NULL;
	char text[2] = "a";

	(void)state;
	assert_int_equal(names_new(3, &names), 0);
	for (int i = 0; i < 3; i++, text[0]++) {
		assert_int_equal(names_add(names, text, &address[i]), 0);
		held[i] = names_at(names, address[i]);
		name_hold(names, held[i]);
		name_hold(names, held[i]);
	}
	assert_int_equal(names_add(names, "more", &found), -ENOSPC);
	assert_int_equal(names_add(names, "b", &found), 0);
	assert_int_equal(found.s_addr, address[1].s_addr);
	name_release(names, held[1]);
	assert_int_equal(names_add(names, "more", &found), -ENOSPC);
	name_release(names, held[1]);
	assert_int_equal(names_add(names, "more", &found), 0);
	assert_int_equal(found.s_addr, address[1].s_addr);
	names_free(names);
}

static void test_a_full_table(void **state)
{
	struct names *names = NULL;
	struct in_addr address;
	char text[32];

	(void)state;
	assert_int_equal(names_new(NAMES_MAX, &names), 0);
	for (unsigned i = 0; i < 2 * NAMES_MAX; i++) {
		snprintf(text, sizeof(text), "host-%u.example", i);
		assert_int_equal(names_add(names, text, &address), 0);
		assert_true(names_covers(address));
		assert_string_equal(name_text(names_at(names, address)), text);
	}
	assert_string_equal(inet_ntoa(address), "198.19.255.254");
	address.s_addr = inet_addr("198.19.255.255");
	assert_null(names_at(names, address));
	address.s_addr = inet_addr("198.19.0.0");
	assert_null(names_at(names, address));
	address.s_addr = inet_addr("198.18.0.1");
	assert_null(names_at(names, address));
	assert_false(names_covers(address));
	names_free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_get_addresses),
		cmocka_unit_test(test_addresses_have_names),
		cmocka_unit_test(test_local_names_stay_local),
		cmocka_unit_test(test_odd_names),
		cmocka_unit_test(test_malformed_queries),
		cmocka_unit_test(test_least_recently_used_goes),
		cmocka_unit_test(test_held_names_stay),
		cmocka_unit_test(test_a_full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
