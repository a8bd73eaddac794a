#include "supervisor/life.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* Written there first, so that what has the right name is whole. */
static const char temporary[] = "saved.new";

static struct ram_source ram_of(const struct life *life)
{
	bool is_shared = life->kind.memory == ENGINE_MEMORY_SHARED;

	return (struct ram_source){.memfd = is_shared ? -1 : life->memfd,
				   .engine = life->machine->engine,
				   .bytes = life->kind.memory_mib << 20};
}

/* disk is -1 where the machine's own stays with what is saved. */
static struct save_target target_of(struct life *life, const struct job *files)
{
	return (struct save_target){.devices = files->devices,
				    .memory = files->memory,
				    .disk = life->disk,
				    .disk_copy = files->disk,
				    .folders_file = files->folders,
				    .folders = life->is_start ? NULL : &life->shares,
				    .ram = ram_of(life),
				    .is_paused = life->is_paused};
}

static void describe(const struct life *life, struct saved *ret)
{
	*ret = life->from;
	ret->id[0] = '\0';
	memcpy(ret->machine, life->key, sizeof(ret->machine));
}

bool keep_is_busy(const struct life *life)
{
	return save_is_going_on(&life->save) || life->n_jobs > 0 || life->n_pausers > 0;
}

/* ---- to be suspended ---- */

static int new_file(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

static int sync_file(int dir, const char *name)
{
	autofd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Everything lies on the disk before the name that says so. */
static int commit(struct life *life, struct err *err)
{
	struct saved saved;
	int r = fsync(life->disk) < 0 ? -errno : sync_file(life->saved_dir, "devices");

	r = r < 0 ? r : sync_file(life->saved_dir, "memory");
	r = r < 0 ? r : sync_file(life->saved_dir, "folders");
	if (r < 0)
		return err_errno(err, r, "cannot write the saved state");
	describe(life, &saved);
	r = saved_describe(life->saved_dir, &saved, err);
	r = r < 0 ? r : saved_write(life->saved_dir, life->disk, &saved, err);
	if (r < 0)
		return r;
	if (renameat(life->place.dir, temporary, life->place.dir, "saved") < 0 || fsync(life->place.dir) < 0)
		return err_errno(err, -errno, "cannot name the saved state");
	return 0;
}

void job_close(struct job *job)
{
	int *const files[] = {&job->disk, &job->devices, &job->memory, &job->folders};

	for (size_t i = 0; i < array_len(files); i++) {
		if (*files[i] >= 0)
			close(*files[i]);
		*files[i] = -1;
	}
}

static void drop_files(struct life *life)
{
	if (life->saved_dir >= 0)
		close(steal_fd(&life->saved_dir));
	job_close(&life->own_files);
}

static void fail_suspend(struct life *life, const char *why)
{
	char text[ERR_TEXT_BYTES + 64];

	snprintf(text, sizeof(text), "'%s' cannot be suspended: %s", life->sandbox.name, why);
	log_line("%s", text);
	drop_files(life);
	(void)file_remove_tree(life->place.dir, temporary, NULL);
	/* Of a machine that goes on there is no state to continue from, also where only its last sync has
	 * failed. */
	(void)file_remove_tree(life->place.dir, "saved", NULL);
	if (life->is_start) {
		machine_kill(life->machine, "its state could not be saved");
		return;
	}
	life->phase = RUNNING;
	if (!life->is_paused)
		(void)launch_tell_guest(life, REQUEST_THAW);
	requests_stopped(life, text);
	if (life->is_terminating)
		requests_stop(life, true);
}

static void on_commit(uv_work_t *work)
{
	struct life *life = work->data;

	life->commit_result = commit(life, &life->commit_err);
}

static void on_committed(uv_work_t *work, int status)
{
	struct life *life = work->data;

	(void)status;
	if (life->commit_result < 0) {
		if (!life->is_paused)
			machine_continue(life->machine);
		fail_suspend(life, life->commit_err.text);
		return;
	}
	drop_files(life);
	life->is_suspended = true;
	machine_quit(life->machine, NULL);
}

/* On a thread: syncing takes as long as the disk is busy, and this process has to go on answering. */
static void on_suspended(void *owner, const struct err *err)
{
	struct life *life = owner;

	life->committing.data = life;
	if (err)
		fail_suspend(life, err->text);
	else
		(void)uv_queue_work(&life->loop, &life->committing, on_commit, on_committed);
}

void keep_suspend(struct life *life)
{
	struct job *files = &life->own_files;
	struct save_target target;

	(void)file_remove_tree(life->place.dir, temporary, NULL);
	if (mkdirat(life->place.dir, temporary, 0700) == 0)
		life->saved_dir = file_open_dir(life->place.dir, temporary);
	if (life->saved_dir >= 0) {
		files->devices = new_file(life->saved_dir, "devices", O_WRONLY);
		files->memory = new_file(life->saved_dir, "memory", O_RDWR);
		files->folders = new_file(life->saved_dir, "folders", O_RDWR);
	}
	if (files->devices < 0 || files->memory < 0 || files->folders < 0) {
		fail_suspend(life, "there is no room for the saved state");
		return;
	}
	target = target_of(life, files);
	save_begin(&life->save, life->machine, &target, on_suspended, life);
}

/* ---- copies ---- */

static void next_job(struct life *life);

static void answer_job(struct life *life, const struct job *job, const struct err *err)
{
	struct saved saved;

	if (err) {
		control_refuse(&life->control, job->ticket, err->text);
		return;
	}
	describe(life, &saved);
	control_answer(&life->control, job->ticket,
		       json_pack("{s:b, s:s, s:s, s:I}", "ok", 1, "machine", saved.machine, "base",
				 saved.base, "base_bytes", (json_int_t)saved.base_bytes),
		       -1);
}

static void on_copied(void *owner, const struct err *err)
{
	struct life *life = owner;
	struct job job = life->jobs[0];

	if (!life->is_paused) {
		if (!err)
			machine_continue(life->machine);
		(void)launch_tell_guest(life, REQUEST_THAW);
	}
	life->n_jobs--;
	memmove(life->jobs, life->jobs + 1, life->n_jobs * sizeof(job));
	answer_job(life, &job, err);
	job_close(&job);
	if (life->n_jobs > 0)
		next_job(life);
	else if (life->is_stop_wanted)
		requests_stop(life, life->is_cold_wanted);
}

static void next_job(struct life *life)
{
	struct save_target target = target_of(life, &life->jobs[0]);

	save_begin(&life->save, life->machine, &target, on_copied, life);
}

int keep_copy(struct life *life, const struct job *job)
{
	if (life->n_jobs == JOBS_MAX)
		return -EBUSY;
	life->jobs[life->n_jobs++] = *job;
	if (life->n_jobs == 1)
		next_job(life);
	return 0;
}
