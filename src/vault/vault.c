/*
 * sbx-vault: holds what the proxy must be able to use, and must not have. It reads what its supervisor and
 * its proxy say; there are few words for that, and a guest has none.
 */
#include "vault/vault.h"

#include "base/fd.h"
#include "base/jail.h"
#include "base/log.h"
#include "vault/ca.h"
#include "vault/feeds.h"
#include "wire/chan.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { FILES_MAX = 64, SECRET_MAX_BYTES = 65536 };

static struct ca *ca;
static int proxy = -1; /* messages with it */
static struct feeds feeds;

static void wipe(struct buf *buf)
{
	if (buf->data)
		OPENSSL_cleanse(buf->data, buf->room);
	buf_done(buf);
}
#define auto_secret __attribute__((cleanup(wipe)))

/* ---- the authority ---- */

/* An empty file is filled with what was made: it is to be given again at the next start. */
static int take_ca(int file, const char *name)
{
	auto_secret struct buf text = {0};
	int r = buf_space(&text, SECRET_MAX_BYTES) ? 0 : -ENOMEM;

	if (r == 0 && lseek(file, 0, SEEK_SET) < 0)
		r = -errno;
	r = r < 0 ? r : fd_read_all(file, SECRET_MAX_BYTES, &text);
	if (r < 0 || ca)
		return r < 0 ? r : -EEXIST;
	if (text.len > 0)
		return ca_load(buf_slice(&text), &ca);
	r = ca_new(name, &ca);
	r = r < 0 ? r : ca_save(ca, &text);
	return r < 0 ? r : fd_write_all(file, buf_slice(&text));
}

static int give_certificate(int file)
{
	auto_buf struct buf text = {0};
	int r = ca ? ca_certificate(ca, &text) : -ENOENT;

	return r < 0 ? r : fd_write_all(file, buf_slice(&text));
}

static int set_proxy(int *channel)
{
	if (proxy >= 0)
		close(proxy);
	proxy = steal_fd(channel);
	return 0;
}

static int on_supervisor(void)
{
	struct chan_message message;
	autofd int file = -1;
	int r = chan_receive(VAULT_CHANNEL_FD, &message, &file);

	if (r <= 0)
		return r < 0 ? r : -EPIPE;
	if (file < 0)
		return -EBADMSG;
	if (message.kind == CHAN_VAULT_FEED && (r = feeds_add(&feeds, &file, message.id)) == 0)
		return 0;
	if (message.kind == CHAN_VAULT_CA)
		r = take_ca(file, message.body);
	else if (message.kind == CHAN_VAULT_CERTIFICATE)
		r = give_certificate(file);
	else if (message.kind == CHAN_VAULT_PROXY)
		r = set_proxy(&file);
	else if (message.kind != CHAN_VAULT_FEED)
		return -EBADMSG;
	return chan_send(VAULT_CHANNEL_FD, CHAN_VAULT_DONE, message.id, (uint32_t)(r < 0 ? -r : 0),
			 slice_text(""), -1);
}

/* ---- the proxy ---- */

static int send_leaf(const struct chan_message *message)
{
	auto_secret struct buf leaf = {0};
	int r = strlen(message->body) == message->body_len ? 0 : -EINVAL;

	if (r == 0)
		r = ca ? ca_mint(ca, message->body, &leaf) : -ENOENT;
	return chan_send(proxy, CHAN_VAULT_LEAF, message->id, (uint32_t)(r < 0 ? -r : 0),
			 r < 0 ? slice_text("") : buf_slice(&leaf), -1);
}

/* "SERVICE HOST PORT" */
static int reveal(const struct chan_message *message, struct buf *into)
{
	char service[SECRET_SERVICE_MAX_BYTES + 1], host[SECRET_HOST_MAX_BYTES + 1];
	unsigned port;
	int end = 0;

	if (sscanf(message->body, "%32s %253s %5u%n", service, host, &port, &end) != 3 ||
	    (uint32_t)end != message->body_len || port > UINT16_MAX)
		return -EINVAL;
	return secrets_reveal(feeds.secrets, slice_text(service), slice_text(host), (uint16_t)port, into);
}

static int send_header(const struct chan_message *message)
{
	auto_secret struct buf text = {0};
	struct slice body = slice_text("");
	autofd int file = -1;
	int r = reveal(message, &text);

	if (r == 0 && text.len >= CHAN_BODY_MAX_BYTES) {
		file = memfd_create("sbx-header", MFD_CLOEXEC);
		r = file < 0 ? -errno : fd_write_all(file, buf_slice(&text));
	} else if (r == 0) {
		body = buf_slice(&text);
	}
	return chan_send(proxy, CHAN_VAULT_HEADER, message->id, (uint32_t)(r < 0 ? -r : 0), body, file);
}

/* A proxy that says something else, or nothing more, is not heard any more. */
static int on_proxy(void)
{
	struct chan_message message;
	autofd int unwanted = -1;
	int r = chan_receive(proxy, &message, &unwanted);

	if (r > 0 && message.kind == CHAN_VAULT_MINT)
		return send_leaf(&message);
	return r > 0 && message.kind == CHAN_VAULT_REVEAL ? send_header(&message) : -EPIPE;
}

enum { WATCH_SUPERVISOR, WATCH_PROXY, WATCH_FEEDS, WATCHED = WATCH_FEEDS + FEEDS_MAX };

static int turn(void)
{
	struct pollfd fds[WATCHED] = {[WATCH_SUPERVISOR] = {.fd = VAULT_CHANNEL_FD, .events = POLLIN},
				      [WATCH_PROXY] = {.fd = proxy, .events = POLLIN}};
	int r;

	feeds_watch(&feeds, fds + WATCH_FEEDS);
	if (poll(fds, array_len(fds), -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[WATCH_PROXY].revents && on_proxy() < 0)
		close(steal_fd(&proxy));
	r = feeds_turn(&feeds, fds + WATCH_FEEDS);
	return r == 0 && fds[WATCH_SUPERVISOR].revents ? on_supervisor() : r;
}

/* Two channels, what stores write, and memory. */
static int give_up(void)
{
	static const int calls[] = {
		SCMP_SYS(read),     SCMP_SYS(write),        SCMP_SYS(close),           SCMP_SYS(poll),
		SCMP_SYS(ppoll),    SCMP_SYS(memfd_create), SCMP_SYS(recvmsg),         SCMP_SYS(sendmsg),
		SCMP_SYS(lseek),    SCMP_SYS(fstat),        SCMP_SYS(newfstatat),      SCMP_SYS(getrandom),
		SCMP_SYS(brk),      SCMP_SYS(mmap),         SCMP_SYS(munmap),          SCMP_SYS(mremap),
		SCMP_SYS(mprotect), SCMP_SYS(madvise),      SCMP_SYS(futex),           SCMP_SYS(getpid),
		SCMP_SYS(mlock),    SCMP_SYS(munlock),      SCMP_SYS(clock_gettime),   SCMP_SYS(rt_sigreturn),
		SCMP_SYS(exit),     SCMP_SYS(exit_group),   SCMP_SYS(restart_syscall),
	};
	int r = jail_environment();

	r = r < 0 ? r : jail_descriptors(VAULT_FDS);
	r = r < 0 ? r : jail_limits(FILES_MAX, 0);
	r = r < 0 ? r : jail_privileges(/* may_be_read= */ false);
	r = r < 0 ? r : jail_files(NULL, 0);
	if (r == -EOPNOTSUPP) {
		log_line("this host has no Landlock: only seccomp keeps this process from files");
		r = 0;
	}
	return r < 0 ? r : jail_calls_only(calls, array_len(calls));
}

/* Before anything is given up: the library looks for what is not there afterwards. */
static int begin_crypto(void)
{
	unsigned char byte;

	tzset(); /* which gmtime_r() would do */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return -EIO;
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
	return RAND_bytes(&byte, 1) == 1 ? 0 : -EIO;
}

int main(void)
{
	int r;

	log_open("sbx-vault");
	signal(SIGPIPE, SIG_IGN);
	r = begin_crypto();
	r = r < 0 ? r : feeds_init(&feeds, VAULT_CHANNEL_FD);
	r = r < 0 ? r : give_up();
	while (r == 0)
		r = turn();
	if (r != -EPIPE)
		log_line("ends: %s", strerror(-r));
	ca_free(ca);
	feeds_done(&feeds);
	return r == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE;
}
