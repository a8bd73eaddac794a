/*
 * Runs a fuzz target over every file of a folder, and over every beginning of each file, in a block of
 * exactly its size, so that a read past the end is seen.
 */
#include "base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { FILE_MAX_BYTES = 1 << 20, PREFIXES_MAX = 4096 };

static void run(const char *bytes, size_t len)
{
	autofree uint8_t *block = malloc(len > 0 ? len : 1);

	if (!block)
		abort();
	memcpy(block, bytes, len);
	LLVMFuzzerTestOneInput(block, len);
}

static int run_file(int dir_fd, const char *name)
{
	autofd int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	auto_buf struct buf content = {0};
	int r = fd < 0 ? -1 : fd_read_all(fd, FILE_MAX_BYTES, &content);

	if (r < 0)
		return r;
	for (size_t len = 0; len < content.len && len < PREFIXES_MAX; len++)
		run(buf_text(&content), len);
	run(buf_text(&content), content.len);
	return 0;
}

int main(int argc, char **argv)
{
	DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	const struct dirent *entry;
	unsigned count = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (run_file(dirfd(dir), entry->d_name) < 0) {
			fprintf(stderr, "cannot read %s\n", entry->d_name);
			return 1;
		}
		count++;
	}
	if (dir)
		closedir(dir);
	printf("%u files\n", count);
	return count > 0 ? 0 : 1;
}
