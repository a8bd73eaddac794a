#include "share/gitconfig.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Reads byte by byte as git's own config.c does: what it takes for one thing must not be another here. */
struct gitconfig {
	struct slice rest;
	size_t section_len; /* of key: "section." or "section.subsection." */
	char key[GITCONFIG_KEY_BYTES];
	char *value; /* as long as the text */
};

int gitconfig_new(struct slice text, struct gitconfig **ret)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct gitconfig *config = calloc(1, sizeof(*config));

	if (!config)
		return -ENOMEM;
	config->value = malloc(text.len + 1);
	if (!config->value) {
		free(config);
		return -ENOMEM;
	}
	if (text.len >= strlen(mark) && memcmp(text.ptr, mark, strlen(mark)) == 0)
		text = slice_skip(text, strlen(mark));
	config->rest = text;
	*ret = config;
	return 0;
}

void gitconfig_free(struct gitconfig *config)
{
	if (!config)
		return;
	free(config->value);
	free(config);
}

static void free_config(struct gitconfig **config)
{
	gitconfig_free(*config);
}
#define auto_gitconfig __attribute__((cleanup(free_config)))

/* The next byte; a line end for CR LF and for the end of the text; -1 past that. */
static int next(struct gitconfig *config)
{
	int byte;

	if (config->rest.len == 0)
		return -1;
	byte = (unsigned char)*config->rest.ptr;
	config->rest = slice_skip(config->rest, 1);
	if (byte == '\r' && config->rest.len > 0 && *config->rest.ptr == '\n') {
		config->rest = slice_skip(config->rest, 1);
		return '\n';
	}
	return byte;
}

static int add(struct gitconfig *config, size_t *len, int byte)
{
	if (*len + 1 >= sizeof(config->key))
		return -EBADMSG;
	config->key[(*len)++] = (char)byte;
	config->key[*len] = '\0';
	return 0;
}

static bool is_key_byte(int byte)
{
	return byte >= 0 && byte < 0x80 && (isalnum(byte) || byte == '-');
}

static bool is_blank(int byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

/* From behind the blank that follows the section's name: "subsection"]. */
static int read_subsection(struct gitconfig *config, size_t *len)
{
	int byte = next(config), r;

	while (is_blank(byte))
		byte = next(config);
	if (byte != '"' || add(config, len, '.') < 0)
		return -EBADMSG;
	while ((byte = next(config)) != '"') {
		if (byte == '\\')
			byte = next(config);
		if (byte <= 0 || byte == '\n')
			return -EBADMSG;
		r = add(config, len, byte);
		if (r < 0)
			return r;
	}
	return next(config) == ']' ? 0 : -EBADMSG;
}

static int read_section(struct gitconfig *config)
{
	size_t len = 0;
	int byte, r = 0;

	while (r == 0 && (byte = next(config)) != ']') {
		if (is_blank(byte)) {
			r = read_subsection(config, &len);
			break;
		}
		if (!is_key_byte(byte) && byte != '.')
			return -EBADMSG;
		r = add(config, &len, tolower(byte));
	}
	if (r == 0 && len == 0)
		return -EBADMSG;
	r = r < 0 ? r : add(config, &len, '.');
	config->section_len = len;
	return r;
}

/* 1 where a byte was added, 0 where the line goes on behind this one, -EBADMSG. */
static int unescape(int byte, char *into)
{
	static const char from[] = "tbn\\\"", to[] = "\t\b\n\\\"";
	const char *at = byte > 0 ? strchr(from, byte) : NULL;

	if (byte == '\n')
		return 0;
	if (!at)
		return -EBADMSG;
	*into = to[at - from];
	return 1;
}

static int read_value(struct gitconfig *config)
{
	bool is_quoted = false, is_comment = false;
	size_t len = 0, trimmed = 0;

	for (;;) {
		int byte = next(config);

		if (byte < 0 || byte == '\n') {
			config->value[trimmed] = '\0';
			return is_quoted ? -EBADMSG : 1;
		}
		if (byte == 0)
			return -EBADMSG;
		if (is_comment || (!is_quoted && is_blank(byte) && len == 0))
			continue;
		if (!is_quoted && (byte == ';' || byte == '#')) {
			is_comment = true;
			continue;
		}
		if (byte == '"') {
			is_quoted = !is_quoted;
			trimmed = len;
			continue;
		}
		if (byte == '\\') {
			int r = unescape(next(config), &config->value[len]);

			if (r < 0)
				return r;
			len += (size_t)r;
			trimmed = r > 0 ? len : trimmed;
			continue;
		}
		config->value[len++] = (char)byte;
		if (is_quoted || !is_blank(byte))
			trimmed = len;
	}
}

static int read_variable(struct gitconfig *config, int byte)
{
	size_t len = config->section_len;

	if (len == 0)
		return -EBADMSG;
	for (; is_key_byte(byte); byte = next(config))
		if (add(config, &len, tolower(byte)) < 0)
			return -EBADMSG;
	while (byte == ' ' || byte == '\t')
		byte = next(config);
	config->value[0] = '\0';
	if (byte < 0 || byte == '\n')
		return 1;
	return byte == '=' ? read_value(config) : -EBADMSG;
}

int gitconfig_next(struct gitconfig *config, struct gitconfig_entry *ret)
{
	bool is_comment = false;
	int byte, r = 0;

	*ret = (struct gitconfig_entry){config->key, config->value};
	while (r == 0 && (byte = next(config)) >= 0) {
		if (byte == '\n')
			is_comment = false;
		else if (is_comment || is_blank(byte))
			continue;
		else if (byte == '#' || byte == ';')
			is_comment = true;
		else if (byte == '[')
			r = read_section(config);
		else
			r = byte < 0x80 && isalpha(byte) ? read_variable(config, byte) : -EBADMSG;
	}
	return r;
}

/* ---- what is harmless ---- */

static bool any(const char *value, const struct gitconfig_place *place)
{
	(void)value, (void)place;
	return true;
}

static bool starts_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* What git speaks itself; "helper::address" and schemes that it does not know are programs of that name. */
static bool is_plain_url(const char *value, const struct gitconfig_place *place)
{
	static const char *const schemes[] = {"https", "http", "ssh", "git", "file", "git+ssh", "ssh+git"};
	size_t len = strcspn(value, ":");

	(void)place;
	if (value[0] == '-')
		return false;
	if (value[len] != ':' || memchr(value, '/', len))
		return true;
	if (value[len + 1] == ':')
		return false;
	if (!starts_with(value + len, "://"))
		return true;
	for (size_t i = 0; i < array_len(schemes); i++)
		if (strlen(schemes[i]) == len && strncasecmp(value, schemes[i], len) == 0)
			return true;
	return false;
}

/* A submodule's: up and out of the repository's folder, not above the shared one, and down again. */
static bool is_own_worktree(const char *value, const struct gitconfig_place *place)
{
	unsigned up = 0;

	while (starts_with(value, "../")) {
		value += 3;
		up++;
	}
	if (up < place->up_min || up > place->up_max || *value == '\0' || *value == '/')
		return false;
	for (const char *part = value; *part; part += strspn(part, "/")) {
		size_t len = strcspn(part, "/");

		if ((len == 2 && strncmp(part, "..", 2) == 0) ||
		    (len == 4 && strncasecmp(part, ".git", 4) == 0))
			return false;
		part += len;
	}
	return true;
}

/* "!command" is the one that executes. */
static bool is_plain_update(const char *value, const struct gitconfig_place *place)
{
	static const char *const known[] = {"checkout", "rebase", "merge", "none"};

	(void)place;
	for (size_t i = 0; i < array_len(known); i++)
		if (strcmp(value, known[i]) == 0)
			return true;
	return false;
}

/* What `git lfs install --local` writes. */
static bool is_lfs(const char *value, const struct gitconfig_place *place)
{
	static const char *const known[] = {"git-lfs clean -- %f", "git-lfs smudge -- %f",
					    "git-lfs filter-process", "true"};

	(void)place;
	for (size_t i = 0; i < array_len(known); i++)
		if (strcmp(value, known[i]) == 0)
			return true;
	return false;
}

/* * stands for any subsection, also one with dots in it. Keys that are not here are not harmless. */
static const struct {
	const char *section, *keys;
	bool (*is_harmless)(const char *value, const struct gitconfig_place *place);
} harmless[] = {
	{"core.",
	 " repositoryformatversion filemode bare logallrefupdates ignorecase precomposeunicode symlinks "
	 "autocrlf "
	 "eol safecrlf quotepath abbrev sparsecheckout sparsecheckoutcone untrackedcache trustctime "
	 "checkstat "
	 "splitindex commitgraph multipackindex preloadindex bigfilethreshold compression loosecompression "
	 "packedgitwindowsize packedgitlimit deltabasecachelimit longpaths whitespace "
	 "sharedrepository fsync fsyncmethod warnambiguousrefs notesref commentchar ",
	 any},
	{"core.", " worktree ", is_own_worktree},
	{"user.", " name email useconfigonly ", any},
	{"author.", " name email ", any},
	{"committer.", " name email ", any},
	{"commit.", " gpgsign verbose status cleanup ", any},
	{"remote.*.",
	 " fetch push mirror tagopt prune prunetags skipdefaultupdate skipfetchall promisor "
	 "partialclonefilter "
	 "followremotehead ",
	 any},
	{"remote.*.", " url pushurl ", is_plain_url},
	{"remote.", " pushdefault ", is_plain_url},
	{"branch.*.", " merge rebase description vscode-merge-base gh-merge-base github-pr-owner-number ",
	 any},
	{"branch.*.", " remote pushremote ", is_plain_url},
	{"branch.", " autosetupmerge autosetuprebase sort ", any},
	{"submodule.*.", " active branch fetchrecursesubmodules ignore shallow ", any},
	{"submodule.*.", " url ", is_plain_url},
	{"submodule.*.", " update ", is_plain_update},
	{"submodule.",
	 " active recurse fetchjobs alternatelocation alternateerrorstrategy propagatebranches ", any},
	{"extensions.",
	 " worktreeconfig objectformat compatobjectformat partialclone refstorage noop preciousobjects "
	 "relativeworktrees ",
	 any},
	{"init.", " defaultbranch ", any},
	{"pull.", " rebase ff ", any},
	{"push.", " default autosetupremote followtags useforceifincludes ", any},
	{"fetch.",
	 " prune prunetags parallel writecommitgraph output negotiationalgorithm fsckobjects "
	 "recursesubmodules "
	 "showforcedupdates ",
	 any},
	{"rebase.",
	 " autosquash autostash stat updaterefs missingcommitscheck abbreviatecommands instructionformat "
	 "backend ",
	 any},
	{"merge.",
	 " conflictstyle ff renames renamelimit log stat verbosity branchdesc autostash directoryrenames ",
	 any},
	{"diff.",
	 " algorithm renames renamelimit mnemonicprefix noprefix colormoved colormovedws context "
	 "interhunkcontext submodule ignoresubmodules wserrorhighlight suppressblankempty indentheuristic "
	 "relative autorefreshindex ",
	 any},
	{"status.",
	 " short branch showuntrackedfiles relativepaths showstash aheadbehind renames renamelimit "
	 "submodulesummary ",
	 any},
	{"log.", " date decorate follow abbrevcommit showroot diffmerges ", any},
	{"tag.", " sort ", any},
	{"gc.",
	 " auto autopacklimit autodetach logexpiry packrefs pruneexpire reflogexpire reflogexpireunreachable "
	 "worktreepruneexpire writecommitgraph cruftpacks bigpackthreshold aggressivedepth aggressivewindow ",
	 any},
	{"pack.",
	 " threads window depth compression windowmemory deltacachesize packsizelimit usebitmaps usesparse "
	 "indexversion writereverseindex writebitmaphashcache ",
	 any},
	{"index.", " version threads recordendofindexentries recordoffsettable sparse skiphash ", any},
	{"maintenance.", " auto strategy autodetach ", any},
	{"maintenance.*.", " enabled schedule ", any},
	{"feature.", " manyfiles experimental ", any},
	{"checkout.", " defaultremote guess workers thresholdforparallelism ", any},
	{"worktree.", " guessremote userelativepaths ", any},
	{"rerere.", " enabled autoupdate ", any},
	{"stash.", " showpatch showstat showincludeuntracked ", any},
	{"apply.", " whitespace ignorewhitespace ", any},
	{"receive.", " denycurrentbranch denynonfastforwards denydeletes fsckobjects ", any},
	{"transfer.", " fsckobjects hiderefs ", any},
	{"protocol.", " version ", any},
	{"http.", " postbuffer version lowspeedlimit lowspeedtime ", any},
	{"lfs.", " repositoryformatversion ", any},
	{"lfs.*.", " access locksverify ", any},
	{"filter.lfs.", " clean smudge process required ", is_lfs},
	{"advice.", NULL, any},
	{"color.", NULL, any},
	{"color.*.", NULL, any},
};

/* Splits "section.sub.section.key"; *ret_key is its last part. */
static bool is_in_section(const char *key, const char *section, const char **ret_key)
{
	const char *star = strchr(section, '*');
	const char *last = strrchr(key, '.');
	size_t len = star ? (size_t)(star - section) : strlen(section);

	if (!last || strncmp(key, section, len) != 0)
		return false;
	*ret_key = last + 1;
	return star ? last >= key + len : last + 1 == key + len;
}

static bool is_word_of(const char *word, const char *words)
{
	size_t len = strlen(word);

	for (const char *at = strstr(words, word); at; at = strstr(at + 1, word))
		if (at > words && at[-1] == ' ' && at[len] == ' ')
			return true;
	return false;
}

static bool is_harmless(const struct gitconfig_entry *entry, const struct gitconfig_place *place)
{
	const char *key;

	for (size_t i = 0; i < array_len(harmless); i++)
		if (is_in_section(entry->key, harmless[i].section, &key) &&
		    (!harmless[i].keys || is_word_of(key, harmless[i].keys)))
			if (harmless[i].is_harmless(entry->value, place))
				return true;
	return false;
}

/* One that git would not read holds nothing. */
static bool holds(struct slice text, const struct gitconfig_entry *wanted)
{
	auto_gitconfig struct gitconfig *config = NULL;
	struct gitconfig_entry entry;

	if (text.len > GITCONFIG_MAX_BYTES || gitconfig_new(text, &config) < 0)
		return false;
	while (gitconfig_next(config, &entry) > 0)
		if (strcmp(entry.key, wanted->key) == 0 && strcmp(entry.value, wanted->value) == 0)
			return true;
	return false;
}

int gitconfig_check(struct slice text, struct slice old, const struct gitconfig_place *place,
		    char ret_key[GITCONFIG_KEY_BYTES])
{
	auto_gitconfig struct gitconfig *config = NULL;
	struct gitconfig_entry entry;
	int r = text.len > GITCONFIG_MAX_BYTES ? -EFBIG : gitconfig_new(text, &config);

	if (r < 0)
		return r;
	while ((r = gitconfig_next(config, &entry)) > 0) {
		if (is_harmless(&entry, place) || holds(old, &entry))
			continue;
		strcpy(ret_key, entry.key);
		return -EACCES;
	}
	return r;
}
