#include "share/gitconfig.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const struct gitconfig_place top = {.up_min = 1, .up_max = 1};

/* "key=value;key=value", as it is read; "!" where git would not read it. */
static void assert_reads(struct slice text, const char *expected)
{
	struct gitconfig_entry entry;
	struct gitconfig *config;
	char found[512] = "";
	int r;

	assert_int_equal(gitconfig_new(text, &config), 0);
	while ((r = gitconfig_next(config, &entry)) > 0)
		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s=%s;", entry.key,
			 entry.value);
	if (r < 0)
		strcat(found, "!");
	gitconfig_free(config);
	assert_string_equal(found, expected);
}

static void test_reads(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"", ""},
		{"[core]\n\tbare = false\n", "core.bare=false;"},
		{"\xef\xbb\xbf[a]b=c", "a.b=c;"},
		{"[core] bare = true\n", "core.bare=true;"},
		{"[CORE]BARE", "core.bare=;"},
		{"[a]\nb\n", "a.b=;"},
		{"[remote \"Or.ig\"]\n\turl = x\r\n", "remote.Or.ig.url=x;"},
		{"[remote  \"a\\\"b\\c\"]\nurl=x", "remote.a\"bc.url=x;"},
		{"[Remote.Sub]\nurl=x", "remote.sub.url=x;"},
		{"# c\n; d\n[a] ; e\nb = c # d\n e = \"c # d\" ;f\n", "a.b=c;a.e=c # d;"},
		{"[a]\nb = x\\\ny\nc=1", "a.b=xy;a.c=1;"},
		{"[a]\nb = \" x \" y  \n", "a.b= x  y;"},
		{"[a]\nb = x\\ty\\n\\\\\\\"", "a.b=x\ty\n\\\";"},
		{"[a]\nb = x # \\\nc = d\n", "a.b=x;a.c=d;"},
		{"[a]b=c[d]e=f", "a.b=c[d]e=f;"},
		{"b=c", "!"},
		{"[a\nb=c", "!"},
		{"[a \"b\n\"]\nb=c", "!"},
		{"[a \"b\"x]\nb=c", "!"},
		{"[a]\n1b=c", "!"},
		{"[a]\nb c\n", "!"},
		{"[a]\nb=\"c\n", "!"},
		{"[a]\nb=\\x\n", "!"},
		{"[a b]\nc=d", "!"},
	};
	char long_text[1200] = "[";

	(void)state;
	for (size_t i = 0; i < array_len(cases); i++)
		assert_reads(slice_text(cases[i].text), cases[i].expected);
	assert_reads(slice_of("[a]\nb=c\0d", 9), "!");
	memset(long_text + 1, 'a', 1100);
	strcpy(long_text + 1101, "]b=c");
	assert_reads(slice_text(long_text), "!");
}

static void assert_judged(const char *text, const char *old, const struct gitconfig_place *place,
			  const char *refused)
{
	char key[GITCONFIG_KEY_BYTES] = "";
	int r = gitconfig_check(slice_text(text), slice_text(old), place, key);

	if (r != (refused ? -EACCES : 0))
		print_error("%s: %d %s\n", text, r, key);
	assert_int_equal(r, refused ? -EACCES : 0);
	assert_string_equal(key, refused ? refused : "");
}

static void test_ordinary(void **state)
{
	static const char *const good[] = {
		"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = "
		"false\n\tlogallrefupdates = true\n",
		"[remote \"origin\"]\n\turl = https://example.com/a/b.git\n\tfetch = "
		"+refs/heads/*:refs/remotes/origin/*\n",
		"[remote \"o\"]\nurl = git@example.com:a/b.git\npushurl = ssh://git@example.com/a\n",
		"[remote \"o\"]\nurl = ../other\n[remote \"p\"]\nurl = /srv/git/x.git\n",
		"[remote \"o\"]\nurl = ./a:b\n",
		"[branch \"main\"]\n\tremote = origin\n\tmerge = refs/heads/main\n\trebase = true\n",
		"[user]\n\tname = A\n\temail = a@example.com\n",
		"[submodule \"lib/x\"]\n\turl = https://example.com/x\n\tactive = true\n\tupdate = rebase\n",
		"[extensions]\n\tworktreeConfig = true\n",
		"[color \"diff\"]\nmeta = yellow\n[color]\nui = auto\n[advice]\ndetachedHead = false\n",
		"[filter \"lfs\"]\nclean = git-lfs clean -- %f\nsmudge = git-lfs smudge -- %f\nrequired = "
		"true\n",
		"[lfs \"https://example.com/a.git/info/lfs\"]\n\taccess = basic\n",
	};

	(void)state;
	for (size_t i = 0; i < array_len(good); i++)
		assert_judged(good[i], "", &top, NULL);
}

static void test_what_executes(void **state)
{
	static const struct {
		const char *text, *key;
	} bad[] = {
		{"[core]\nhooksPath = /tmp\n", "core.hookspath"},
		{"[core]\nfsmonitor = x\n", "core.fsmonitor"},
		{"[CORE]\nSSHCommand = x\n", "core.sshcommand"},
		{"[core]\neditor = x\n", "core.editor"},
		{"[core] pager = x\n", "core.pager"},
		{"[core \"x\"]\nbare = true\n", "core.x.bare"},
		{"[core]\ngitproxy=x", "core.gitproxy"},
		{"[core]\nattributesfile=x", "core.attributesfile"},
		{"[alias]\nst = !x\n", "alias.st"},
		{"[include]\npath = x\n", "include.path"},
		{"[includeIf \"gitdir:/\"]\npath = x\n", "includeif.gitdir:/.path"},
		{"[filter \"x\"]\nsmudge = y\n", "filter.x.smudge"},
		{"[filter \"lfs\"]\nsmudge = y\n", "filter.lfs.smudge"},
		{"[filter]\nlfs.smudge = y\n", NULL},
		{"[diff \"x\"]\ntextconv = y\n", "diff.x.textconv"},
		{"[diff]\nexternal = y\n", "diff.external"},
		{"[merge \"x\"]\ndriver = y\n", "merge.x.driver"},
		{"[gpg]\nprogram = y\n", "gpg.program"},
		{"[credential]\nhelper = y\n", "credential.helper"},
		{"[url \"http://x/\"]\ninsteadOf = https://y/\n", "url.http://x/.insteadof"},
		{"[uploadpack]\npackObjectsHook = y\n", "uploadpack.packobjectshook"},
		{"[gc]\nrecentObjectsHook = y\n", "gc.recentobjectshook"},
		{"[remote \"o\"]\nurl = ext::sh -c x\n", "remote.o.url"},
		{"[remote \"o\"]\nurl = codecommit://x\n", "remote.o.url"},
		{"[remote \"o\"]\nurl = -oProxyCommand=x:y\n", "remote.o.url"},
		{"[remote \"o\"]\nuploadpack = x\n", "remote.o.uploadpack"},
		{"[remote \"o\"]\nvcs = x\n", "remote.o.vcs"},
		{"[remote \"o\"]\nproxy = x\n", "remote.o.proxy"},
		{"[branch \"b\"]\nremote = ext::x\n", "branch.b.remote"},
		{"[submodule \"s\"]\nupdate = !x\n", "submodule.s.update"},
		{"[submodule \"s\"]\nurl = ext::x\n", "submodule.s.url"},
		{"[http]\nproxy = x\n", "http.proxy"},
		{"[http \"https://x\"]\nsslVerify = false\n", "http.https://x.sslverify"},
		{"[sequence]\neditor = x\n", "sequence.editor"},
		{"[protocol \"ext\"]\nallow = always\n", "protocol.ext.allow"},
		{"[core]\nbare = false # \\\n[x]\nhooks\n", "x.hooks"},
		{"[core]\nbare = \"a\\\"\n", NULL},
	};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		char key[GITCONFIG_KEY_BYTES];

		if (bad[i].key)
			assert_judged(bad[i].text, "", &top, bad[i].key);
		else
			assert_int_equal(gitconfig_check(slice_text(bad[i].text), slice_text(""), &top, key),
					 -EBADMSG);
	}
}

/* A person's own settings do not keep git from writing its configuration anew. */
static void test_what_was_there(void **state)
{
	static const char old[] = "[core]\n\tsshCommand = ssh -i key\n[alias]\n\tst = status\n";

	(void)state;
	assert_judged("[alias]\nst = status\n[core]\nSSHCOMMAND = \"ssh -i key\"\nbare = false\n", old, &top,
		      NULL);
	assert_judged("[alias]\nst = !rm\n", old, &top, "alias.st");
	assert_judged("[core]\nsshcommand = ssh -i key2\n", old, &top, "core.sshcommand");
	assert_judged("[core]\nsshcommand = ssh -i key\n", "[broken", &top, "core.sshcommand");
}

static void test_worktree(void **state)
{
	/* .git/modules/lib of a workspace that is the shared folder itself */
	static const struct gitconfig_place module = {.up_min = 3, .up_max = 3},
					    deeper = {.up_min = 3, .up_max = 4};
	static const char *const bad[] = {
		"/home/user", "../../hooks", "../../../../x", "../../../x/../../y", "../../../a/.Git",
		"../../../",  "x",           "../../..",      "../../..//etc",      "../../../x/.."};
	char text[128];

	(void)state;
	assert_judged("[core]\nworktree = ../../../lib\n", "", &module, NULL);
	assert_judged("[core]\nworktree = ../../../../lib/x\n", "", &deeper, NULL);
	for (size_t i = 0; i < array_len(bad); i++) {
		snprintf(text, sizeof(text), "[core]\nworktree = %s\n", bad[i]);
		assert_judged(text, "", &module, "core.worktree");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),         cmocka_unit_test(test_ordinary),
		cmocka_unit_test(test_what_executes), cmocka_unit_test(test_what_was_there),
		cmocka_unit_test(test_worktree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
