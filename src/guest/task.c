#include "guest/task.h"

#include "guest/network.h"
#include "guest/quiesce.h"
#include "guest/settle.h"
#include "guest/share.h"
#include "wire/control.h"

#include <errno.h>
#include <fcntl.h>

struct task {
	struct handler handler;
	struct child child;
	struct guest *guest;
	const char *name;
	struct buf body;
	struct h2_stream *stream; /* NULL when nobody waits for the answer any more */
	bool is_over;
};

enum { BUSY_STATUS = EBUSY };

static int quiesce(const char *body)
{
	(void)body;
	return quiesce_run();
}

static int settle(const char *body)
{
	(void)body;
	return settle_run();
}

static int network(const char *body)
{
	(void)body;
	return network_run();
}

static const struct {
	const char *name;
	int (*run)(const char *body);
} tasks[] = {{"quiesce", quiesce},
	     {"settle", settle},
	     {"mount", share_mount},
	     {"umount", share_umount},
	     {"network", network}};

int task_main(const char *name, const char *body)
{
	for (size_t i = 0; i < array_len(tasks); i++) {
		if (strcmp(tasks[i].name, name) == 0) {
			int r = tasks[i].run(body);

			return r == -EBUSY ? BUSY_STATUS : r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		}
	}
	return -1;
}

static void release(struct task *task)
{
	if (!task->is_over || task->stream)
		return;
	buf_done(&task->body);
	free(task);
}

static void finish(struct task *task, int status)
{
	task->is_over = true;
	if (task->stream) {
		(void)h2_respond(task->stream, status);
		h2_end(task->stream);
	}
	release(task);
}

static void on_start(struct child *child, enum child_step step, int error)
{
	(void)error;
	if (step != CHILD_RUNNING)
		finish(holder_of(child, struct task, child), 500);
}

static void on_exit_status(struct child *child, int status)
{
	struct task *task = holder_of(child, struct task, child);
	int code = child_exit_status(status);

	finish(task, code == 0 ? 204 : code == BUSY_STATUS ? 409 : 500);
}

static void on_data(struct handler *handler, struct h2_stream *stream, struct slice data)
{
	struct task *task = (struct task *)handler;

	h2_consume(stream, data.len);
	if (task->body.len + data.len > CONTROL_BODY_MAX_BYTES || buf_append(&task->body, data) < 0)
		h2_reset(stream);
}

static void on_close(struct handler *handler)
{
	struct task *task = (struct task *)handler;

	task->stream = NULL;
	release(task);
}

static int start(struct task *task)
{
	auto_strings struct strings argv = {0}, env = {0};
	autofd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* It stays out of the groups, which it may have to freeze. */
	struct child_plan plan = {.argv = &argv,
				  .env = &env,
				  .dir = "/",
				  .fds = {null, STDOUT_FILENO, STDERR_FILENO},
				  .listen_fd = -1,
				  .cgroup_fd = -1};
	int r = null < 0 ? -errno : strings_add(&argv, slice_text("/proc/self/exe"));

	r = r < 0 ? r : strings_add(&argv, slice_text(task->name));
	r = r < 0 ? r : strings_add(&argv, buf_slice(&task->body));
	r = r < 0 ? r : strings_set(&env, slice_text("PATH=/"));
	return r < 0 ? r : child_start(task->guest->children, &task->child, &plan);
}

static void on_end(struct handler *handler, struct h2_stream *stream)
{
	struct task *task = (struct task *)handler;

	(void)stream;
	task->is_over = false;
	if (memchr(buf_text(&task->body), '\0', task->body.len) || start(task) < 0)
		finish(task, 500);
}

int task_begin(struct guest *guest, struct h2_stream *stream, const char *name)
{
	static const struct handler_ops ops = {.on_data = on_data, .on_end = on_end, .on_close = on_close};
	struct task *task = calloc(1, sizeof(*task));

	if (!task)
		return -ENOMEM;
	/* Over until it is started: a stream that is closed before that leaves nothing. */
	*task = (struct task){.handler = {&ops},
			      .child = {.on_start = on_start, .on_exit = on_exit_status},
			      .guest = guest,
			      .name = name,
			      .stream = stream,
			      .is_over = true};
	h2_set_data(stream, &task->handler);
	return 0;
}
