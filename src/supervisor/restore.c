#include "supervisor/restore.h"

#include <errno.h>

static void finish(struct restore *restore, const struct err *err)
{
	if (!restore->is_going_on)
		return;
	restore->is_going_on = false;
	restore->on_done(restore->owner, err);
}

static void on_answer(void *owner, const char *error)
{
	struct restore *restore = owner;

	if (!error)
		return;
	err_set(&restore->err, -EIO, "its engine does not take the saved state: %s", error);
	finish(restore, &restore->err);
}

static void load_devices(struct restore *restore)
{
	struct monitor *monitor = &restore->machine->monitor;
	json_t *capabilities =
		json_pack("{s:[{s:s, s:b}]}", "capabilities", "capability", "events", "state", 1);
	int r = monitor_ask(monitor, "migrate-set-capabilities", capabilities, -1, on_answer, restore);

	r = r < 0 ? r
		  : monitor_ask(monitor, "getfd", json_pack("{s:s}", "fdname", "devices"),
				restore->source.devices, on_answer, restore);
	r = r < 0 ? r
		  : monitor_ask(monitor, "migrate-incoming", json_pack("{s:s}", "uri", "fd:devices"), -1,
				on_answer, restore);
	if (r < 0) {
		err_errno(&restore->err, r, "the engine cannot be asked to load the saved state");
		finish(restore, &restore->err);
	}
}

/* What all machines start from first, and nobody can change it from then on. */
static int fill(struct restore *restore)
{
	const struct restore_source *source = &restore->source;
	int r = 0;

	if (source->base >= 0) {
		r = ram_fill(source->base, source->memfd, source->bytes, &restore->err);
		if (r == 0 && ram_seal(source->memfd) < 0)
			r = err_errno(&restore->err, -errno, "the memory cannot be sealed");
	} else if (!source->has_base) {
		r = ram_fill(source->memory, source->memfd, source->bytes, &restore->err);
	}
	return r;
}

static void on_fill(uv_work_t *work)
{
	struct restore *restore = work->data;

	restore->result = fill(restore);
}

static void on_change(uv_work_t *work)
{
	struct restore *restore = work->data;

	restore->result = ram_fill_engine(restore->source.memory, restore->machine->engine,
					  restore->source.bytes, &restore->err);
}

static void on_changed(uv_work_t *work, int status)
{
	struct restore *restore = work->data;

	(void)status;
	restore->is_working = false;
	if (restore->result < 0)
		finish(restore, &restore->err);
	else if (restore->is_going_on)
		load_devices(restore);
}

/* The engine has mapped its memory by the time that it answers. */
static void on_engine_up(void *owner, const char *error)
{
	struct restore *restore = owner;

	(void)error;
	restore->is_working = true;
	if (uv_queue_work(restore->machine->loop, &restore->work, on_change, on_changed) == 0)
		return;
	restore->is_working = false;
	err_set(&restore->err, -EAGAIN, "no thread can be started");
	finish(restore, &restore->err);
}

static void on_filled(uv_work_t *work, int status)
{
	struct restore *restore = work->data;

	(void)status;
	restore->is_working = false;
	if (!restore->is_going_on)
		return;
	if (restore->result < 0)
		finish(restore, &restore->err);
	else if (restore->source.has_base && restore->source.memory >= 0)
		(void)monitor_ask(&restore->machine->monitor, "query-status", NULL, -1, on_engine_up,
				  restore);
	else
		load_devices(restore);
}

void restore_begin(struct restore *restore, struct machine *machine, const struct restore_source *source,
		   void (*on_done)(void *owner, const struct err *err), void *owner)
{
	*restore = (struct restore){.machine = machine,
				    .source = *source,
				    .on_done = on_done,
				    .owner = owner,
				    .is_going_on = true,
				    .is_working = true};
	restore->work.data = restore;
	if (uv_queue_work(machine->loop, &restore->work, on_fill, on_filled) == 0)
		return;
	restore->is_working = false;
	err_set(&restore->err, -EAGAIN, "no thread can be started");
	finish(restore, &restore->err);
}

void restore_on_event(struct restore *restore, const struct qmp_message *event)
{
	if (!restore->is_going_on || strcmp(event->text, "MIGRATION") != 0)
		return;
	if (strcmp(event->detail, "completed") == 0) {
		finish(restore, NULL);
	} else if (strcmp(event->detail, "failed") == 0) {
		err_set(&restore->err, -EIO, "its engine does not take the saved state");
		finish(restore, &restore->err);
	}
}

bool restore_on_end(struct restore *restore)
{
	restore->is_going_on = false;
	return restore->is_working;
}
