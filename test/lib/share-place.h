/* A folder, its server as a function, and one who asks as a guest's kernel does. Included by unit tests. */
#pragma once

#include "base/file.h"
#include "share/request.h"
#include "share/share.h"

#include "fuse-client.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { ROOT = 1 };

struct place {
	char path[64];
	int dir;
	struct share *share;
	struct client client;
};

static inline void talk(struct client *client, struct slice message, bool has_answer, struct buf *answer)
{
	size_t len;

	assert_int_equal(request_frame(message, &len), PARSED_OK);
	assert_int_equal(len, message.len);
	assert_int_equal(share_handle(client->server, message, answer), 0);
	assert_true(has_answer == (answer->len > 0));
}

static inline int begin(void **state, bool is_read_only)
{
	static struct place place;
	int root;

	place = (struct place){.path = "/tmp/test-share-XXXXXX"};
	assert_non_null(mkdtemp(place.path));
	place.dir = file_open_dir(AT_FDCWD, place.path);
	assert_int_equal(file_write_atomic(place.dir, "file", 0644, slice_text("content"), NULL), 0);
	assert_int_equal(mkdirat(place.dir, "folder", 0755), 0);
	root = open(place.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(share_new(root, is_read_only, &place.share), 0);
	place.client = (struct client){
		.talk = talk, .server = place.share, .uid = SHARE_GUEST_UID, .gid = SHARE_GUEST_UID};
	assert_int_equal(client_init(&place.client), 0);
	*state = &place;
	return 0;
}

static inline int set_up(void **state)
{
	return begin(state, false);
}

static inline int set_up_read_only(void **state)
{
	return begin(state, true);
}

static inline int tear_down(void **state)
{
	struct place *place = *state;

	share_free(place->share);
	buf_done(&place->client.answer);
	close(place->dir);
	return file_remove_tree(AT_FDCWD, place->path, NULL);
}

static inline uint64_t look(struct client *client, uint64_t dir, const char *name)
{
	uint64_t node;

	assert_int_equal(client_look(client, dir, name, &node), 0);
	assert_true(node > ROOT);
	return node;
}

static inline void expect_content(const struct place *place, const char *name, const char *content)
{
	auto_buf struct buf text = {0};

	assert_int_equal(file_read(place->dir, name, 65536, &text), 0);
	assert_string_equal(buf_text(&text), content);
}
