#include "cli/agent.h"

#include "base/file.h"
#include "base/paths.h"
#include "base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { AGENTS_MAX = 64 };

static int take_words(struct agent_words *words, char *value, struct err *err)
{
	for (char *word = strtok(value, " \t"); word; word = strtok(NULL, " \t")) {
		if (words->count == AGENT_WORDS_MAX)
			return err_set(err, -E2BIG, "more than %d words", AGENT_WORDS_MAX);
		words->items[words->count++] = word;
	}
	return 0;
}

/* Words that go to npm as they are: an option among them would be for npm. */
static int take_packages(struct agent *agent, char *value, struct err *err)
{
	int r = take_words(&agent->npm, value, err);

	for (size_t i = 0; r == 0 && i < agent->npm.count; i++)
		if (agent->npm.items[i][0] == '-')
			return err_set(err, -EINVAL, "'%s' is not a package", agent->npm.items[i]);
	return r;
}

static bool is_below(const char *path)
{
	return path[0] != '\0' && path[0] != '/' && !strstr(path, "..") && path[strcspn(path, " \t")] == '\0';
}

static int take_file(struct agent *agent, const char *path, struct err *err)
{
	static char nothing[] = "";

	if (!is_below(path))
		return err_set(err, -EINVAL, "'%s' is not a path below the agent's home", path);
	if (agent->n_files == AGENT_FILES_MAX)
		return err_set(err, -E2BIG, "more than %d files", AGENT_FILES_MAX);
	agent->files[agent->n_files++] = (struct agent_file){.path = path, .content = nothing};
	return 0;
}

/* The lines of a file move together, over what stood in front of them: "| one\0| two\0" becomes
 * "one\ntwo\n". */
static int take_content(struct agent *agent, char *line, struct err *err)
{
	struct agent_file *file = agent->n_files > 0 ? &agent->files[agent->n_files - 1] : NULL;
	const char *text = line + (line[1] == ' ' ? 2 : 1);
	size_t len = strlen(text);
	char *end;

	if (!file)
		return err_set(err, -EINVAL, "there is no 'file' before it");
	if (file->content[0] == '\0')
		file->content = line;
	end = file->content == line ? line : file->content + strlen(file->content);
	memmove(end, text, len + 1);
	end[len] = '\n';
	end[len + 1] = '\0';
	return 0;
}

static int take_line(struct agent *agent, char *line, struct err *err)
{
	const struct {
		const char *key;
		struct agent_words *into;
	} lists[] = {{"flags", &agent->flags},
		     {"subcommands", &agent->subcommands},
		     {"hosts", &agent->hosts},
		     {"credentials", &agent->credentials},
		     {"install-hosts", &agent->install_hosts}};
	char *value;

	if (*line == '|')
		return take_content(agent, line, err);
	line += strspn(line, " \t");
	if (*line == '\0' || *line == '#')
		return 0;
	value = line + strcspn(line, " \t");
	if (*value != '\0')
		*value++ = '\0';
	value += strspn(value, " \t");
	for (size_t i = 0; i < array_len(lists); i++)
		if (strcmp(line, lists[i].key) == 0)
			return take_words(lists[i].into, value, err);
	if (strcmp(line, "summary") == 0)
		return 0;
	if (strcmp(line, "npm") == 0)
		return take_packages(agent, value, err);
	if (strcmp(line, "file") == 0)
		return take_file(agent, value, err);
	if (strcmp(line, "command") == 0 && *value != '\0') {
		agent->command = value;
		return 0;
	}
	if (strcmp(line, "words") == 0 && strcmp(value, "command") == 0) {
		agent->words_are_commands = true;
		return 0;
	}
	return err_set(err, -EINVAL, "cannot make sense of '%s %s'", line, value);
}

int agent_parse(struct slice text, struct agent *ret, struct err *err)
{
	char *at = ret->text;

	*ret = (struct agent){0};
	if (text.len >= sizeof(ret->text) || memchr(text.ptr, '\0', text.len))
		return err_set(err, -EFBIG, "it is longer than %zu bytes or not text", sizeof(ret->text) - 1);
	memcpy(ret->text, text.ptr, text.len);
	for (unsigned line = 1; at; line++) {
		char *next = strchr(at, '\n');
		int r;

		if (next)
			*next++ = '\0';
		r = take_line(ret, at, err);
		if (r < 0)
			return err_add(err, r, "line %u", line);
		at = next;
	}
	if (ret->n_files > 0 && ret->npm.count == 0)
		return err_set(err, -EINVAL, "it has a file but nothing to install");
	return ret->command ? 0 : err_set(err, -EINVAL, "it names no command");
}

static int open_agents(struct err *err)
{
	char path[PATH_ROOM_BYTES];
	int r = paths_program("agents", path, err);

	if (r < 0)
		return r;
	r = file_open_dir(AT_FDCWD, path);
	return r < 0 ? err_errno(err, r, "cannot open '%s'", path) : r;
}

static bool is_agent_name(const char *name)
{
	for (const char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '-')
			return false;
	return *name != '\0';
}

struct names {
	char *items[AGENTS_MAX + 1]; /* NULL-ended */
	size_t count;
};

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
}

static int unknown(int dir_fd, const char *name, struct err *err)
{
	__attribute__((cleanup(names_done))) struct names names = {0};
	auto_buf struct buf list = {0};
	DIR *dir = fdopendir(dup(dir_fd));
	const struct dirent *entry;
	const char *nearest;

	while (dir && names.count < AGENTS_MAX && (entry = readdir(dir)))
		if (is_agent_name(entry->d_name))
			names.items[names.count++] = strdup(entry->d_name);
	if (dir)
		closedir(dir);
	nearest = text_nearest(name, (const char *const *)names.items);
	for (size_t i = 0; i < names.count; i++)
		(void)buf_printf(&list, "%s%s", i > 0 ? ", " : "", names.items[i]);
	if (nearest)
		return err_set(err, -ENOENT, "unknown agent '%s': did you mean '%s'? (there is: %s)", name,
			       nearest, buf_text(&list));
	return err_set(err, -ENOENT, "unknown agent '%s' (there is: %s)", name, buf_text(&list));
}

int agent_load(const char *name, struct agent *ret, struct err *err)
{
	autofd int dir = open_agents(err);
	auto_buf struct buf text = {0};
	int r;

	if (dir < 0)
		return dir;
	r = is_agent_name(name) ? file_read(dir, name, AGENT_TEXT_BYTES, &text) : -ENOENT;
	if (r == -ENOENT)
		return unknown(dir, name, err);
	if (r < 0)
		return err_errno(err, r, "cannot read agent '%s'", name);
	r = agent_parse(buf_slice(&text), ret, err);
	return r < 0 ? err_add(err, r, "agent '%s'", name) : 0;
}

static bool has_word(const struct agent_words *words, const char *word)
{
	for (size_t i = 0; words->items[i]; i++)
		if (strcmp(words->items[i], word) == 0)
			return true;
	return false;
}

int agent_command(const struct agent *agent, char **args, int count, const char ***ret)
{
	bool is_bare = count > 0 && args[0][0] != '-';
	bool is_subcommand = is_bare && has_word(&agent->subcommands, args[0]);
	const char **argv = calloc((size_t)count + AGENT_WORDS_MAX + 2, sizeof(*argv));
	size_t at = 0;

	if (!argv)
		return -ENOMEM;
	if (!is_bare || !agent->words_are_commands)
		argv[at++] = agent->command;
	if (is_subcommand)
		argv[at++] = args[0];
	for (size_t i = 0; (!is_bare || is_subcommand) && agent->flags.items[i]; i++)
		argv[at++] = agent->flags.items[i];
	for (int i = is_subcommand; i < count; i++)
		argv[at++] = args[i];
	*ret = argv;
	return 0;
}
