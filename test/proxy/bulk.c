/*
 * bulk serve PEM HTTP [slow]: a server of TLS that takes and sends large bodies; prints its port.
 * bulk ask PORT AUTHORITY CA HTTP UP DOWN COUNT [slow]: its client. COUNT requests of UP bytes, answers of
 * DOWN bytes.
 *
 * HTTP is 1.1 or 2. Whoever is slow pauses when it reads. Each byte is compared with what belongs in its
 * place; a status other than 0 says that one was not there.
 */
#include "bulk.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PERIOD_BYTES = 65521, /* a prime: what moves by a round number of bytes does not fit */
	PIECE_BYTES = 64 << 10,
	PAUSE_EACH_BYTES = 128 << 10,
	PAUSE_NS = 1000 * 1000,
};

static char pattern[PERIOD_BYTES + PIECE_BYTES];

_Noreturn void die(const char *what)
{
	fprintf(stderr, "bulk: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* ---- bodies ---- */

static void make_pattern(void)
{
	uint32_t state = 1;

	for (size_t i = 0; i < sizeof(pattern); i++) {
		state = state * 1664525 + 1013904223;
		pattern[i] = i < PERIOD_BYTES ? (char)(state >> 24) : pattern[i - PERIOD_BYTES];
	}
}

struct slice body_next(uint64_t at, uint64_t left)
{
	return slice_of(pattern + at % PERIOD_BYTES, left < PIECE_BYTES ? left : PIECE_BYTES);
}

void body_take(uint64_t *at, struct slice bytes)
{
	while (bytes.len > 0) {
		struct slice wanted = body_next(*at, bytes.len);

		if (memcmp(wanted.ptr, bytes.ptr, wanted.len) != 0)
			die("a body is not what was sent");
		*at += wanted.len;
		bytes = slice_skip(bytes, wanted.len);
	}
}

uint64_t path_number(const char *path, unsigned slashes)
{
	while (slashes-- > 0) {
		path = strchr(path, '/');
		if (!path++)
			die("a path without numbers");
	}
	return strtoull(path, NULL, 10);
}

/* ---- the connection ---- */

static void pause_at_times(struct link *link, size_t count)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	link->unpaused += count;
	if (!link->is_slow || link->unpaused < PAUSE_EACH_BYTES)
		return;
	link->unpaused = 0;
	nanosleep(&pause, NULL);
}

size_t link_read(struct link *link, char *into, size_t room)
{
	int count = SSL_read(link->ssl, into, (int)room);

	if (count <= 0)
		return 0;
	pause_at_times(link, (size_t)count);
	return (size_t)count;
}

void link_write(struct link *link, struct slice bytes)
{
	if (bytes.len > 0 && SSL_write(link->ssl, bytes.ptr, (int)bytes.len) <= 0)
		die("the other end takes no more");
}

static int choose(SSL *ssl, const unsigned char **ret, unsigned char *ret_len, const unsigned char *in,
		  unsigned len, void *data)
{
	const unsigned char *wanted = data;

	(void)ssl;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)ret, ret_len, wanted, wanted[0] + 1U, in,
				     len) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* What is written is whole: there is nothing to wait for. */
static bool carry(SSL *ssl, int fd)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0 &&
	       SSL_set_fd(ssl, fd) == 1;
}

/* ---- roles ---- */

static bool is_http2(const char *name)
{
	return strcmp(name, "2") == 0;
}

static unsigned char *protocol(const char *http)
{
	static unsigned char http1[] = "\x08http/1.1", http2[] = "\x02h2";

	return is_http2(http) ? http2 : http1;
}

static void serve_one(SSL_CTX *context, int fd, const char *http, bool is_slow)
{
	struct link link = {.ssl = SSL_new(context), .is_slow = is_slow};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!link.ssl || !carry(link.ssl, fd) || SSL_accept(link.ssl) != 1)
		die("no TLS with a client");
	if (is_http2(http))
		http2_serve(&link);
	else
		http1_serve(&link);
	_exit(0);
}

static void serve(const char *pem, const char *http, bool is_slow)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (!context || SSL_CTX_use_certificate_chain_file(context, pem) != 1 ||
	    SSL_CTX_use_PrivateKey_file(context, pem, SSL_FILETYPE_PEM) != 1)
		die("no certificate");
	SSL_CTX_set_alpn_select_cb(context, choose, protocol(http));
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, len) < 0 || listen(listener, 16) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &len) < 0)
		die("no port");
	printf("%u\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fork() == 0)
			serve_one(context, fd, http, is_slow);
		close(fd);
	}
}

static SSL *connect_tls(uint16_t port, const char *name, const char *authority, const char *http)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = context ? SSL_new(context) : NULL;
	const unsigned char *wanted = protocol(http);

	if (!ssl || SSL_CTX_load_verify_file(context, authority) != 1)
		die("no authority");
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	/* The answer of the second is 0 for success. */
	if (SSL_set1_host(ssl, name) != 1 || SSL_set_alpn_protos(ssl, wanted, wanted[0] + 1U) != 0 ||
	    SSL_set_tlsext_host_name(ssl, name) != 1)
		die("no name");
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 || !carry(ssl, fd) ||
	    SSL_connect(ssl) != 1)
		die("no TLS with the server");
	return ssl;
}

static void ask(char **argv, bool is_slow)
{
	const char *authority = argv[1], *http = argv[3];
	const struct task task = {.authority = authority,
				  .up = strtoull(argv[4], NULL, 10),
				  .down = strtoull(argv[5], NULL, 10),
				  .count = (unsigned)atoi(argv[6])};
	autofree char *name = strndup(authority, strcspn(authority, ":"));
	struct link link = {.ssl = connect_tls((uint16_t)atoi(argv[0]), name, argv[2], http),
			    .is_slow = is_slow};

	if (is_http2(http))
		http2_ask(&link, &task);
	else
		http1_ask(&link, &task);
}

int main(int argc, char **argv)
{
	bool is_slow = strcmp(argv[argc - 1], "slow") == 0;

	argc -= is_slow;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	make_pattern();
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		serve(argv[2], argv[3], is_slow);
	if (argc != 9 || strcmp(argv[1], "ask") != 0)
		return 2;
	ask(argv + 2, is_slow);
	return 0;
}
