/* Asks `sbx-engine probe` whether KVM is usable, and remembers what it said. */
#include "engine/engine.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/spawn.h"
#include "engine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { PROBE_LIMIT_MS = 2000, BOOT_ID_BYTES = 64, ANSWER_MAX_BYTES = 64 };

/* An emulating KVM counts 1 million, one nested in emulation 120 to 200 million, hardware billions. */
enum { GOOD_MILLION_TURNS = 20 };

static const char memory_file[] = "kvm.json";

/* Everything that the answer depends on. */
static int make_key(char ret[MEMORY_KEY_BYTES])
{
	autofd int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	auto_buf struct buf boot = {0};
	struct stat info = {0};
	int r = fd < 0 ? -errno : fd_read_all(fd, BOOT_ID_BYTES, &boot);

	if (r < 0)
		return r;
	(void)stat("/dev/kvm", &info);
	snprintf(ret, MEMORY_KEY_BYTES, "%.36s %o %u:%u %u %d", buf_text(&boot), info.st_mode, info.st_uid,
		 info.st_gid, geteuid(), access("/dev/kvm", R_OK | W_OK));
	return 0;
}

static bool remember(const struct paths *paths, const char *key, struct engine_probe *ret)
{
	json_t *json = memory_recall(paths, memory_file, key);
	int verdict, error;
	double turns;
	bool is_known = json_unpack(json, "{s:i, s:i, s:F}", "verdict", &verdict, "error", &error, "turns",
				    &turns) == 0 &&
			verdict >= ENGINE_KVM_GOOD && verdict <= ENGINE_KVM_SLOW;

	json_decref(json);
	if (is_known)
		*ret = (struct engine_probe){
			.verdict = (enum engine_kvm)verdict, .error = error, .million_turns = turns};
	return is_known;
}

static void keep(const struct paths *paths, const char *key, const struct engine_probe *probe)
{
	if (probe->verdict != ENGINE_KVM_BUSY)
		memory_keep(paths, memory_file, key,
			    json_pack("{s:i, s:i, s:f}", "verdict", (int)probe->verdict, "error",
				      probe->error, "turns", probe->million_turns));
}

/* No answer within the limit is an answer too. */
static int run_probe(struct buf *answer, struct err *err)
{
	static const char *const argv[] = {"sbx-engine", "probe", NULL};
	char program[PATH_ROOM_BYTES];
	int status;
	int r = paths_program("sbx-engine", program, err);

	r = r < 0 ? r : spawn_ask(program, argv, PROBE_LIMIT_MS, ANSWER_MAX_BYTES, answer, &status, err);
	return r == -ETIME ? 0 : r;
}

static void judge(const char *answer, struct engine_probe *ret)
{
	double turns = 0;
	int error;

	if (answer[0] == '\0')
		error = -ETIME;
	else if (sscanf(answer, "%d %lf", &error, &turns) != 2)
		error = -EPROTO;
	ret->error = error < 0 ? error : 0;
	ret->million_turns = error < 0 ? 0 : turns;
	if (error == -EBUSY)
		ret->verdict = ENGINE_KVM_BUSY;
	else if (error < 0)
		ret->verdict = ENGINE_KVM_BROKEN;
	else
		ret->verdict = turns >= GOOD_MILLION_TURNS ? ENGINE_KVM_GOOD : ENGINE_KVM_SLOW;
}

static int measure(struct engine_probe *ret, struct err *err)
{
	auto_buf struct buf answer = {0};
	int r;

	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		ret->verdict = errno == ENOENT ? ENGINE_KVM_ABSENT : ENGINE_KVM_FORBIDDEN;
		return 0;
	}
	r = run_probe(&answer, err);
	if (r < 0)
		return r;
	judge(buf_text(&answer), ret);
	return 0;
}

static void explain(struct engine_probe *probe)
{
	switch (probe->verdict) {
	case ENGINE_KVM_GOOD:
		snprintf(probe->text, sizeof(probe->text), "KVM is usable (%.0f million turns a second)",
			 probe->million_turns);
		return;
	case ENGINE_KVM_ABSENT:
		snprintf(probe->text, sizeof(probe->text), "this machine has no /dev/kvm");
		return;
	case ENGINE_KVM_FORBIDDEN:
		snprintf(probe->text, sizeof(probe->text),
			 "you may not use /dev/kvm ('sudo usermod -aG kvm $USER' and a new login allow it)");
		return;
	case ENGINE_KVM_BUSY:
		snprintf(probe->text, sizeof(probe->text),
			 "/dev/kvm is in use by another hypervisor, such as VirtualBox");
		return;
	case ENGINE_KVM_BROKEN:
		snprintf(probe->text, sizeof(probe->text), "/dev/kvm is there and runs no code (%s)",
			 probe->error == -ETIME ? "it hangs" : strerror(-probe->error));
		return;
	case ENGINE_KVM_SLOW:
		snprintf(probe->text, sizeof(probe->text),
			 "/dev/kvm is there but only emulated (%.1f million turns a second)",
			 probe->million_turns);
		return;
	}
}

int engine_probe(const struct paths *paths, struct engine_probe *ret, struct err *err)
{
	struct engine_probe probe = {0};
	char key[MEMORY_KEY_BYTES];
	int r = make_key(key);

	if (r < 0)
		return err_errno(err, r, "cannot look for an earlier answer about KVM");
	if (!remember(paths, key, &probe)) {
		r = measure(&probe, err);
		if (r < 0)
			return r;
		probe.is_fresh = true;
		keep(paths, key, &probe);
	}
	explain(&probe);
	*ret = probe;
	return 0;
}
