#include "cli/secret.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"
#include "store/store-main.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 80, ANSWER_MAX_BYTES = 8192, ASK_LIMIT_MS = 15000 };

static int start(const char *const *words, const int *fds, size_t n_fds, pid_t *ret_pid, struct err *err)
{
	const char *argv[WORDS_MAX + 2] = {"sbx-store"};
	char program[PATH_ROOM_BYTES], folder[PATH_ROOM_BYTES];
	struct spawn spawn = {.program = program,
			      .argv = argv,
			      .env = (const char *const *)environ,
			      .dir = getcwd(folder, sizeof(folder)),
			      .n_fds = n_fds};
	int r = paths_program("sbx-store", program, err);

	for (size_t i = 0; words[i] && i < WORDS_MAX; i++)
		argv[i + 1] = words[i];
	memcpy(spawn.fds, fds, n_fds * sizeof(*fds));
	return r < 0 ? r : spawn_start(&spawn, ret_pid, err);
}

static int open_pipe(int *ret_read, int *ret_write, struct err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot make a pipe");
	*ret_read = ends[0];
	*ret_write = ends[1];
	return 0;
}

static void cut_newline(struct buf *buf)
{
	if (buf->len > 0 && buf_text(buf)[buf->len - 1] == '\n')
		buf_cut(buf, buf->len - 1);
}

/* Where nobody is to be asked there is a limit; a person may take as long as it takes. */
static int finish(pid_t pid, bool has_limit, struct err *err)
{
	int status = 0;
	int r = spawn_wait(pid, has_limit ? ASK_LIMIT_MS : -1, &status);

	if (r == -ETIME) {
		kill(pid, SIGKILL);
		(void)spawn_wait(pid, -1, &status);
		return err_set(err, r, "what keeps secrets does not answer");
	}
	if (r < 0)
		return err_errno(err, r, "cannot wait for what keeps secrets");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EREMOTEIO;
}

int secret_store_ask(const char *const *words, struct buf *ret, struct buf *why, struct err *err)
{
	autofd int answer = -1, answer_end = -1, said = -1, said_end = -1;
	pid_t pid;
	int r = open_pipe(&answer, &answer_end, err);

	if (r == 0 && why)
		r = open_pipe(&said, &said_end, err);
	if (r == 0) {
		const int fds[] = {why ? -1 : STDIN_FILENO, answer_end, why ? said_end : STDERR_FILENO};

		r = start(words, fds, array_len(fds), &pid, err);
	}
	if (r < 0)
		return r;
	close(steal_fd(&answer_end));
	if (said_end >= 0)
		close(steal_fd(&said_end));
	/* Both answers are short enough for a pipe to hold. */
	r = finish(pid, why != NULL, err);
	(void)fd_read_all(answer, ANSWER_MAX_BYTES, ret);
	if (why)
		(void)fd_read_all(said, ANSWER_MAX_BYTES, why);
	cut_newline(ret);
	if (why)
		cut_newline(why);
	return r;
}

/* What it says once no terminal is there to hear it: begun anew at each start. */
static int open_log(const struct paths *paths, const char *sandbox, bool is_new)
{
	char path[PATH_ROOM_BYTES + 128];

	snprintf(path, sizeof(path), "%s/sandboxes/%.64s/secrets.log", paths->data, sandbox);
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | (is_new ? O_TRUNC : 0),
		    0600);
}

int secret_store_feed(const struct paths *paths, const char *sandbox, const char *const *services,
		      struct err *err)
{
	const char *words[WORDS_MAX + 1] = {"feed", sandbox};
	autofd int log = open_log(paths, sandbox, !services), ours = -1, theirs = -1;
	pid_t pid;
	int r = open_pipe(&ours, &theirs, err);

	for (size_t i = 0; services && services[i] && i + 2 < WORDS_MAX; i++)
		words[i + 2] = services[i];
	if (r == 0) {
		const int fds[STORE_FDS] = {-1, -1,
					    STDERR_FILENO, [STORE_PIPE_FD] = theirs, [STORE_LOG_FD] = log};

		r = start(words, fds, log < 0 ? STORE_LOG_FD : STORE_FDS, &pid, err);
	}
	return r < 0 ? r : steal_fd(&ours);
}
