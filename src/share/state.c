#include "share/state.h"

#include "share/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>

enum { STATE_VERSION = 1 };

struct state_head {
	uint32_t version, is_begun;
	uint64_t n_inodes, n_handles, last_inode, last_handle;
};

struct state_inode {
	uint64_t id, n_lookups, dev, ino;
	int64_t born_ns;
	uint32_t type, path_len;
};

struct state_handle {
	uint64_t id, inode;
	uint32_t flags, is_dir;
};

/* 0 where the file system does not keep it. */
static int64_t born_ns(int fd)
{
	struct statx info;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &info) < 0 || !(info.stx_mask & STATX_BTIME))
		return 0;
	return info.stx_btime.tv_sec * 1000000000 + info.stx_btime.tv_nsec;
}

/* ---- saving ---- */

static ssize_t read_path(const struct share *share, int fd, char path[PATH_MAX])
{
	char name[16];
	ssize_t len;

	snprintf(name, sizeof(name), "%d", fd);
	len = readlinkat(share->proc_fds, name, path, PATH_MAX - 1);
	if (len >= 0)
		path[len] = '\0';
	return len < 0 ? -errno : len;
}

struct saving {
	const struct share *share;
	struct buf *into;
	char root[PATH_MAX];
	size_t root_len;
};

/* One that is not below the folder any more, or was removed, has no path: it is lost when it is loaded. */
static int save_inode(const struct inode *inode, void *data)
{
	const struct saving *saving = data;
	struct state_inode head = {.id = inode->id,
				   .n_lookups = inode->n_lookups,
				   .dev = inode->dev,
				   .ino = inode->ino,
				   .born_ns = born_ns(inode->fd),
				   .type = inode->type};
	char path[PATH_MAX];
	ssize_t len = inode->id == INODE_ROOT ? 0 : read_path(saving->share, inode->fd, path);
	const char *below = path + saving->root_len + 1;
	int r;

	if (len > (ssize_t)saving->root_len + 1 && memcmp(path, saving->root, saving->root_len) == 0 &&
	    path[saving->root_len] == '/')
		head.path_len = (uint32_t)strlen(below);
	r = share_append(saving->into, &head, sizeof(head));
	return r < 0 ? r : share_append(saving->into, below, head.path_len);
}

static int save_handle(const struct handle *handle, void *data)
{
	const struct saving *saving = data;
	int flags = fcntl(handle->fd, F_GETFL);
	const struct state_handle head = {
		.id = handle->id,
		.inode = handle->inode,
		.flags = flags < 0 ? 0 : (uint32_t)flags & (O_ACCMODE | O_APPEND | O_SYNC),
		.is_dir = handle->dir != NULL};

	return share_append(saving->into, &head, sizeof(head));
}

int share_save(struct share *share, struct buf *into)
{
	struct saving saving = {.share = share, .into = into};
	struct state_head head = {.version = STATE_VERSION, .is_begun = share->is_begun};
	ssize_t len = read_path(share, inodes_find(share->inodes, INODE_ROOT)->fd, saving.root);
	int r;

	if (len < 0)
		return (int)len;
	saving.root_len = strcmp(saving.root, "/") == 0 ? 0 : (size_t)len;
	head.n_inodes = inodes_count(share->inodes);
	head.last_inode = inodes_last(share->inodes);
	head.n_handles = handles_count(share->handles);
	head.last_handle = handles_last(share->handles);
	r = share_append(into, &head, sizeof(head));
	r = r < 0 ? r : inodes_each(share->inodes, save_inode, &saving);
	return r < 0 ? r : handles_each(share->handles, save_handle, &saving);
}

/* ---- loading ---- */

static int take(struct slice *state, void *into, size_t size)
{
	if (state->len < size)
		return -EBADMSG;
	memcpy(into, state->ptr, size);
	*state = slice_skip(*state, size);
	return 0;
}

/* The whole of it is looked through before any of it is believed. */
static int check(struct slice state)
{
	struct state_head head = {.version = 0};
	struct state_inode inode;
	int r = take(&state, &head, sizeof(head));

	if (r < 0 || head.version != STATE_VERSION || head.n_inodes > INODES_MAX ||
	    head.n_handles > HANDLES_MAX)
		return -EBADMSG;
	for (uint64_t i = 0; i < head.n_inodes; i++) {
		r = take(&state, &inode, sizeof(inode));
		if (r < 0 || inode.path_len >= PATH_MAX || inode.path_len > state.len || inode.id == 0 ||
		    inode.id > head.last_inode || memchr(state.ptr, '\0', inode.path_len))
			return -EBADMSG;
		state = slice_skip(state, inode.path_len);
	}
	return state.len == head.n_handles * sizeof(struct state_handle) ? 0 : -EBADMSG;
}

static bool is_same(int fd, const struct state_inode *wanted, struct stat *ret)
{
	return fstat(fd, ret) == 0 && ret->st_dev == wanted->dev && ret->st_ino == wanted->ino &&
	       (ret->st_mode & S_IFMT) == wanted->type && born_ns(fd) == wanted->born_ns;
}

static bool load_inode(struct share *share, const struct state_inode *wanted, const char *path)
{
	const struct inode *root = inodes_find(share->inodes, INODE_ROOT);
	struct stat info;
	int fd;

	if (wanted->id == INODE_ROOT)
		return true;
	fd = *path ? share_open_beneath(root, path) : -ENOENT;
	if (fd < 0)
		return false;
	if (!is_same(fd, wanted, &info)) {
		close(fd);
		return false;
	}
	return inodes_restore(share->inodes, wanted->id, fd, &info, wanted->n_lookups) == 0;
}

static bool load_handle(struct share *share, const struct state_handle *wanted)
{
	const struct inode *inode = inodes_find(share->inodes, wanted->inode);
	int flags = wanted->is_dir ? O_RDONLY | O_DIRECTORY
				   : (int)wanted->flags & (O_ACCMODE | O_APPEND | O_SYNC);
	DIR *dir = NULL;
	int fd;

	if (!inode || (wanted->is_dir ? S_IFDIR : S_IFREG) != inode->type ||
	    (share->is_read_only && (flags & O_ACCMODE) != O_RDONLY))
		return false;
	fd = share_reopen(share, inode, flags);
	if (fd < 0)
		return false;
	if (wanted->is_dir && !(dir = fdopendir(fd))) {
		close(fd);
		return false;
	}
	return handles_restore(share->handles, wanted->id, wanted->inode, fd, dir) == 0;
}

int share_load(struct share *share, struct slice state, size_t *ret_lost)
{
	struct state_head head = {.version = 0};
	struct state_inode inode;
	struct state_handle handle;
	char path[PATH_MAX];
	int r = check(state);

	*ret_lost = 0;
	if (r < 0)
		return r;
	(void)take(&state, &head, sizeof(head));
	share->is_begun = head.is_begun != 0;
	for (uint64_t i = 0; i < head.n_inodes; i++) {
		(void)take(&state, &inode, sizeof(inode));
		(void)take(&state, path, inode.path_len);
		path[inode.path_len] = '\0';
		*ret_lost += !load_inode(share, &inode, path);
	}
	for (uint64_t i = 0; i < head.n_handles; i++) {
		(void)take(&state, &handle, sizeof(handle));
		*ret_lost += !load_handle(share, &handle);
	}
	/* A number of the last life, lost ones included, is not used for another file. */
	inodes_skip(share->inodes, head.last_inode);
	handles_skip(share->handles, head.last_handle);
	return 0;
}
