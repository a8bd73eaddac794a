/*
 * Answers of a name server that lies, behind a header that c-ares takes for the answer to its question.
 * Whatever they say, the look-up gives as many addresses as there may be, or fails.
 */
#include "proxy/resolve.h"

#include "fuzz.h"

#include <stdio.h>
#include <sys/socket.h>

enum { QUESTIONS = 2, TURNS = 4, DNS_HEAD_BYTES = 12 };

static struct resolver *resolver;
static uv_loop_t loop;
static int server;
static char settings[64];
static unsigned n_done;

static void start(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);

	server = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	property(server >= 0 && bind(server, (const struct sockaddr *)&at, len) == 0);
	property(getsockname(server, (struct sockaddr *)&at, &len) == 0);
	snprintf(settings, sizeof(settings), "nameserver 127.0.0.1:%u\n", ntohs(at.sin_port));
	property(uv_loop_init(&loop) == 0 && resolver_new(&loop, &resolver) == 0);
}

static void on_done(void *owner, const struct in6_addr *addresses, size_t count, const char *why)
{
	(void)addresses;
	property(owner == &n_done && count <= RESOLVE_ADDRESSES_MAX && (count > 0 || why));
	n_done++;
}

/* The question comes back as it was; from the flags on, the bytes are the input's. */
static void answer(const uint8_t *bytes, size_t len)
{
	char packet[4096];
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t asked = recvfrom(server, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_len);
	size_t head = len < DNS_HEAD_BYTES - 2 ? len : DNS_HEAD_BYTES - 2;

	if (asked < DNS_HEAD_BYTES)
		return;
	memcpy(packet + 2, bytes, head);
	packet[2] = (char)(packet[2] | 0x80);
	len = len - head < sizeof(packet) - (size_t)asked ? len - head : sizeof(packet) - (size_t)asked;
	memcpy(packet + asked, bytes + head, len);
	(void)sendto(server, packet, (size_t)asked + len, 0, (const struct sockaddr *)&from, from_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct lookup *lookup;

	if (!resolver)
		start();
	property(resolver_configure(resolver, slice_text(settings)) == 0);
	n_done = 0;
	property(lookup_start(resolver, "a.test", on_done, &n_done, &lookup) == 0);
	for (int i = 0; i < TURNS && n_done == 0; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		for (int j = 0; j < QUESTIONS; j++)
			answer(bytes, len);
	}
	property(n_done <= 1);
	if (n_done == 0)
		lookup_cancel(lookup);
	property(resolver_configure(resolver, slice_text(settings)) == 0);
	uv_run(&loop, UV_RUN_NOWAIT);
	return 0;
}
