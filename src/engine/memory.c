#include "engine/memory.h"

#include "base/buf.h"
#include "base/file.h"

#include <fcntl.h>
#include <string.h>

enum { FILE_MAX_BYTES = 4096 };

json_t *memory_recall(const struct paths *paths, const char *file, const char *key)
{
	autofd int cache = file_open_dir(AT_FDCWD, paths->cache);
	auto_buf struct buf text = {0};
	json_t *root, *value;
	const char *old_key;

	if (cache < 0 || file_read(cache, file, FILE_MAX_BYTES, &text) < 0)
		return NULL;
	root = json_loadb(buf_text(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	old_key = json_string_value(json_object_get(root, "key"));
	value = old_key && strcmp(old_key, key) == 0 ? json_incref(json_object_get(root, "value")) : NULL;
	json_decref(root);
	return value;
}

void memory_keep(const struct paths *paths, const char *file, const char *key, json_t *value)
{
	autofd int cache = file_open_dir(AT_FDCWD, paths->cache);
	json_t *root = value ? json_pack("{s:s, s:o}", "key", key, "value", value) : NULL;
	autofree char *text = root ? json_dumps(root, 0) : NULL;

	if (cache >= 0 && text)
		(void)file_write_atomic(cache, file, 0600, slice_text(text), NULL);
	json_decref(root);
}
