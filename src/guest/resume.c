#include "guest/resume.h"

#include "base/fd.h"
#include "base/log.h"
#include "guest/groups.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/utsname.h>

enum { LINE_MAX_BYTES = 1024 };

static bool is_word(const char *text, size_t max)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (!isascii(text[i]) ||
		    (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '.'))
			return false;
	return len > 0 && len <= max;
}

static int parse_time(const char *text, struct timespec *ret)
{
	long long seconds;
	long nanoseconds;
	int used = 0;

	if (sscanf(text, "%11lld.%9ld%n", &seconds, &nanoseconds, &used) != 2 || text[used] != '\0')
		return -EINVAL;
	if (seconds <= 0 || nanoseconds < 0 || nanoseconds >= 1000000000)
		return -EINVAL;
	*ret = (struct timespec){.tv_sec = seconds, .tv_nsec = nanoseconds};
	return 0;
}

static int parse_hex(const char *text, unsigned char *into, size_t room, size_t *ret_len)
{
	size_t len = strlen(text);

	if (len == 0 || len % 2 != 0 || len / 2 > room)
		return -EINVAL;
	for (size_t i = 0; i < len; i += 2) {
		char pair[3] = {text[i], text[i + 1], '\0'};

		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return -EINVAL;
		into[i / 2] = (unsigned char)strtoul(pair, NULL, 16);
	}
	*ret_len = len / 2;
	return 0;
}

static int parse_line(const char *line, struct resume *ret)
{
	const char *value = strchr(line, ' ');
	size_t name_len = value ? (size_t)(value - line) : 0;
	unsigned char id[16];
	size_t id_len;

	if (!value)
		return *line ? -EINVAL : 0;
	value++;
	if (slice_is(slice_of(line, name_len), "time"))
		return parse_time(value, &ret->time);
	if (slice_is(slice_of(line, name_len), "entropy"))
		return parse_hex(value, ret->entropy, sizeof(ret->entropy), &ret->entropy_len);
	if (slice_is(slice_of(line, name_len), "hostname")) {
		if (!is_word(value, sizeof(ret->hostname) - 1))
			return -EINVAL;
		strcpy(ret->hostname, value);
	} else if (slice_is(slice_of(line, name_len), "machine-id")) {
		if (strlen(value) != RESUME_ID_BYTES - 1 || parse_hex(value, id, sizeof(id), &id_len) < 0)
			return -EINVAL;
		strcpy(ret->machine_id, value);
	} else if (slice_is(slice_of(line, name_len), "restored")) {
		ret->is_restored = strcmp(value, "1") == 0;
	}
	return 0;
}

int resume_parse(struct slice body, struct resume *ret)
{
	struct resume found = {0};

	while (body.len > 0) {
		const char *end = memchr(body.ptr, '\n', body.len);
		size_t len = end ? (size_t)(end - body.ptr) : body.len;
		char line[LINE_MAX_BYTES];
		int r;

		if (len >= sizeof(line) || memchr(body.ptr, '\0', len))
			return -EINVAL;
		memcpy(line, body.ptr, len);
		line[len] = '\0';
		r = parse_line(line, &found);
		if (r < 0)
			return r;
		body = slice_skip(body, end ? len + 1 : len);
	}
	*ret = found;
	return 0;
}

static int add_entropy(const struct resume *resume)
{
	union {
		struct rand_pool_info info;
		char bytes[sizeof(struct rand_pool_info) + RESUME_ENTROPY_MAX_BYTES];
	} pool = {.info = {.entropy_count = (int)resume->entropy_len * 8,
			   .buf_size = (int)resume->entropy_len}};
	autofd int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

	memcpy(pool.bytes + sizeof(pool.info), resume->entropy, resume->entropy_len);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool.info) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
		return -errno;
	return 0;
}

/* Not synced: it is written anew at each start, before any program of the user's runs. */
static int write_file(const char *path, mode_t mode, const char *text)
{
	autofd int fd = -1;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd_write_all(fd, slice_text(text));
}

static int set_hostname(const char *name)
{
	char hosts[512];
	int r;

	if (sethostname(name, strlen(name)) < 0)
		return -errno;
	snprintf(hosts, sizeof(hosts),
		 "127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost ip6-localhost ip6-loopback\n", name);
	r = write_file("/etc/hosts", 0644, hosts);
	snprintf(hosts, sizeof(hosts), "%s\n", name);
	return r < 0 ? r : write_file("/etc/hostname", 0644, hosts);
}

static int set_machine_id(const char *id)
{
	char line[RESUME_ID_BYTES + 1];

	snprintf(line, sizeof(line), "%s\n", id);
	return write_file("/etc/machine-id", 0444, line);
}

/*
 * The kernel makes its boot id when it is first asked for, which may have been before the state was saved
 * that several machines continue from. It cannot be made anew, but covered.
 */
static int cover_boot_id(void)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id", cover[] = "/run/boot-id";
	unsigned char id[16];
	char text[40];

	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		return -errno;
	id[6] = (unsigned char)((id[6] & 0x0f) | 0x40); /* RFC 9562, version 4 */
	id[8] = (unsigned char)((id[8] & 0x3f) | 0x80);
	snprintf(text, sizeof(text), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n",
		 id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11], id[12],
		 id[13], id[14], id[15]);
	(void)umount2(path, MNT_DETACH);
	if (write_file(cover, 0444, text) < 0 || mount(cover, path, NULL, MS_BIND, NULL) < 0)
		return -errno;
	return 0;
}

int resume_apply(struct slice body)
{
	struct resume resume;
	int r = resume_parse(body, &resume);
	int steps[5] = {0};

	if (r < 0)
		return r;
	if (resume.entropy_len > 0)
		steps[0] = add_entropy(&resume);
	if (resume.time.tv_sec > 0 && clock_settime(CLOCK_REALTIME, &resume.time) < 0)
		steps[1] = -errno;
	if (resume.hostname[0])
		steps[2] = set_hostname(resume.hostname);
	if (resume.machine_id[0])
		steps[3] = set_machine_id(resume.machine_id);
	if (resume.is_restored)
		steps[4] = cover_boot_id();
	/* Only now may programs of the user's go on. */
	groups_set_frozen(false);
	for (size_t i = 0; i < array_len(steps); i++) {
		if (steps[i] < 0)
			log_line("resume: step %zu failed: %s", i, strerror(-steps[i]));
		r = r < 0 ? r : steps[i];
	}
	return r;
}
