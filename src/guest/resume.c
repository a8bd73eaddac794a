#include "guest/resume.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <sys/ioctl.h>
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

static int write_file(const char *dir, const char *name, mode_t mode, const char *text)
{
	autofd int fd = file_open_dir(AT_FDCWD, dir);

	return fd < 0 ? fd : file_write_atomic(fd, name, mode, slice_text(text), NULL);
}

static int set_hostname(const char *name)
{
	char hosts[512];
	int r;

	if (sethostname(name, strlen(name)) < 0)
		return -errno;
	snprintf(hosts, sizeof(hosts),
		 "127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost ip6-localhost ip6-loopback\n", name);
	r = write_file("/etc", "hosts", 0644, hosts);
	snprintf(hosts, sizeof(hosts), "%s\n", name);
	return r < 0 ? r : write_file("/etc", "hostname", 0644, hosts);
}

static int set_machine_id(const char *id)
{
	char line[RESUME_ID_BYTES + 1];

	snprintf(line, sizeof(line), "%s\n", id);
	return write_file("/etc", "machine-id", 0444, line);
}

int resume_apply(struct slice body)
{
	struct resume resume;
	int r = resume_parse(body, &resume);
	int steps[4] = {0};

	if (r < 0)
		return r;
	if (resume.time.tv_sec > 0 && clock_settime(CLOCK_REALTIME, &resume.time) < 0)
		steps[0] = -errno;
	if (resume.entropy_len > 0)
		steps[1] = add_entropy(&resume);
	if (resume.hostname[0])
		steps[2] = set_hostname(resume.hostname);
	if (resume.machine_id[0])
		steps[3] = set_machine_id(resume.machine_id);
	for (size_t i = 0; i < array_len(steps); i++) {
		if (steps[i] < 0)
			log_line("resume: step %zu failed: %s", i, strerror(-steps[i]));
		r = r < 0 ? r : steps[i];
	}
	return r;
}
