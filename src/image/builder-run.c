/*
 * Runs mmdebstrap, in a session of its own, and follows its log. The results come back through descriptors
 * that the hook writes: in a user namespace its root is a sub-uid, which cannot enter the user's 0700
 * folders. The lock is inherited too, so a tool that outlives a killed builder still keeps the next one out.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/spawn.h"
#include "base/text.h"
#include "image/builder.h"
#include "image/environment.h"
#include "image/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { LOCK_FD = 12, RESULT_FD = 13, RUN_FDS = RESULT_FD + MANIFEST_BASE_FILES };
enum { LINE_MAX_BYTES = 4096, READ_BYTES = 65536, PACKAGES_MAX_BYTES = 65536, HOOK_MAX_BYTES = 1 << 20 };
enum { SILENCE_LIMIT_MS = 10 * 60 * 1000, TOTAL_LIMIT_MS = 3 * 60 * 60 * 1000 };
enum { TERM_LIMIT_MS = 15000, KILL_LIMIT_MS = 10000, KILL_STEP_MS = 20 };

enum { HOOK_PATH_BYTES = BUILDER_SCRATCH_BYTES + 16 };

static const char suite[] = "trixie";

struct run {
	pid_t pid;
	int log;   /* the tool's output */
	int ended; /* its pidfd */
	int guard; /* a byte here tells the guard that the tool has ended */
	int log_file;
	struct buf line;
};

static void run_done(struct run *run)
{
	const int fds[] = {run->log, run->ended, run->guard, run->log_file};

	for (size_t i = 0; i < array_len(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	buf_done(&run->line);
}

/* "git nodejs" out of lines with remarks, joined by commas. */
static int read_packages(struct buf *into, struct err *err)
{
	auto_buf struct buf text = {0};
	char path[PATH_ROOM_BYTES], *line_save = NULL, *word_save = NULL;
	const char *before = "--include=";
	int r = paths_program("sbx-base.packages", path, err);

	if (r < 0)
		return r;
	r = file_read(AT_FDCWD, path, PACKAGES_MAX_BYTES, &text);
	if (r < 0)
		return err_errno(err, r, "cannot read '%s'", path);
	if (text.len == 0)
		return err_set(err, -EINVAL, "'%s' is empty", path);
	for (char *line = strtok_r(text.data + text.start, "\n", &line_save); line && r == 0;
	     line = strtok_r(NULL, "\n", &line_save)) {
		line[strcspn(line, "#")] = '\0';
		for (char *word = strtok_r(line, " \t", &word_save); word && r == 0;
		     word = strtok_r(NULL, " \t", &word_save)) {
			r = buf_printf(into, "%s%s", before, word);
			before = ",";
		}
	}
	return r < 0 ? err_errno(err, r, "cannot read '%s'", path) : 0;
}

/* A copy in the scratch folder, because a sub-uid may not be able to reach the folder of the original. */
static int copy_hook(const struct builder *builder, char ret[HOOK_PATH_BYTES], struct err *err)
{
	auto_buf struct buf text = {0};
	char path[PATH_ROOM_BYTES];
	int r = paths_program("sbx-base-hook", path, err);
	autofd int fd = -1;

	if (r < 0)
		return r;
	r = file_read(AT_FDCWD, path, HOOK_MAX_BYTES, &text);
	if (r < 0)
		return err_errno(err, r, "cannot read '%s'", path);
	snprintf(ret, HOOK_PATH_BYTES, "%s/hook", builder->scratch);
	fd = open(ret, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	r = fd < 0 ? -errno : fd_write_all(fd, buf_slice(&text));
	if (r == 0 && fchmod(fd, 0755) < 0)
		r = -errno;
	return r < 0 ? err_errno(err, r, "cannot write '%s'", ret) : 0;
}

/* Writable for the sub-uid through the inherited descriptor; nobody else can enter the folder. */
static int make_results(const struct builder *builder, int *fds, struct err *err)
{
	for (unsigned int i = 0; i < MANIFEST_BASE_FILES; i++) {
		const char *name = manifest_file_name(i);

		fds[i] = openat(builder->work_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fds[i] < 0 || fchmod(fds[i], 0666) < 0)
			return err_errno(err, -errno, "cannot make '%s/%s/%s'", builder->folder,
					 builder->work, name);
	}
	return 0;
}

static int fill_environment(const struct builder *builder, struct environment *env, struct err *err)
{
	int r = environment_pick(env);

	r = r < 0 ? r : environment_add(env, "LANG", "C.UTF-8");
	r = r < 0 ? r : environment_add(env, "TMPDIR", builder->scratch);
	/* The kernel's package shall not make an initramfs that nobody uses. */
	r = r < 0 ? r : environment_add(env, "INITRD", "No");
	return r < 0 ? err_errno(err, r, "cannot prepare the environment of mmdebstrap") : 0;
}

static int start_tool(const struct builder *builder, const char *packages, const char *hook_option,
		      struct run *run, struct err *err)
{
	const char *const argv[] = {"mmdebstrap",
				    "--verbose",
				    geteuid() == 0 ? "--mode=root" : "--mode=unshare",
				    "--variant=minbase",
				    "--format=null",
				    "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg",
				    "--aptopt=Acquire::Languages \"none\"",
				    "--aptopt=Acquire::Retries \"3\"",
				    "--dpkgopt=path-exclude=/usr/share/doc/*",
				    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
				    "--dpkgopt=path-exclude=/usr/share/man/*",
				    "--dpkgopt=path-exclude=/usr/share/info/*",
				    "--dpkgopt=path-exclude=/usr/share/locale/*",
				    "--dpkgopt=path-exclude=/usr/share/lintian/*",
				    packages,
				    hook_option,
				    suite,
				    "/dev/null",
				    NULL};
	char tool[PATH_ROOM_BYTES];
	auto_environment struct environment env = {0};
	struct spawn spawn = {.program = tool,
			      .argv = argv,
			      .env = (const char *const *)env.list,
			      .n_fds = RUN_FDS,
			      .is_leader = true};
	int results[MANIFEST_BASE_FILES] = {-1, -1, -1}, pipe_fds[2], r;

	if (builder_find_tool("mmdebstrap", tool) < 0)
		return err_set(err, -ENOENT, "mmdebstrap is missing");
	r = fill_environment(builder, &env, err);
	if (r < 0)
		return r;
	r = make_results(builder, results, err);
	if (r == 0 && pipe2(pipe_fds, O_CLOEXEC) < 0)
		r = err_errno(err, -errno, "cannot make a pipe");
	if (r == 0) {
		for (size_t i = 0; i < RUN_FDS; i++)
			spawn.fds[i] = -1;
		spawn.fds[1] = spawn.fds[2] = pipe_fds[1];
		spawn.fds[LOCK_FD] = builder->lock_fd;
		for (size_t i = 0; i < MANIFEST_BASE_FILES; i++)
			spawn.fds[RESULT_FD + i] = results[i];
		run->log = pipe_fds[0];
		r = spawn_start(&spawn, &run->pid, err);
		close(pipe_fds[1]);
	}
	for (size_t i = 0; i < MANIFEST_BASE_FILES; i++)
		if (results[i] >= 0)
			close(results[i]);
	return r;
}

static void take_bytes(struct builder *builder, struct run *run, struct slice bytes)
{
	(void)fd_write_all(run->log_file, bytes);
	for (; bytes.len > 0; bytes = slice_skip(bytes, 1)) {
		bool is_end = bytes.ptr[0] == '\n' || bytes.ptr[0] == '\r';

		if (!is_end && run->line.len < LINE_MAX_BYTES)
			(void)buf_append(&run->line, slice_of(bytes.ptr, 1));
		if (!is_end)
			continue;
		progress_line(&builder->progress, buf_slice(&run->line));
		buf_clear(&run->line);
	}
	builder_tell(builder, progress_text(&builder->progress), builder->progress.fraction);
}

/* 1 while there may be more, 0 at the end. */
static int read_log(struct builder *builder, struct run *run)
{
	auto_buf struct buf bytes = {0};
	ssize_t count = buf_read_fd(&bytes, run->log, READ_BYTES);

	if (count > 0)
		take_bytes(builder, run, buf_slice(&bytes));
	return count > 0 ? 1 : (int)count;
}

/* Until the tool has ended and its log is read. */
static int follow(struct builder *builder, struct run *run, struct err *err)
{
	int64_t end_ms = clock_ms() + TOTAL_LIMIT_MS, heard_ms = clock_ms();

	for (;;) {
		/* The log also ends when the tool does, except that a stray child may keep it open. */
		int r = builder_wait(builder, run->log, KILL_STEP_MS * 10);

		if (r < 0)
			return r;
		if (r > 0) {
			heard_ms = clock_ms();
			r = read_log(builder, run);
			if (r <= 0)
				return r;
			continue;
		}
		if (builder_wait(builder, run->ended, 0) == 1)
			return 0;
		if (clock_ms() > heard_ms + SILENCE_LIMIT_MS)
			return err_set(err, -ETIME,
				       "mmdebstrap has said nothing for %d minutes; its log is '%s'",
				       SILENCE_LIMIT_MS / 60000, builder->log_path);
		if (clock_ms() > end_ms)
			return err_set(err, -ETIME, "the build takes longer than %d hours; its log is '%s'",
				       TOTAL_LIMIT_MS / 3600000, builder->log_path);
	}
}

/* Ends everything in the tool's process group once the builder has died without saying that the tool is over.
 */
static _Noreturn void guard(int alive, pid_t group)
{
	char over;

	/* The lock above all: the guard must not hold it. */
	if (dup2(alive, 0) == 0 && syscall(SYS_close_range, 1, ~0U, 0) == 0 && read(0, &over, 1) == 0)
		kill(-group, SIGKILL);
	_exit(0);
}

static int start_guard(struct run *run, struct err *err)
{
	int pipe_fds[2];
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot make a pipe");
	pid = fork();
	if (pid == 0)
		guard(pipe_fds[0], run->pid);
	close(pipe_fds[0]);
	run->guard = pipe_fds[1];
	return pid < 0 ? err_errno(err, -errno, "cannot start a process") : 0;
}

/* What the killed have left behind becomes ours, because this process is a subreaper. */
static void kill_descendants(void)
{
	int64_t end_ms = clock_ms() + KILL_LIMIT_MS;

	while (clock_ms() < end_ms) {
		auto_buf struct buf children = {0};
		char *save = NULL;
		pid_t gone;

		if (file_read(AT_FDCWD, "/proc/thread-self/children", READ_BYTES, &children) == 0 &&
		    children.len > 0)
			for (char *word = strtok_r(children.data + children.start, " ", &save); word;
			     word = strtok_r(NULL, " ", &save))
				kill((pid_t)strtol(word, NULL, 10), SIGKILL);
		do
			gone = waitpid(-1, NULL, WNOHANG);
		while (gone > 0);
		if (gone < 0)
			return;
		usleep(KILL_STEP_MS * 1000);
	}
}

/* Ends the tool, kindly first so that it unmounts, and everything that it has started. */
static int end_tool(const struct run *run, bool is_over, int *ret_status)
{
	int r = 0;

	if (!is_over)
		kill(-run->pid, SIGTERM);
	r = spawn_wait(run->pid, TERM_LIMIT_MS, ret_status);
	if (r < 0) {
		kill(-run->pid, SIGKILL);
		r = spawn_wait(run->pid, KILL_LIMIT_MS, ret_status);
	}
	(void)fd_write_all(run->guard, slice_text("."));
	kill_descendants();
	return r;
}

static int explain(const struct builder *builder, int status, struct err *err)
{
	auto_buf struct buf reason = {0};

	if (builder->progress.is_disk_full)
		return builder_disk_full(builder, err);
	(void)text_printable(&reason, slice_text(builder->progress.reason), false);
	if (reason.len > 0)
		return err_set(err, -EIO, "%s failed: %s; the whole log is '%s'",
			       progress_text(&builder->progress), buf_text(&reason), builder->log_path);
	return err_set(err, -EIO, "%s failed (wait status %d); the whole log is '%s'",
		       progress_text(&builder->progress), status, builder->log_path);
}

static int run_tool(struct builder *builder, const char *packages, const char *hook_option, struct err *err)
{
	__attribute__((cleanup(run_done))) struct run run = {.log = -1, .ended = -1, .guard = -1};
	int status = 0, r, ending;

	run.log_file = open(builder->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	r = start_tool(builder, packages, hook_option, &run, err);
	if (r < 0)
		return r;
	run.ended = (int)syscall(SYS_pidfd_open, run.pid, 0);
	r = start_guard(&run, err);
	r = r < 0 ? r : follow(builder, &run, err);
	ending = end_tool(&run, /* is_over= */ r == 0, &status);
	if (r < 0)
		return r;
	if (ending < 0)
		return err_set(err, -ETIME, "mmdebstrap does not end; its log is '%s'", builder->log_path);
	return status == 0 ? 0 : explain(builder, status, err);
}

int builder_run(struct builder *builder, struct err *err)
{
	auto_buf struct buf packages = {0};
	char hook[HOOK_PATH_BYTES], hook_option[HOOK_PATH_BYTES + 32];
	int r = read_packages(&packages, err);

	r = r < 0 ? r : copy_hook(builder, hook, err);
	if (r < 0)
		return r;
	snprintf(hook_option, sizeof(hook_option), "--customize-hook=%s", hook);
	return run_tool(builder, buf_text(&packages), hook_option, err);
}
