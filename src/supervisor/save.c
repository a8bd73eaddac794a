#include "supervisor/save.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "wire/control.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

enum {
	COPY_LIMIT_MS = 30 * 60 * 1000,
	QUIET_LIMIT_MS = 30000,
	ENGINE_LIMIT_MS = 30000,
	COPY_SET = 100, /* numbers of the engine's descriptor sets */
	DEVICES_SET = 101,
	ROOM_BESIDE_BYTES = 16 << 20,
};

static void quiet(struct save *save);
static void warm(struct save *save);

static void finish(struct save *save, const struct err *err)
{
	uv_timer_stop(&save->limit);
	save->step = SAVE_IDLE;
	save->was_stopped = false;
	save->on_done(save->owner, err);
}

static void ask(struct save *save, const char *command, json_t *arguments, int fd, monitor_answer *on_answer)
{
	int r = monitor_ask(&save->machine->monitor, command, arguments, fd, on_answer, save);

	if (r < 0)
		log_line("the engine cannot be asked for '%s': %s", command, strerror(-r));
}

/* What the engine holds of a copy goes; a job that still runs ends first. */
static void forget_copy(struct save *save)
{
	if (!save->is_copying)
		return;
	save->is_copying = false;
	ask(save, "blockdev-del", json_pack("{s:s}", "node-name", "copy"), -1, NULL);
	ask(save, "blockdev-del", json_pack("{s:s}", "node-name", "copy-file"), -1, NULL);
	ask(save, "remove-fd", json_pack("{s:i}", "fdset-id", COPY_SET), -1, NULL);
}

static void give_up(struct save *save)
{
	if (save->is_working) {
		save->is_given_up = true;
		return;
	}
	if (save->is_copying && save->step != SAVE_FINISHING_COPY)
		ask(save, "block-job-cancel", json_pack("{s:s, s:b}", "device", "copy", "force", 1), -1,
		    NULL);
	else
		forget_copy(save);
	if (save->was_stopped)
		machine_continue(save->machine);
	finish(save, &save->err);
}

static void fail(struct save *save, const char *what, const char *why)
{
	err_set(&save->err, -EIO, "%s: %s", what, why);
	give_up(save);
}

static void on_limit(uv_timer_t *timer)
{
	struct save *save = timer->data;

	switch (save->step) {
	case SAVE_QUIETING:
		log_line("the guest does not make itself quiet: it is saved as it is");
		save_on_reply(save, 0);
		return;
	case SAVE_IDLE:
	case SAVE_WARMING:
	case SAVE_FOLDERS:
	case SAVE_MEMORY:
		return;
	case SAVE_COPYING:
	case SAVE_STOPPING:
	case SAVE_DEVICES:
	case SAVE_FINISHING_COPY:
		fail(save, "the machine cannot be saved", "its engine does not answer in time");
		return;
	}
}

static void enter(struct save *save, enum save_step step, uint64_t limit_ms)
{
	save->step = step;
	uv_timer_start(&save->limit, on_limit, limit_ms, 0);
}

/* ---- the disk ---- */

static void end_well(struct save *save)
{
	log_line("the machine was saved; it has stood still for %lld ms",
		 (long long)(clock_ms() - save->stopped_ms));
	finish(save, NULL);
}

static void finish_copy(struct save *save)
{
	enter(save, SAVE_FINISHING_COPY, COPY_LIMIT_MS);
	/* A job that has caught up ends with what the disk holds now. */
	if (save->is_copying)
		ask(save, "block-job-cancel", json_pack("{s:s}", "device", "copy"), -1, NULL);
	else if (save->target.disk_copy >= 0 && ioctl(save->target.disk_copy, FICLONE, save->target.disk) < 0)
		fail(save, "the disk cannot be copied", strerror(errno));
	else
		end_well(save);
}

static void on_copy_started(void *owner, const char *error)
{
	struct save *save = owner;

	if (error && save->step == SAVE_COPYING) {
		forget_copy(save);
		fail(save, "the disk cannot be copied", error);
	}
}

/* An error in one of these shows in the last one. */
static void begin_copy(struct save *save)
{
	/* Flushed by whoever asked for it, when the machine goes on: while it stands still that would take
	 * long. */
	json_t *file = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:b}}", "driver", "file", "node-name",
				 "copy-file", "filename", "/dev/fdset/100", "locking", "off", "discard",
				 "unmap", "cache", "no-flush", 1);
	json_t *raw =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:b}}", "driver", "raw", "node-name", "copy", "file",
			  "copy-file", "discard", "unmap", "detect-zeroes", "unmap", "cache", "no-flush", 1);
	json_t *job = json_pack("{s:s, s:s, s:s, s:s}", "job-id", "copy", "device", "disk", "target", "copy",
				"sync", "full");

	save->is_copying = true;
	enter(save, SAVE_COPYING, COPY_LIMIT_MS);
	ask(save, "add-fd", json_pack("{s:i}", "fdset-id", COPY_SET), save->target.disk_copy, NULL);
	ask(save, "blockdev-add", file, -1, NULL);
	ask(save, "blockdev-add", raw, -1, NULL);
	ask(save, "blockdev-mirror", job, -1, on_copy_started);
}

static int prepare_copy(struct save *save)
{
	struct stat info;

	if (fstat(save->target.disk, &info) < 0 || ftruncate(save->target.disk_copy, info.st_size) < 0)
		return -errno;
	/* Tried once now, to learn whether it is possible. */
	if (ioctl(save->target.disk_copy, FICLONE, save->target.disk) == 0)
		warm(save);
	else
		begin_copy(save);
	return 0;
}

/* ---- memory ---- */

static void on_thread(uv_work_t *work)
{
	struct save *save = work->data;

	save->result = ram_save(&save->target.ram, save->target.memory, &save->memory_bytes, &save->err);
}

static void on_thread_done(uv_work_t *work, int status)
{
	struct save *save = work->data;

	(void)status;
	save->is_working = false;
	if (save->is_given_up || save->result < 0)
		give_up(save);
	else if (save->step == SAVE_WARMING)
		quiet(save);
	else
		finish_copy(save);
}

static int check_room(struct save *save)
{
	uint64_t needed, left;
	int r = ram_measure(&save->target.ram, &needed, &save->err);

	if (r < 0)
		return r;
	needed += ROOM_BESIDE_BYTES;
	if (file_space_left(save->target.memory, &left) < 0 || left >= needed)
		return 0;
	return err_set(&save->err, -ENOSPC,
		       "its memory needs %llu MiB and only %llu MiB are free: free some space, or use "
		       "'sbx stop --cold'",
		       (unsigned long long)(needed >> 20), (unsigned long long)(left >> 20));
}

static void write_memory(struct save *save, enum save_step step)
{
	save->step = step;
	uv_timer_stop(&save->limit);
	save->work.data = save;
	if (check_room(save) < 0) {
		give_up(save);
	} else if (uv_queue_work(save->limit.loop, &save->work, on_thread, on_thread_done) < 0) {
		fail(save, "the machine's memory cannot be saved", "no thread can be started");
	} else {
		save->is_working = true;
	}
}

/*
 * Of a machine that goes on, memory is written twice: while it runs, so that the file has its pages, which
 * takes most of the time; and over that when it stands still, which is what counts.
 */
static void warm(struct save *save)
{
	write_memory(save, SAVE_WARMING);
}

/* ---- devices ---- */

static void on_devices(void *owner, const char *error)
{
	struct save *save = owner;

	ask(save, "remove-fd", json_pack("{s:i}", "fdset-id", DEVICES_SET), -1, NULL);
	if (save->step != SAVE_DEVICES)
		return;
	if (error)
		fail(save, "the state of the devices cannot be saved", error);
	else
		write_memory(save, SAVE_MEMORY);
}

static void save_devices(struct save *save)
{
	enter(save, SAVE_DEVICES, ENGINE_LIMIT_MS);
	ask(save, "add-fd", json_pack("{s:i}", "fdset-id", DEVICES_SET), save->target.devices, NULL);
	ask(save, "xen-save-devices-state", json_pack("{s:s, s:b}", "filename", "/dev/fdset/101", "live", 0),
	    -1, on_devices);
}

/* ---- folders ---- */

static void on_folders(void *owner, int result)
{
	struct save *save = owner;

	if (save->step != SAVE_FOLDERS)
		return;
	if (result < 0)
		fail(save, "what the servers of folders know cannot be saved", strerror(-result));
	else
		save_devices(save);
}

static void on_stopped(void *owner, const char *error)
{
	struct save *save = owner;
	int r = 0;

	if (save->step != SAVE_STOPPING)
		return;
	if (error) {
		fail(save, "the machine cannot be stopped", error);
		return;
	}
	if (!save->target.folders) {
		save_devices(save);
		return;
	}
	/* It has a limit of its own for each server. */
	uv_timer_stop(&save->limit);
	save->step = SAVE_FOLDERS;
	r = shares_save(save->target.folders, save->target.folders_file, on_folders, save);
	if (r < 0)
		on_folders(save, r);
}

static void stop(struct save *save)
{
	enter(save, SAVE_STOPPING, ENGINE_LIMIT_MS);
	save->was_stopped = !save->target.is_paused;
	save->stopped_ms = clock_ms();
	ask(save, "stop", NULL, -1, on_stopped);
}

static void quiet(struct save *save)
{
	enter(save, SAVE_QUIETING, QUIET_LIMIT_MS);
	if (save->target.is_quiet || save->target.is_paused)
		stop(save);
	else if (machine_request(save->machine, SAVE_REQUEST, "POST " CONTROL_QUIESCE "\n", slice_text("")) <
		 0)
		save_on_reply(save, 0);
}

/* ---- from outside ---- */

int save_init(struct save *save, uv_loop_t *loop)
{
	*save = (struct save){.step = SAVE_IDLE};
	save->limit.data = save;
	return uv_timer_init(loop, &save->limit);
}

bool save_is_going_on(const struct save *save)
{
	return save->step != SAVE_IDLE || save->is_working;
}

void save_begin(struct save *save, struct machine *machine, const struct save_target *target,
		void (*on_done)(void *owner, const struct err *err), void *owner)
{
	int r = 0;

	save->machine = machine;
	save->target = *target;
	save->on_done = on_done;
	save->owner = owner;
	save->is_copying = save->was_stopped = save->is_given_up = false;
	save->err.text[0] = '\0';
	save->result = 0;
	save->limit.data = save;
	if (target->disk_copy >= 0)
		r = prepare_copy(save);
	else
		quiet(save);
	if (r < 0)
		fail(save, "the disk cannot be copied", strerror(-r));
}

void save_on_reply(struct save *save, unsigned status)
{
	if (save->step != SAVE_QUIETING)
		return;
	if (status != 0 && status != 204)
		log_line("the guest could not make itself quiet (%u): it is saved as it is", status);
	stop(save);
}

void save_on_event(struct save *save, const struct qmp_message *event)
{
	if (strncmp(event->text, "BLOCK_JOB_", 10) != 0 || strcmp(event->detail, "copy") != 0)
		return;
	if (strcmp(event->text, "BLOCK_JOB_READY") == 0 && save->step == SAVE_COPYING) {
		warm(save);
		return;
	}
	if (strcmp(event->text, "BLOCK_JOB_COMPLETED") != 0 &&
	    strcmp(event->text, "BLOCK_JOB_CANCELLED") != 0)
		return;
	forget_copy(save);
	if (save->step == SAVE_FINISHING_COPY && !event->has_failed)
		end_well(save);
	else if (save->step != SAVE_IDLE)
		fail(save, "the disk cannot be copied", "its engine could not write the copy");
}

void save_on_end(struct save *save)
{
	if (save->step == SAVE_IDLE)
		return;
	save->is_copying = save->was_stopped = false;
	err_set(&save->err, -EIO, "the machine has ended while it was being saved");
	give_up(save);
}
