/*
 * The caller's half of a build: starts sbx-builder with one end of a socket pair and reads its events, JSON
 * objects one a line. Closing our end is how a build is cancelled, so a caller that dies cancels it too.
 */
#include "image/template.h"

#include "base/buf.h"
#include "base/spawn.h"
#include "image/environment.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

enum { EVENT_MAX_BYTES = 8192, SILENCE_LIMIT_MS = 15 * 60 * 1000, CLEAN_LIMIT_MS = 2 * 60 * 1000 };

struct build {
	template_report *report;
	void *data;
	struct err *err;
	bool is_done;
	int failed; /* what the builder gave as the reason, or 0 */
};

static void json_done(json_t **json)
{
	json_decref(*json);
}

/* {"done": 0.42, "what": "…", "bytes": 1, "wanted": 2, "rate": 3} or {"ready": true} or {"failed": -28,
 * "why": "…"} */
static int take_event(struct build *build, struct slice line)
{
	__attribute__((cleanup(json_done))) json_t *event = json_loadb(line.ptr, line.len, 0, NULL);
	json_int_t bytes = 0, wanted = 0, rate = 0, code = 0;
	struct template_progress progress = {0};
	const char *why = "";
	int is_ready = 0;

	if (json_unpack(event, "{s:b}", "ready", &is_ready) == 0) {
		build->is_done = is_ready;
		return 0;
	}
	if (json_unpack(event, "{s:I, s:s}", "failed", &code, "why", &why) == 0) {
		build->failed = code < 0 && code > -4096 ? (int)code : -EIO;
		err_set(build->err, build->failed, "%s", why);
		return 0;
	}
	if (json_unpack(event, "{s:F, s:s, s:I, s:I, s:I}", "done", &progress.fraction, "what",
			&progress.what, "bytes", &bytes, "wanted", &wanted, "rate", &rate) < 0)
		return err_set(build->err, -EBADMSG, "sbx-builder said something that cannot be understood");
	progress.bytes = bytes > 0 ? (uint64_t)bytes : 0;
	progress.bytes_wanted = wanted > 0 ? (uint64_t)wanted : 0;
	progress.bytes_per_second = rate > 0 ? (uint64_t)rate : 0;
	if (build->report)
		build->report(&progress, build->data);
	return 0;
}

static int take_lines(struct build *build, struct buf *input)
{
	for (;;) {
		struct slice all = buf_slice(input);
		const char *end = all.len > 0 ? memchr(all.ptr, '\n', all.len) : NULL;
		int r;

		if (!end && all.len > EVENT_MAX_BYTES)
			return err_set(build->err, -EBADMSG, "sbx-builder said something too long");
		if (!end)
			return 0;
		r = take_event(build, slice_of(all.ptr, (size_t)(end - all.ptr)));
		if (r < 0)
			return r;
		buf_drop(input, (size_t)(end - all.ptr) + 1);
	}
}

/* Until the builder closes its end. */
static int listen_to(struct build *build, int channel, int cancel_fd)
{
	auto_buf struct buf input = {0};

	for (;;) {
		struct pollfd ready[] = {{.fd = channel, .events = POLLIN},
					 {.fd = cancel_fd, .events = POLLIN}};
		int count = poll(ready, array_len(ready), SILENCE_LIMIT_MS);
		ssize_t got;
		int r;

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return err_errno(build->err, -errno, "cannot wait for sbx-builder");
		if (count == 0)
			return err_set(build->err, -ETIME, "sbx-builder has been silent for too long");
		if (ready[1].revents)
			return err_set(build->err, -ECANCELED, "the build was cancelled");
		got = buf_read_fd(&input, channel, EVENT_MAX_BYTES);
		if (got == 0 || got == -ECONNRESET)
			return 0;
		if (got < 0)
			return err_errno(build->err, (int)got, "cannot hear sbx-builder");
		r = take_lines(build, &input);
		if (r < 0)
			return r;
	}
}

static int start(const struct paths *paths, const char *name, int channel, pid_t *ret_pid, struct err *err)
{
	char program[PATH_ROOM_BYTES], templates[PATH_ROOM_BYTES];
	const char *const argv[] = {"sbx-builder", name, templates, paths->cache, NULL};
	auto_environment struct environment env = {0};
	struct spawn spawn = {
		.program = program,
		.argv = argv,
		.env = (const char *const *)env.list,
		.fds = {-1, STDERR_FILENO, STDERR_FILENO, channel},
		.n_fds = 4,
		.is_leader = true,
	};
	int r = paths_program("sbx-builder", program, err);

	if (r < 0)
		return r;
	if (snprintf(templates, sizeof(templates), "%s/templates", paths->data) >= (int)sizeof(templates))
		return err_set(err, -ENAMETOOLONG, "the path of the templates is too long");
	r = environment_pick(&env);
	if (r < 0)
		return err_errno(err, r, "cannot start sbx-builder");
	return spawn_start(&spawn, ret_pid, err);
}

int template_build(const struct paths *paths, const char *name, int cancel_fd, template_report *report,
		   void *data, struct err *err)
{
	struct build build = {.report = report, .data = data, .err = err};
	autofd int ours = -1, theirs = -1;
	int r = template_check_name(name, err), status = 0, pair[2];
	pid_t pid = -1;

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, -errno, "cannot talk to sbx-builder");
	ours = pair[0];
	theirs = pair[1];
	r = start(paths, name, theirs, &pid, err);
	if (r < 0)
		return r;
	close(steal_fd(&theirs));
	r = listen_to(&build, ours, cancel_fd);
	close(steal_fd(&ours));
	if (spawn_wait(pid, CLEAN_LIMIT_MS, &status) < 0)
		return err_set(err, -ETIME,
			       "sbx-builder (process %d) does not end; it may still be cleaning up",
			       (int)pid);
	if (r < 0 || build.failed < 0)
		return r < 0 ? r : build.failed;
	if (!build.is_done || status != 0)
		return err_set(err, -EIO, "sbx-builder ended without finishing the template (wait status %d)",
			       status);
	return 0;
}
