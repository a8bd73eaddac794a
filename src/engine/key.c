/* The key of a machine's saved state. */
#include "engine/engine.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/hash.h"
#include "engine/engine-fds.h"
#include "engine/qemu-args.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { CPUINFO_MAX_BYTES = 4 << 20 };

/* Under KVM the guest has seen the host's processor: the first one's description tells which it is. */
static int add_processor(struct buf *into)
{
	static const char *const names[] = {"vendor_id",  "cpu family", "model\t",
					    "model name", "stepping",   "flags"};
	autofd int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	auto_buf struct buf text = {0};
	const char *end;
	int r = fd < 0 ? -errno : fd_read_all(fd, CPUINFO_MAX_BYTES, &text);

	if (r < 0)
		return r;
	end = strstr(buf_text(&text), "\n\n");
	for (const char *line = buf_text(&text); line && *line && line != end;) {
		const char *next = strchr(line, '\n');
		size_t len = next ? (size_t)(next + 1 - line) : strlen(line);

		for (size_t i = 0; r == 0 && i < array_len(names); i++)
			if (strncmp(line, names[i], strlen(names[i])) == 0)
				r = buf_append(into, slice_of(line, len));
		line = next == end ? NULL : line + len;
	}
	return r;
}

/* The arguments as they would be with nothing connected: what differs between two starts is left out. So is
 * the layer, which comes with a template. */
static int add_args(struct buf *into, const struct engine_machine *machine)
{
	const struct engine_machine plain = {
		.accel = machine->accel, .cpus = machine->cpus, .memory_mib = machine->memory_mib};
	const bool connected[ENGINE_FDS] = {false};
	struct qemu_args *args;
	int r = qemu_args_new("qemu", &plain, connected, &args);

	if (r < 0)
		return r;
	for (char *const *arg = qemu_args_list(args); r == 0 && *arg; arg++)
		r = buf_printf(into, "%s\n", *arg);
	qemu_args_free(args);
	return r;
}

int engine_key(const struct paths *paths, const struct engine_machine *machine, char ret[ENGINE_KEY_BYTES],
	       struct err *err)
{
	char version[ENGINE_TEXT_BYTES];
	auto_buf struct buf all = {0};
	int r = engine_version(paths, version, err);

	if (r < 0)
		return r;
	r = buf_printf(&all, "%s\n", version);
	r = r < 0 ? r : add_args(&all, machine);
	if (machine->accel == ENGINE_KVM)
		r = r < 0 ? r : add_processor(&all);
	r = r < 0 ? r : hash_bytes(buf_slice(&all), ret);
	return r < 0 ? err_errno(err, r, "cannot tell what a saved state would depend on") : 0;
}
