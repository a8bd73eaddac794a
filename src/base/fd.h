/* Descriptors: whole reads and writes, flags, descriptors over Unix sockets. Everything made here is
 * close-on-exec. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

int fd_set_nonblock(int fd);
int fd_set_cloexec(int fd, bool on);

/* Writes all of it to a blocking descriptor. Returns 0 or a negative errno. */
int fd_write_all(int fd, struct slice bytes);

/* Reads to the end of file into *ret, which the caller has initialised. More than limit bytes: -EFBIG. */
int fd_read_all(int fd, size_t limit, struct buf *ret);

/* Sends bytes with descriptors (count at most 8), borrowed. Returns bytes sent or a negative errno. */
ssize_t fd_send(int sock, struct slice bytes, const int *fds, size_t count);

/*
 * Receives up to room bytes and up to max descriptors, owned by the caller; ret_count says how many came.
 * Truncated control data closes what came and gives -EMSGSIZE. 0 is the end.
 */
ssize_t fd_receive(int sock, void *into, size_t room, int *ret_fds, size_t max, size_t *ret_count);

/* Connects to, or listens at, the Unix socket `name` inside the folder dir_fd, whatever the length of its
 * path. */
int fd_connect_unix(int dir_fd, const char *name);
int fd_listen_unix(int dir_fd, const char *name);
