#include "share/state.h"

#include "share/ops.h"

#include <errno.h>
#include <limits.h>

enum { STATE_VERSION = 3 };

struct state_head {
	uint32_t version, is_begun, is_openless, root_type;
	uint64_t n_inodes, last_inode, n_changes;
	uint64_t is_missing; /* among the changes */
};

/* Followed by its name. */
struct state_inode {
	uint64_t id, n_lookups, ino, parent, told;
	int64_t born_ns;
	uint32_t type, name_len;
};

/* Followed by its path. */
struct state_change {
	uint32_t change, path_len;
};

/* ---- saving ---- */

struct saving {
	struct share *share;
	struct buf *into;
};

/* Places that are not true any more are looked for once more, as long as there is a descriptor. */
static int see_place(struct inode *inode, void *data)
{
	struct share *share = data;

	if (inode->fd >= 0 && inode->id != INODE_ROOT && !reach_is_in_place(share, inode))
		(void)reach_place_again(share, inode);
	return 0;
}

static int save_inode(struct inode *inode, void *data)
{
	const struct saving *saving = data;
	const char *name = inode->parent ? inode->name : "";
	const struct state_inode head = {.id = inode->id,
					 .n_lookups = inode->n_lookups,
					 .ino = inode->ino,
					 .parent = inode->parent ? inode->parent->id : 0,
					 .told = inode->watched.told,
					 .born_ns = inode->born_ns,
					 .type = inode->type,
					 .name_len = (uint32_t)strlen(name)};
	int r = inode->id == INODE_ROOT ? 0 : share_append(saving->into, &head, sizeof(head));

	return r < 0 || inode->id == INODE_ROOT ? r : share_append(saving->into, name, head.name_len);
}

static int save_change(const char *path, enum change change, void *data)
{
	const struct saving *saving = data;
	const struct state_change head = {.change = change, .path_len = (uint32_t)strlen(path)};
	int r = share_append(saving->into, &head, sizeof(head));

	return r < 0 ? r : share_append(saving->into, path, head.path_len);
}

int share_save(struct share *share, struct buf *into)
{
	struct saving saving = {.share = share, .into = into};
	struct state_head head = {.version = STATE_VERSION,
				  .is_begun = share->is_begun,
				  .is_openless = share->is_openless,
				  .root_type = inodes_find(share->inodes, INODE_ROOT)->type};
	int r = tell_note(share);

	r = r < 0 ? r : inodes_each(share->inodes, see_place, share);

	head.n_changes = changes_count(share->changes);
	head.is_missing = changes_is_missing(share->changes);
	head.n_inodes = inodes_count(share->inodes) - 1;
	head.last_inode = inodes_last(share->inodes);
	r = r < 0 ? r : share_append(into, &head, sizeof(head));
	r = r < 0 ? r : inodes_each(share->inodes, save_inode, &saving);
	return r < 0 ? r : changes_each(share->changes, save_change, &saving);
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

static bool is_part(struct slice part)
{
	return part.len > 0 && !(part.len == 1 && part.ptr[0] == '.') &&
	       !(part.len == 2 && part.ptr[0] == '.' && part.ptr[1] == '.');
}

/* Empty, or parts between slashes that lead nowhere but down. */
static bool is_name(struct slice name)
{
	if (name.len >= PATH_MAX || memchr(name.ptr, '\0', name.len))
		return false;
	while (name.len > 0) {
		const char *slash = memchr(name.ptr, '/', name.len);
		size_t len = slash ? (size_t)(slash - name.ptr) : name.len;

		if (!is_part(slice_of(name.ptr, len)) || (slash && len + 1 == name.len))
			return false;
		name = slice_skip(name, slash ? len + 1 : len);
	}
	return true;
}

static int take_inode(struct slice *state, struct state_inode *ret, struct slice *ret_name)
{
	int r = take(state, ret, sizeof(*ret));

	if (r < 0 || ret->name_len > state->len || !is_name(slice_of(state->ptr, ret->name_len)))
		return -EBADMSG;
	*ret_name = slice_of(state->ptr, ret->name_len);
	*state = slice_skip(*state, ret->name_len);
	return 0;
}

static int take_change(struct slice *state, struct state_change *ret, struct slice *ret_path)
{
	int r = take(state, ret, sizeof(*ret));

	if (r < 0 || ret->path_len > state->len || ret->path_len == 0 || ret->change >= CHANGE_KINDS ||
	    ret->path_len >= CHANGE_PATH_BYTES || memchr(state->ptr, '\0', ret->path_len))
		return -EBADMSG;
	*ret_path = slice_of(state->ptr, ret->path_len);
	*state = slice_skip(*state, ret->path_len);
	return 0;
}

static int check_changes(struct slice state, uint64_t count)
{
	struct state_change change;
	struct slice path;
	int r = count > CHANGES_MAX ? -EBADMSG : 0;

	for (uint64_t i = 0; r == 0 && i < count; i++)
		r = take_change(&state, &change, &path);
	return r == 0 && state.len == 0 ? 0 : -EBADMSG;
}

/* The whole of it is looked through before any of it is believed. */
static int check(const struct share *share, struct slice state, struct state_head *ret)
{
	struct state_inode inode;
	struct slice name;
	int r = take(&state, ret, sizeof(*ret));

	if (r < 0 || ret->version != STATE_VERSION || ret->n_inodes >= INODES_MAX ||
	    ret->root_type != inodes_find(share->inodes, INODE_ROOT)->type || ret->last_inode >> 62)
		return -EBADMSG;
	for (uint64_t i = 0; i < ret->n_inodes; i++)
		if (take_inode(&state, &inode, &name) < 0 || inode.id <= INODE_ROOT ||
		    inode.id > ret->last_inode || (inode.parent == 0) != (name.len == 0))
			return -EBADMSG;
	return check_changes(state, ret->n_changes);
}

static int load_inode(struct share *share, const struct state_inode *saved)
{
	const struct inode known = {.id = saved->id,
				    .n_lookups = saved->n_lookups,
				    .ino = saved->ino,
				    .born_ns = saved->born_ns,
				    .type = saved->type & S_IFMT};
	struct inode *inode;
	int r = inodes_restore(share->inodes, &known, &inode);

	if (r == 0)
		inode->watched.told = saved->told;
	return r;
}

/* When all are known; one whose folder is not stays without a place. */
static int load_place(struct share *share, const struct state_inode *saved, struct slice name)
{
	struct inode *inode = inodes_find(share->inodes, saved->id);
	struct inode *parent = inodes_find(share->inodes, saved->parent);
	char text[PATH_MAX];

	if (!inode || !parent || parent->type != S_IFDIR)
		return 0;
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	return inodes_put(share->inodes, inode, parent, text);
}

static void load_changes(struct share *share, struct slice state, const struct state_head *head)
{
	struct state_change change;
	char text[CHANGE_PATH_BYTES];
	struct slice path;

	if (head->is_missing)
		changes_miss(share->changes);
	for (uint64_t i = 0; i < head->n_changes && take_change(&state, &change, &path) == 0; i++) {
		memcpy(text, path.ptr, path.len);
		text[path.len] = '\0';
		changes_restore(share->changes, (enum change)change.change, text);
	}
}

int share_load(struct share *share, struct slice state)
{
	struct state_head head = {.version = 0};
	struct state_inode inode;
	struct slice name, rest;
	int r = check(share, state, &head);

	if (r < 0)
		return r;
	share->is_begun = head.is_begun != 0;
	share->is_openless = head.is_openless != 0;
	rest = slice_skip(state, sizeof(head));
	for (uint64_t i = 0; r != -ENOMEM && i < head.n_inodes; i++) {
		(void)take_inode(&rest, &inode, &name);
		r = load_inode(share, &inode);
	}
	rest = slice_skip(state, sizeof(head));
	for (uint64_t i = 0; r != -ENOMEM && i < head.n_inodes; i++) {
		(void)take_inode(&rest, &inode, &name);
		r = load_place(share, &inode, name);
	}
	load_changes(share, rest, &head);
	/* A number of the last life is not used for another file. */
	inodes_skip(share->inodes, head.last_inode);
	inodes_sweep(share->inodes);
	return r == -ENOMEM ? r : 0;
}
