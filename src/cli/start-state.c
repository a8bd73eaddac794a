#include "cli/start-state.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/cache.h"
#include "cli/probe.h"
#include "cli/supervise.h"
#include "cli/template.h"
#include "supervisor/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

enum { FORMAT_VERSION = 1 };

static int make_name(const struct paths *paths, const struct sandbox *shape, const struct template *template,
		     char ret[START_STATE_NAME_BYTES], struct err *err)
{
	char engine[ENGINE_KEY_BYTES], all[512], digest[HASH_TEXT_BYTES];
	struct engine_probe probe;
	struct engine_machine machine = {.cpus = shape->cpus, .memory_mib = shape->memory_mib};
	int r = probe_and_say(paths, &probe, err);

	if (r < 0)
		return r;
	machine.accel = probe.verdict == ENGINE_KVM_GOOD ? ENGINE_KVM : ENGINE_TCG;
	r = engine_key(paths, &machine, engine, err);
	if (r < 0)
		return r;
	snprintf(all, sizeof(all), "%d %s %s %s %llu", FORMAT_VERSION, engine, template->id,
		 template->initramfs_id, (unsigned long long)shape->disk_mib);
	r = hash_bytes(slice_text(all), digest);
	snprintf(ret, START_STATE_NAME_BYTES, "%.32s", digest);
	return r < 0 ? err_errno(err, r, "cannot name the start state") : 0;
}

static bool is_whole(const struct paths *paths, const char *name)
{
	autofd int dir = sandbox_open_dir(paths, SHELF_STARTS, name, NULL);
	struct saved saved;

	return dir >= 0 && saved_read(dir, "saved", &saved, NULL) == 0;
}

static int make(const struct paths *paths, const struct sandbox *shape, const struct template *template,
		const char *name, struct err *err)
{
	auto_stage struct stage stage = STAGE_NONE;
	struct sandbox machine = *shape;
	int r;

	snprintf(machine.name, sizeof(machine.name), "%s", name);
	machine.machine_id[0] = '\0';
	machine.workspace = NULL;
	machine.env = machine.guard = NULL;
	machine.shares = NULL;
	machine.n_shares = 0;
	(void)sandbox_remove(paths, SHELF_STARTS, name, NULL);
	r = stage_open(paths, SHELF_STARTS, &machine, &stage, err);
	r = r < 0 ? r : stage_make_disk(&stage, shape->disk_mib, err);
	r = r < 0 ? r : stage_publish(&stage, &machine, err);
	if (r < 0)
		return r;
	r = supervise(&(struct supervise){.name = name,
					  .what = "preparing",
					  .template = template,
					  .memory = -1,
					  .is_start = true},
		      err);
	if (r < 0)
		(void)sandbox_remove(paths, SHELF_STARTS, name, NULL);
	return r;
}

/* One at a time: whoever waits finds it made. Makers have limits, so the wait has one. */
static int lock_shelf(const struct paths *paths, struct err *err)
{
	autofd int shelf = sandbox_open_shelf(paths, SHELF_STARTS, err);
	autofd int lock = shelf < 0 ? -1 : openat(shelf, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (shelf < 0)
		return shelf;
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return err_errno(err, -errno, "cannot lock the start states");
	return steal_fd(&lock);
}

int start_state_obtain(const struct paths *paths, const struct sandbox *shape,
		       char ret_name[START_STATE_NAME_BYTES], struct err *err)
{
	auto_template struct template template = TEMPLATE_NONE;
	autofd int lock = -1;
	int r = template_obtain(paths, shape->template, &template, err);

	r = r < 0 ? r : make_name(paths, shape, &template, ret_name, err);
	if (r < 0 || is_whole(paths, ret_name))
		return r;
	lock = lock_shelf(paths, err);
	if (lock < 0 || is_whole(paths, ret_name))
		return lock < 0 ? lock : 0;
	log_line("what sandboxes of this size start from is made now, once; this takes about half a minute");
	r = make(paths, shape, &template, ret_name, err);
	if (r == 0)
		cache_trim(paths, ret_name);
	return r;
}
