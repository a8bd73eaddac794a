#include "guest/handle.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <string.h>

/* As the kernel's FUSE makes them: number and generation. The server has always told 1 for that; it is never
 * asked about the root. */
enum { FILEID_INO64_GEN = 0x81, HANDLE_WORDS = 3, GENERATION = 1 };

int handle_open(int tree, uint64_t nodeid, int flags)
{
	/* The call wants a descriptor that has been opened. */
	autofd int root = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + HANDLE_WORDS * sizeof(uint32_t)];
	} handle = {
		.head = {.handle_bytes = HANDLE_WORDS * sizeof(uint32_t), .handle_type = FILEID_INO64_GEN}};
	const uint32_t words[HANDLE_WORDS] = {(uint32_t)(nodeid >> 32), (uint32_t)nodeid,
					      nodeid == FUSE_ROOT_ID ? 0 : GENERATION};
	int fd;

	memcpy(handle.room + offsetof(struct file_handle, f_handle), words, sizeof(words));
	fd = open_by_handle_at(root, &handle.head, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
