/* Speaks FUSE as a guest's kernel does, to a server that is called, or one behind a socket. */
#pragma once

#include "base/buf.h"

#include <linux/fuse.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct client {
	/* Sends one message and appends its answer, if there is to be one. */
	void (*talk)(struct client *client, struct slice message, bool has_answer, struct buf *answer);
	void *server;
	uint64_t unique;
	uint32_t uid, gid;
	struct buf answer; /* the last one, with its header */
	struct slice body; /* what is behind the header */
};

/* Gives the error of the answer: 0 or negative. parts is followed by pairs of pointer and size, ended by
 * NULL. */
static inline int client_ask(struct client *client, uint32_t opcode, uint64_t nodeid, struct slice first,
			     struct slice second, struct slice third)
{
	struct fuse_in_header head = {.opcode = opcode,
				      .nodeid = nodeid,
				      .unique = ++client->unique,
				      .uid = client->uid,
				      .gid = client->gid};
	struct fuse_out_header reply = {.len = 0};
	auto_buf struct buf message = {0};
	bool has_answer = opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;

	head.len = (uint32_t)(sizeof(head) + first.len + second.len + third.len);
	(void)buf_append(&message, slice_of(&head, sizeof(head)));
	(void)buf_append(&message, first);
	(void)buf_append(&message, second);
	(void)buf_append(&message, third);
	buf_clear(&client->answer);
	client->talk(client, buf_slice(&message), has_answer, &client->answer);
	if (!has_answer)
		return 0;
	if (client->answer.len < sizeof(reply))
		return -1000;
	memcpy(&reply, buf_text(&client->answer), sizeof(reply));
	client->body = slice_skip(buf_slice(&client->answer), sizeof(reply));
	if (reply.unique != head.unique || reply.len != client->answer.len)
		return -1001;
	return reply.error;
}

#define NONE          slice_of("", 0)
#define STRUCT(value) slice_of(&(value), sizeof(value))

/* With its NUL. */
static inline struct slice client_name(const char *name)
{
	return slice_of(name, strlen(name) + 1);
}

static inline int client_init(struct client *client)
{
	struct fuse_init_in in = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_readahead = 131072};

	return client_ask(client, FUSE_INIT, 0, STRUCT(in), NONE, NONE);
}

/* The number of the entry in the last answer. */
static inline uint64_t client_entry(const struct client *client, struct fuse_attr *ret_attr)
{
	struct fuse_entry_out entry = {.nodeid = 0};

	if (client->body.len >= sizeof(entry))
		memcpy(&entry, client->body.ptr, sizeof(entry));
	if (ret_attr)
		*ret_attr = entry.attr;
	return entry.nodeid;
}

static inline int client_look(struct client *client, uint64_t dir, const char *name, uint64_t *ret)
{
	int r = client_ask(client, FUSE_LOOKUP, dir, client_name(name), NONE, NONE);

	*ret = r == 0 ? client_entry(client, NULL) : 0;
	return r;
}

static inline int client_open(struct client *client, uint32_t opcode, uint64_t node, uint32_t flags,
			      uint64_t *ret)
{
	struct fuse_open_in in = {.flags = flags};
	struct fuse_open_out out = {.fh = 0};
	int r = client_ask(client, opcode, node, STRUCT(in), NONE, NONE);

	if (r == 0 && client->body.len >= sizeof(out))
		memcpy(&out, client->body.ptr, sizeof(out));
	*ret = out.fh;
	return r;
}

static inline int client_create(struct client *client, uint64_t dir, const char *name, uint32_t flags,
				uint32_t mode, uint64_t *ret_node, uint64_t *ret_handle)
{
	struct fuse_create_in in = {.flags = flags, .mode = 0100000 | mode};
	struct fuse_open_out out = {.fh = 0};
	int r = client_ask(client, FUSE_CREATE, dir, STRUCT(in), client_name(name), NONE);

	*ret_node = r == 0 ? client_entry(client, NULL) : 0;
	if (r == 0 && client->body.len >= sizeof(struct fuse_entry_out) + sizeof(out))
		memcpy(&out, client->body.ptr + sizeof(struct fuse_entry_out), sizeof(out));
	*ret_handle = out.fh;
	return r;
}

static inline int client_write(struct client *client, uint64_t node, uint64_t handle, uint64_t at,
			       struct slice bytes)
{
	struct fuse_write_in in = {.fh = handle, .offset = at, .size = (uint32_t)bytes.len};

	return client_ask(client, FUSE_WRITE, node, STRUCT(in), bytes, NONE);
}

static inline int client_read(struct client *client, uint64_t node, uint64_t handle, uint64_t at,
			      uint32_t size)
{
	struct fuse_read_in in = {.fh = handle, .offset = at, .size = size};

	return client_ask(client, FUSE_READ, node, STRUCT(in), NONE, NONE);
}

static inline int client_mkdir(struct client *client, uint64_t dir, const char *name, uint64_t *ret)
{
	struct fuse_mkdir_in in = {.mode = 0755};
	int r = client_ask(client, FUSE_MKDIR, dir, STRUCT(in), client_name(name), NONE);

	*ret = r == 0 ? client_entry(client, NULL) : 0;
	return r;
}

static inline int client_rename(struct client *client, uint64_t from, const char *name, uint64_t into,
				const char *new_name, uint32_t flags)
{
	struct fuse_rename2_in in = {.newdir = into, .flags = flags};

	return client_ask(client, FUSE_RENAME2, from, STRUCT(in), client_name(name), client_name(new_name));
}
