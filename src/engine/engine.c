#include "engine/engine.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/spawn.h"
#include "base/text.h"
#include "engine/engine-fds.h"
#include "engine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

enum { VERSION_LIMIT_MS = 10000, VERSION_MAX_BYTES = 4096 };

const char *engine_accel_name(enum engine_accel accel)
{
	return accel == ENGINE_KVM ? "kvm" : "tcg";
}

int engine_find(const char **ret, struct err *err)
{
	static const char *const places[] = {"/usr/bin/qemu-system-x86_64",
					     "/usr/local/bin/qemu-system-x86_64", "/usr/libexec/qemu-kvm"};

	for (size_t i = 0; i < array_len(places); i++) {
		if (access(places[i], X_OK) == 0) {
			*ret = places[i];
			return 0;
		}
	}
	return err_set(err, -ENOENT, "QEMU is not installed: install the package qemu-system-x86");
}

static int ask_version(const char *program, struct buf *ret, struct err *err)
{
	const char *const argv[] = {program, "--version", NULL};
	auto_buf struct buf text = {0};
	int status = 0;
	int r = spawn_ask(program, argv, VERSION_LIMIT_MS, VERSION_MAX_BYTES, &text, &status, err);

	if (r < 0)
		return r;
	if (status != 0)
		return err_set(err, -EIO, "'%s' cannot tell its version", program);
	return text_printable(ret, slice_of(buf_text(&text), strcspn(buf_text(&text), "\n")), false);
}

int engine_version(const struct paths *paths, char ret[ENGINE_TEXT_BYTES], struct err *err)
{
	static const char memory_file[] = "qemu.json";
	auto_buf struct buf version = {0};
	char key[MEMORY_KEY_BYTES];
	const char *program;
	struct stat info;
	json_t *known;
	int r = engine_find(&program, err);

	if (r < 0)
		return r;
	if (stat(program, &info) < 0)
		return err_errno(err, -errno, "cannot look at '%s'", program);
	snprintf(key, sizeof(key), "%s %lld %lld.%09ld", program, (long long)info.st_size,
		 (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
	known = memory_recall(paths, memory_file, key);
	if (json_is_string(known))
		r = text_printable(&version, slice_text(json_string_value(known)), false);
	json_decref(known);
	if (r == 0 && version.len == 0) {
		r = ask_version(program, &version, err);
		if (r == 0)
			memory_keep(paths, memory_file, key, json_string(buf_text(&version)));
	}
	if (r < 0)
		return r;
	snprintf(ret, ENGINE_TEXT_BYTES, "%s", buf_text(&version));
	return 0;
}

int engine_start(const struct engine_machine *machine, const struct engine_files *files, pid_t *ret_pid,
		 struct err *err)
{
	char program[PATH_ROOM_BYTES], cpus[16], memory[24];
	const char *const argv[] = {"sbx-engine",
				    engine_accel_name(machine->accel),
				    cpus,
				    memory,
				    machine->memory == ENGINE_MEMORY_SHARED ? "shared" : "own",
				    machine->is_restored ? "restore" : "boot",
				    NULL};
	struct spawn spawn = {
		.program = program,
		.argv = argv,
		.fds = {-1, files->errors, files->errors, [ENGINE_KERNEL_FD] = files->kernel,
			[ENGINE_INITRAMFS_FD] = files->initramfs, [ENGINE_BASE_FD] = files->base,
			[ENGINE_LAYER_FD] = files->layer, [ENGINE_DISK_FD] = files->disk,
			[ENGINE_MEMORY_FD] = files->memory, [ENGINE_QMP_FD] = files->qmp,
			[ENGINE_CONSOLE_FD] = files->console, [ENGINE_CONTROL_FD] = files->control,
			[ENGINE_NETWORK_FD] = files->network},
		.n_fds = ENGINE_FDS,
		.death_signal = SIGKILL};
	const char *qemu;
	int r = engine_find(&qemu, err);

	r = r < 0 ? r : paths_program("sbx-engine", program, err);
	if (r < 0)
		return r;
	for (int i = 0; i < ENGINE_SHARES; i++)
		spawn.fds[ENGINE_SHARE_FD + i] = files->share[i];
	snprintf(cpus, sizeof(cpus), "%u", machine->cpus);
	snprintf(memory, sizeof(memory), "%llu", (unsigned long long)machine->memory_mib);
	return spawn_start(&spawn, ret_pid, err);
}
