#include "guest/task.h"

#include "guest/quiesce.h"
#include "guest/settle.h"

#include <errno.h>
#include <fcntl.h>

struct task {
	struct handler handler;
	struct child child;
	struct h2_stream *stream; /* NULL when nobody waits for the answer any more */
	bool is_over;
};

static const struct {
	const char *name;
	int (*run)(void);
} tasks[] = {{"quiesce", quiesce_run}, {"settle", settle_run}};

int task_main(const char *name)
{
	for (size_t i = 0; i < array_len(tasks); i++)
		if (strcmp(tasks[i].name, name) == 0)
			return tasks[i].run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	return -1;
}

static void release(struct task *task)
{
	if (task->is_over && !task->stream)
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
	finish(holder_of(child, struct task, child), child_exit_status(status) == 0 ? 204 : 500);
}

static void on_data(struct handler *handler, struct h2_stream *stream, struct slice data)
{
	(void)handler;
	h2_consume(stream, data.len);
}

static void on_close(struct handler *handler)
{
	struct task *task = (struct task *)handler;

	task->stream = NULL;
	release(task);
}

static int start(struct guest *guest, struct task *task, const char *name)
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

	r = r < 0 ? r : strings_add(&argv, slice_text(name));
	r = r < 0 ? r : strings_set(&env, slice_text("PATH=/"));
	return r < 0 ? r : child_start(guest->children, &task->child, &plan);
}

int task_begin(struct guest *guest, struct h2_stream *stream, const char *name)
{
	static const struct handler_ops ops = {.on_data = on_data, .on_close = on_close};
	struct task *task = calloc(1, sizeof(*task));
	int r = task ? 0 : -ENOMEM;

	if (r == 0) {
		*task = (struct task){.handler = {&ops},
				      .child = {.on_start = on_start, .on_exit = on_exit_status},
				      .stream = stream};
		r = start(guest, task, name);
	}
	if (r < 0) {
		free(task);
		return r;
	}
	h2_set_data(stream, &task->handler);
	return 0;
}
