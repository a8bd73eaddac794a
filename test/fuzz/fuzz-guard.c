/*
 * The person's rules, line by line, against a path, which is the last line: nothing breaks, and no spelling
 * in other case gets around the table.
 */
#include "share/judge.h"

#include "fuzz.h"

static bool never(struct slice folder, void *data)
{
	(void)folder, (void)data;
	return false;
}

static char folded(char letter)
{
	return (char)(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct judge_view view = {.is_repository = never, .is_git = never};
	struct slice path = slice_of(bytes, len);
	struct judge_rules rules = {0}, none = {0};
	auto_buf struct buf lower = {0};
	char *end;

	while (path.len > 0 && (end = memchr(path.ptr, '\n', path.len))) {
		struct slice line = slice_of(path.ptr, (size_t)(end - path.ptr));

		(void)judge_add(&rules, line);
		path = slice_skip(path, line.len + 1);
	}
	for (size_t i = 0; i < path.len; i++) {
		char letter = folded(path.ptr[i]);

		property(buf_append(&lower, slice_of(&letter, 1)) == 0);
	}
	(void)judge_path(&rules, path, false, &view);
	(void)judge_path(&rules, path, true, &view);
	/* Without rules, case makes no difference. */
	property(judge_path(&none, path, false, &view) == judge_path(&none, buf_slice(&lower), false, &view));
	judge_done(&rules);
	return 0;
}
