/*
 * sbx-store: keeps the values of secrets and says them to vaults. Started by sbx for one task, with the
 * rights and the environment of the person, because keychains and commands need them; sbx itself sees no
 * value.
 *
 *   put KEY                      keeps what a person types, or what standard input holds; prints where
 *   put KEY VARIABLE             the same from the environment
 *   drop KEY SOURCE              removes it
 *   describe                     prints where values are kept
 *   feed SANDBOX [SERVICE...]    tells a vault, by descriptor STORE_PIPE_FD
 */
#include "store/store-main.h"

#include "base/jail.h"
#include "base/log.h"
#include "store/feed.h"
#include "store/prompt.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static int read_value(const char *key, const char *variable, struct value *ret, struct err *err)
{
	char question[INDEX_KEY_BYTES + 32];
	const char *text = variable ? getenv(variable) : NULL;
	int r;

	if (variable) {
		r = text ? value_set(ret, slice_text(text)) : -ENOENT;
		if (r == -ENOENT)
			return err_set(err, r, "%s is not in the environment", variable);
	} else if (isatty(STDIN_FILENO)) {
		snprintf(question, sizeof(question), "Secret for %s: ", key);
		r = prompt_ask(question, ret, err);
		if (r < 0)
			return r;
	} else {
		r = value_read(ret, STDIN_FILENO, /* limit_ms= */ -1);
	}
	if (r == -EFBIG)
		ret->len = VALUE_ROOM_BYTES;
	else if (r < 0)
		return err_errno(err, r, "cannot read the secret");
	return value_check(ret, err);
}

static int put(struct store *store, char **words, struct err *err)
{
	auto_value struct value value = {0};
	enum index_source source;
	int r = words[0] ? value_init(&value, err) : -EINVAL;

	r = r < 0 ? r : read_value(words[0], words[1], &value, err);
	r = r < 0 ? r : store_put(store, words[0], &value, &source, err);
	if (r == 0)
		printf("%s%s\n", index_source_names[source],
		       store->is_until_restart ? STORE_UNTIL_RESTART : "");
	return r;
}

static int drop(struct store *store, char **words, struct err *err)
{
	if (!words[0] || !words[1])
		return -EINVAL;
	return store_drop(store, strcmp(words[1], "file") == 0 ? INDEX_FILE : INDEX_KEYCHAIN, words[0], err);
}

static int describe(struct store *store, char **words, struct err *err)
{
	auto_buf struct buf text = {0};
	int r = store_describe(store, &text, err);

	(void)words;
	if (r == 0)
		printf("%s\n", buf_text(&text));
	return r;
}

static int feed(struct store *store, char **words, struct err *err)
{
	const struct feed_wish wish = {
		.sandbox = words[0],
		.services = words[0] && words[1] ? words + 1 : NULL,
		.pipe = STORE_PIPE_FD,
		.log = fcntl(STORE_LOG_FD, F_GETFD) < 0 ? -1 : STORE_LOG_FD,
	};

	return words[0] ? feed_run(store->paths, &wish, err) : -EINVAL;
}

static const struct verb {
	const char *name;
	int (*obey)(struct store *store, char **words, struct err *err);
} verbs[] = {{"put", put}, {"drop", drop}, {"describe", describe}, {"feed", feed}};

static int obey(char **words, struct err *err)
{
	static struct paths paths;
	auto_store struct store store;
	int r = paths_open(&paths, err);

	store_init(&store, &paths);
	for (size_t i = 0; r == 0 && i < array_len(verbs); i++)
		if (strcmp(words[0], verbs[i].name) == 0)
			return verbs[i].obey(&store, words + 1, err);
	return r < 0 ? r : -EINVAL;
}

/* Nobody looks in, and nothing of it is left. What else the person may do, keychains and commands may need.
 */
static int give_up(void)
{
	int r = jail_limit(RLIMIT_CORE, 0);

	return r < 0 || prctl(PR_SET_DUMPABLE, 0) == 0 ? r : -errno;
}

int main(int argc, char **argv)
{
	struct err err = {.text = ""};

	log_open("sbx");
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || give_up() < 0) {
		log_line("this program is started by sbx");
		return 2;
	}
	if (obey(argv + 1, &err) == 0)
		return EXIT_SUCCESS;
	log_line("%s", *err.text ? err.text : "this program is started by sbx");
	return EXIT_FAILURE;
}
