#include "supervisor/share-states.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

static const char magic[8] = "sbxshr1";

/* More than a server with all the inodes that it may know writes. */
static const uint64_t state_max_bytes = 1ULL << 30;

struct record {
	uint32_t id, is_state;
	uint64_t len;
};

int share_states_new(void)
{
	int fd = memfd_create("sbx-share-state", MFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int copy(int from, off_t at, uint64_t len, int into)
{
	while (len > 0) {
		ssize_t count = sendfile(into, from, &at, len < 1 << 30 ? len : 1 << 30);

		if (count <= 0)
			return count < 0 ? -errno : -EIO;
		len -= (uint64_t)count;
	}
	return 0;
}

int share_states_begin(int file)
{
	return fd_write_all(file, slice_of(magic, sizeof(magic)));
}

int share_states_append(int file, uint32_t id, int state)
{
	struct record record = {.id = id, .is_state = state >= 0};
	struct stat info = {.st_size = 0};
	int r;

	if (state >= 0 && fstat(state, &info) < 0)
		return -errno;
	record.len = (uint64_t)info.st_size;
	r = fd_write_all(file, slice_of((const char *)&record, sizeof(record)));
	return r < 0 ? r : copy(state, 0, record.len, file);
}

static int read_record(int file, off_t *at, uint64_t *left, struct share_states *into)
{
	struct record record;
	int r;

	if (*left < sizeof(record) || pread(file, &record, sizeof(record), *at) != sizeof(record))
		return -EBADMSG;
	*at += sizeof(record);
	*left -= sizeof(record);
	if (record.id >= SHARE_PORTS || into->is_known[record.id] || record.len > state_max_bytes ||
	    record.len > *left || (!record.is_state && record.len > 0))
		return -EBADMSG;
	into->is_known[record.id] = true;
	if (record.is_state) {
		into->states[record.id] = share_states_new();
		r = into->states[record.id];
		r = r < 0 ? r : copy(file, *at, record.len, into->states[record.id]);
		if (r < 0)
			return r;
	}
	*at += (off_t)record.len;
	*left -= record.len;
	return 0;
}

static void begin(struct share_states *states)
{
	*states = (struct share_states){.is_known = {false}};
	for (size_t i = 0; i < SHARE_PORTS; i++)
		states->states[i] = -1;
}

int share_states_read(int file, struct share_states *ret)
{
	char found[sizeof(magic)];
	off_t at = sizeof(magic);
	struct stat info;
	uint64_t left;
	int r = 0;

	begin(ret);
	if (fstat(file, &info) < 0)
		return -errno;
	if (info.st_size == 0)
		return 0;
	if (info.st_size < (off_t)sizeof(magic) || pread(file, found, sizeof(found), 0) != sizeof(found) ||
	    memcmp(found, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	left = (uint64_t)info.st_size - sizeof(magic);
	while (r == 0 && left > 0)
		r = read_record(file, &at, &left, ret);
	if (r < 0)
		share_states_done(ret);
	return r;
}

void share_states_done(struct share_states *states)
{
	for (size_t i = 0; i < SHARE_PORTS; i++)
		if (states->states[i] >= 0)
			close(states->states[i]);
	begin(states);
}
