#include "share/guard-parts.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>

enum { NOTE_TEXT_MAX_BYTES = 800 };

static const char *const act_names[ACTS] = {
	[ACT_CREATE] = "create",    [ACT_MKDIR] = "mkdir",      [ACT_SYMLINK] = "symlink",
	[ACT_LINK] = "link",        [ACT_WRITE] = "write",      [ACT_CHANGE] = "change",
	[ACT_UNLINK] = "unlink",    [ACT_RMDIR] = "rmdir",      [ACT_LINK_FROM] = "link",
	[ACT_MOVE_FROM] = "rename", [ACT_MOVE_ONTO] = "rename",
};

static uint64_t hash_more(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
	return hash * 0x100000001b3ULL;
}

static uint64_t hash_of(const char *path, const char *act, const char *detail)
{
	uint64_t hash = hash_more(0xcbf29ce484222325ULL, path);

	hash = hash_more(hash, act);
	return detail ? hash_more(hash, detail) : hash;
}

/* The guest decides how often it is refused something, but not how much is written about it. */
static bool is_new(struct guard *guard, uint64_t hash)
{
	struct guard_note *oldest = &guard->notes[0];
	int64_t now = clock_ms();

	for (size_t i = 0; i < GUARD_NOTES_MAX; i++) {
		struct guard_note *note = &guard->notes[i];

		if (note->hash == hash && now - note->at_ms < GUARD_NOTE_AGAIN_MS)
			return false;
		if (note->at_ms < oldest->at_ms)
			oldest = note;
	}
	if (oldest->hash && now - oldest->at_ms < GUARD_NOTE_AGAIN_MS)
		return false;
	*oldest = (struct guard_note){.hash = hash, .at_ms = now};
	return true;
}

/* What can be printed needs two more bytes to be a string of JSON. */
static int append_string(struct buf *into, const char *text)
{
	size_t len = strlen(text);
	auto_buf struct buf shown = {0};
	int r = text_printable(&shown, slice_of(text, len < NOTE_TEXT_MAX_BYTES ? len : NOTE_TEXT_MAX_BYTES),
			       /* keep_newlines= */ false);

	r = r < 0 ? r : buf_append(into, slice_text("\""));
	for (size_t i = 0; r == 0 && i < shown.len; i++) {
		char letter = buf_text(&shown)[i];

		if (letter == '"' || letter == '\\')
			r = buf_append(into, slice_text("\\"));
		r = r < 0 ? r : buf_append(into, slice_of(&letter, 1));
	}
	return r < 0 ? r : buf_append(into, slice_text("\""));
}

int guard_refuse(struct share *share, const char *path, enum judge_act act, const char *detail_name,
		 const char *detail)
{
	struct guard *guard = &share->guard;
	auto_buf struct buf note = {0};
	int r;

	if (!guard->on_note || !is_new(guard, hash_of(path, act_names[act], detail)))
		return -EACCES;
	r = buf_append(&note, slice_text("{\"event\":\"guard\",\"path\":"));
	r = r < 0 ? r : append_string(&note, path);
	r = r < 0 ? r : buf_printf(&note, ",\"operation\":\"%s\"", act_names[act]);
	if (r == 0 && detail) {
		r = buf_printf(&note, ",\"%s\":", detail_name);
		r = r < 0 ? r : append_string(&note, detail);
	}
	r = r < 0 ? r : buf_append(&note, slice_text("}"));
	if (r == 0)
		guard->on_note(guard->owner, buf_slice(&note));
	return -EACCES;
}

void share_on_note(struct share *share, void (*on_note)(void *owner, struct slice note), void *owner)
{
	share->guard.on_note = on_note;
	share->guard.owner = owner;
}
