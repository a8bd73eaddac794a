#include "supervisor/ram.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/hash.h"
#include "supervisor/ram-map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { CHUNK_PAGES = 256, TABLE_MAX_BYTES = 256 << 20 };

static const char magic[8] = "sbxram1";

struct head {
	char magic[8];
	uint64_t memory_bytes, n_pages, n_runs;
	char table_sha256[HASH_TEXT_BYTES];
};

struct run {
	uint64_t first;
	uint32_t count, is_zero;
};

int ram_new(uint64_t bytes)
{
	autofd int fd = memfd_create(RAM_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return -errno;
	return steal_fd(&fd);
}

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

int ram_seal(int memfd)
{
	return fcntl(memfd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

bool ram_is_sealed(int memfd, uint64_t bytes)
{
	struct stat info;

	return fcntl(memfd, F_GET_SEALS) == SEALS && fstat(memfd, &info) == 0 &&
	       (uint64_t)info.st_size == bytes;
}

/* ---- reading an image ---- */

static int read_at(int fd, void *into, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t count = pread(fd, into, len, (off_t)at);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EUCLEAN;
		into = (char *)into + count;
		at += (uint64_t)count;
		len -= (size_t)count;
	}
	return 0;
}

static bool is_sound(const struct head *head, uint64_t memory_bytes, uint64_t file_bytes)
{
	uint64_t n_memory_pages = memory_bytes / RAM_PAGE_BYTES;

	return memcmp(head->magic, magic, sizeof(magic)) == 0 && head->memory_bytes == memory_bytes &&
	       head->n_pages <= n_memory_pages && head->n_runs <= n_memory_pages &&
	       head->n_runs * sizeof(struct run) <= TABLE_MAX_BYTES &&
	       file_bytes == RAM_PAGE_BYTES * (1 + head->n_pages) + head->n_runs * sizeof(struct run);
}

/* Every run lies within the memory, behind the one before, and all of them account for the pages. */
static bool are_sound(const struct run *runs, const struct head *head)
{
	uint64_t next = 0, n_pages = 0;

	for (uint64_t i = 0; i < head->n_runs; i++) {
		if (runs[i].first < next || runs[i].count == 0 || runs[i].is_zero > 1)
			return false;
		next = runs[i].first + runs[i].count;
		if (next < runs[i].first || next > head->memory_bytes / RAM_PAGE_BYTES)
			return false;
		n_pages += runs[i].is_zero ? 0 : runs[i].count;
	}
	return n_pages == head->n_pages;
}

static int read_table(int image, uint64_t bytes, struct head *ret_head, struct buf *ret)
{
	char digest[HASH_TEXT_BYTES];
	struct stat info;
	size_t len;
	char *space;
	int r = fstat(image, &info) < 0 ? -errno : read_at(image, ret_head, sizeof(*ret_head), 0);

	if (r < 0)
		return r;
	if (!is_sound(ret_head, bytes, (uint64_t)info.st_size))
		return -EUCLEAN;
	len = ret_head->n_runs * sizeof(struct run);
	space = buf_space(ret, len + 1);
	if (!space)
		return -ENOMEM;
	r = read_at(image, space, len, RAM_PAGE_BYTES * (1 + ret_head->n_pages));
	buf_grow(ret, len);
	r = r < 0 ? r : hash_bytes(buf_slice(ret), digest);
	if (r < 0)
		return r;
	if (memcmp(digest, ret_head->table_sha256, sizeof(digest)) != 0 ||
	    !are_sound((const struct run *)(const void *)buf_text(ret), ret_head))
		return -EUCLEAN;
	return 0;
}

/* Takes pages [first, first + count). */
typedef int take_pages(const char *bytes, uint64_t first, size_t count, void *data);

static int take_run(int image, const struct run *run, uint64_t *at, char *chunk, take_pages *take, void *data)
{
	int r = 0;

	for (uint64_t done = 0; r == 0 && done < run->count;) {
		size_t count = run->count - done < CHUNK_PAGES ? (size_t)(run->count - done) : CHUNK_PAGES;

		if (run->is_zero)
			memset(chunk, 0, count * RAM_PAGE_BYTES);
		else
			r = read_at(image, chunk, count * RAM_PAGE_BYTES, *at);
		r = r < 0 ? r : take(chunk, run->first + done, count, data);
		*at += run->is_zero ? 0 : count * RAM_PAGE_BYTES;
		done += count;
	}
	return r;
}

static int take_image(int image, uint64_t bytes, take_pages *take, void *data, struct err *err)
{
	autofree char *chunk = malloc((size_t)CHUNK_PAGES * RAM_PAGE_BYTES);
	uint64_t at = RAM_PAGE_BYTES;
	auto_buf struct buf table = {0};
	struct head head = {.n_runs = 0};
	const struct run *runs;
	int r = chunk ? read_table(image, bytes, &head, &table) : -ENOMEM;

	if (r == -EUCLEAN)
		return err_set(err, r, "the saved memory is not whole");
	runs = (const struct run *)(const void *)buf_text(&table);
	for (uint64_t i = 0; r == 0 && i < head.n_runs; i++)
		r = take_run(image, &runs[i], &at, chunk, take, data);
	return r < 0 ? err_errno(err, r, "cannot load the saved memory") : 0;
}

static int into_memfd(const char *bytes, uint64_t first, size_t count, void *data)
{
	size_t len = count * RAM_PAGE_BYTES;
	ssize_t written = pwrite(*(const int *)data, bytes, len, (off_t)(first * RAM_PAGE_BYTES));

	return written < 0 ? -errno : (size_t)written == len ? 0 : -ENOSPC;
}

int ram_fill(int image, int memfd, uint64_t bytes, struct err *err)
{
	return take_image(image, bytes, into_memfd, &memfd, err);
}

/* ---- the engine's mapping ---- */

struct engine {
	pid_t pid;
	const struct ram_map *map;
};

static int into_engine(const char *bytes, uint64_t first, size_t count, void *data)
{
	const struct engine *engine = data;

	while (count > 0) {
		size_t n_here;
		uintptr_t address = ram_map_find(engine->map, first, &n_here);
		size_t step = count < n_here ? count : n_here;
		struct iovec from = {(void *)(uintptr_t)bytes, step * RAM_PAGE_BYTES};
		struct iovec into = {(void *)address, step * RAM_PAGE_BYTES};

		if (address == 0)
			return -EFAULT;
		if (process_vm_writev(engine->pid, &from, 1, &into, 1, 0) != (ssize_t)from.iov_len)
			return errno ? -errno : -EIO;
		bytes += from.iov_len;
		first += step;
		count -= step;
	}
	return 0;
}

int ram_fill_engine(int image, pid_t engine, uint64_t bytes, struct err *err)
{
	struct ram_map map;
	int r = ram_map_read(engine, bytes, &map);

	if (r < 0)
		return err_errno(err, r, "cannot find the engine's memory");
	return take_image(image, bytes, into_engine, &(struct engine){engine, &map}, err);
}

/* ---- writing an image ---- */

struct writer {
	const struct ram_source *source;
	const struct ram_map *map;
	int image;
	struct buf runs;
	char *chunk;
	uint64_t n_pages;
};

static int read_pages(const struct writer *writer, uint64_t first, size_t count)
{
	size_t len = count * RAM_PAGE_BYTES;
	struct iovec into = {writer->chunk, len};
	struct iovec from = {NULL, len};
	size_t n_here;

	if (writer->source->memfd >= 0)
		return read_at(writer->source->memfd, writer->chunk, len, first * RAM_PAGE_BYTES);
	from.iov_base = (void *)ram_map_find(writer->map, first, &n_here);
	if (n_here < count)
		return -EFAULT;
	if (process_vm_readv(writer->source->engine, &into, 1, &from, 1, 0) != (ssize_t)len)
		return errno ? -errno : -EIO;
	return 0;
}

static bool is_zero(const char *page)
{
	return page[0] == 0 && memcmp(page, page + 1, RAM_PAGE_BYTES - 1) == 0;
}

static int add_run(struct writer *writer, uint64_t first, size_t count, bool is_zero_run)
{
	struct run *last = writer->runs.len > 0
				   ? (struct run *)(void *)(writer->runs.data + writer->runs.start +
							    writer->runs.len - sizeof(*last))
				   : NULL;
	struct run run = {.first = first, .count = (uint32_t)count, .is_zero = is_zero_run};

	if (last && last->is_zero == is_zero_run && last->first + last->count == first &&
	    last->count <= UINT32_MAX - count) {
		last->count += (uint32_t)count;
		return 0;
	}
	return buf_append(&writer->runs, slice_of(&run, sizeof(run)));
}

static int write_pages(struct writer *writer, const char *bytes, uint64_t first, size_t count)
{
	size_t len = count * RAM_PAGE_BYTES;
	ssize_t written = pwrite(writer->image, bytes, len, (off_t)(RAM_PAGE_BYTES * (1 + writer->n_pages)));

	if (written < 0 || (size_t)written != len)
		return written < 0 ? -errno : -ENOSPC;
	writer->n_pages += count;
	return add_run(writer, first, count, false);
}

/* Of a machine's own memory, zero pages are holes; of changed pages they are a change. */
static int save_chunk(struct writer *writer, uint64_t first, size_t count)
{
	bool keeps_zeros = writer->source->memfd < 0;
	int r = read_pages(writer, first, count);

	for (size_t i = 0; r == 0 && i < count;) {
		bool zero = is_zero(writer->chunk + i * RAM_PAGE_BYTES);
		size_t end = i + 1;

		while (end < count && is_zero(writer->chunk + end * RAM_PAGE_BYTES) == zero)
			end++;
		if (!zero)
			r = write_pages(writer, writer->chunk + i * RAM_PAGE_BYTES, first + i, end - i);
		else if (keeps_zeros)
			r = add_run(writer, first + i, end - i, true);
		i = end;
	}
	return r;
}

static int save_range(uint64_t first, uint64_t count, void *data)
{
	struct writer *writer = data;
	int r = 0;

	while (r == 0 && count > 0) {
		size_t step = count < CHUNK_PAGES ? (size_t)count : CHUNK_PAGES;

		r = save_chunk(writer, first, step);
		first += step;
		count -= step;
	}
	return r;
}

static int finish(struct writer *writer, uint64_t *ret_bytes)
{
	struct head head = {.memory_bytes = writer->source->bytes,
			    .n_pages = writer->n_pages,
			    .n_runs = writer->runs.len / sizeof(struct run)};
	uint64_t table_at = RAM_PAGE_BYTES * (1 + writer->n_pages);
	int r = hash_bytes(buf_slice(&writer->runs), head.table_sha256);

	memcpy(head.magic, magic, sizeof(magic));
	*ret_bytes = table_at + writer->runs.len;
	if (r == 0 && ftruncate(writer->image, (off_t)*ret_bytes) < 0)
		r = -errno;
	if (r == 0 && lseek(writer->image, (off_t)table_at, SEEK_SET) < 0)
		r = -errno;
	r = r < 0 ? r : fd_write_all(writer->image, buf_slice(&writer->runs));
	if (r == 0 && lseek(writer->image, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? r : fd_write_all(writer->image, slice_of(&head, sizeof(head)));
}

static int each_range(const struct ram_source *source, const struct ram_map *map, ram_range *take, void *data)
{
	return source->memfd >= 0 ? ram_map_each_data(source->memfd, take, data)
				  : ram_map_each_changed(map, source->engine, take, data);
}

static int count_range(uint64_t first, uint64_t count, void *data)
{
	(void)first;
	*(uint64_t *)data += count;
	return 0;
}

int ram_measure(const struct ram_source *source, uint64_t *ret_bytes, struct err *err)
{
	struct ram_map map = {0};
	uint64_t n_pages = 0;
	int r = source->memfd >= 0 ? 0 : ram_map_read(source->engine, source->bytes, &map);

	r = r < 0 ? r : each_range(source, &map, count_range, &n_pages);
	*ret_bytes = RAM_PAGE_BYTES * (1 + n_pages) + n_pages * sizeof(struct run);
	return r < 0 ? err_errno(err, r, "cannot measure the machine's memory") : 0;
}

int ram_save(const struct ram_source *source, int image, uint64_t *ret_bytes, struct err *err)
{
	autofree char *chunk = malloc((size_t)CHUNK_PAGES * RAM_PAGE_BYTES);
	struct ram_map map = {0};
	struct writer writer = {.source = source, .map = &map, .image = image, .chunk = chunk};
	int r = chunk ? 0 : -ENOMEM;

	if (r == 0 && source->memfd < 0)
		r = ram_map_read(source->engine, source->bytes, &map);
	r = r < 0 ? r : each_range(source, &map, save_range, &writer);
	r = r < 0 ? r : finish(&writer, ret_bytes);
	buf_done(&writer.runs);
	return r < 0 ? err_errno(err, r, "cannot save the machine's memory") : 0;
}
