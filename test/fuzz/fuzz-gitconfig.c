/* A git configuration: nothing is read past its end, and what is taken as harmless names nothing that
 * executes. */
#include "share/gitconfig.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

#include "fuzz.h"

static bool executes(const char *key)
{
	static const char *const known[] = {"core.hookspath", "core.sshcommand", "core.fsmonitor",
					    "core.editor",    "core.pager",      "include.path",
					    "gpg.program",    "diff.external"};

	for (size_t i = 0; i < array_len(known); i++)
		if (strcmp(key, known[i]) == 0)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct gitconfig_place place = {.up_min = 1, .up_max = 2};
	struct slice text = slice_of(bytes, len);
	char key[GITCONFIG_KEY_BYTES] = "";
	struct gitconfig_entry entry;
	struct gitconfig *config;
	int r = gitconfig_check(text, slice_text(""), &place, key);

	property((r == -EACCES) == (key[0] != '\0'));
	if (r != 0)
		return 0;
	if (gitconfig_new(text, &config) < 0)
		return 0;
	while (gitconfig_next(config, &entry) > 0)
		property(!executes(entry.key) && strchr(entry.key, '.'));
	gitconfig_free(config);
	/* What is harmless by itself stays so beside what was there. */
	property(gitconfig_check(text, text, &place, key) == 0);
	return 0;
}
