/*
 * The virtual machine behind one interface. The engine is a program of its own, sbx-engine, which takes its
 * descriptors, gives up every right that it does not need, and becomes QEMU.
 */
#pragma once

#include "base/paths.h"
#include "wire/share.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { ENGINE_SHARES = SHARE_PORTS, ENGINE_TEXT_BYTES = 256 };

enum engine_accel { ENGINE_TCG, ENGINE_KVM };

const char *engine_accel_name(enum engine_accel accel);

/* How the machine's memory is mapped. */
enum engine_memory {
	ENGINE_MEMORY_OWN,    /* the file is this machine's: what it writes is there */
	ENGINE_MEMORY_SHARED, /* the file is sealed and many machines start from it: writes stay in the engine
			       */
};

struct engine_machine {
	enum engine_accel accel;
	unsigned cpus;
	uint64_t memory_mib;
	enum engine_memory memory;
	bool is_restored; /* waits for a saved state ("migrate-incoming") instead of booting */
};

/* All borrowed; -1 is "not connected", which only layer, network and share may be. */
struct engine_files {
	int kernel, initramfs, base, layer, disk; /* base and layer are only read */
	int memory;                               /* a memfd of the machine's size */
	int qmp, console, control, network;
	int share[ENGINE_SHARES];
	int errors; /* the engine's standard error */
};

/* Starts it; it dies with the calling thread. */
int engine_start(const struct engine_machine *machine, const struct engine_files *files, pid_t *ret_pid,
		 struct err *err);

enum engine_kvm {
	ENGINE_KVM_GOOD,
	ENGINE_KVM_ABSENT,
	ENGINE_KVM_FORBIDDEN,
	ENGINE_KVM_BUSY, /* another hypervisor has the processor: may be over soon, so it is not remembered */
	ENGINE_KVM_BROKEN, /* it opens, and runs no code */
	ENGINE_KVM_SLOW,   /* it opens, and runs code slower than emulation of our own does */
};

struct engine_probe {
	enum engine_kvm verdict;
	double million_turns;         /* a second, where code ran */
	int error;                    /* negative errno where it did not; -ETIME: it hung */
	bool is_fresh;                /* the probe ran now */
	char text[ENGINE_TEXT_BYTES]; /* a clause for a person */
};

/*
 * Is KVM usable? Lets a throw-away machine count for 50 ms, in a child with a limit, and remembers the answer
 * in the cache until the host boots again, or /dev/kvm or the user's rights on it change.
 */
int engine_probe(const struct paths *paths, struct engine_probe *ret, struct err *err);

/* Finds QEMU; -ENOENT with a sentence that names the package. Gives its path, a constant. */
int engine_find(const char **ret, struct err *err);

enum { ENGINE_KEY_BYTES = 65 };

/*
 * Names everything on this host that a machine's saved state depends on: engine and version, its arguments
 * and with them the set of devices, processor, sizes. Where two are equal, and the templates are the same,
 * one's state can be loaded by the other.
 */
int engine_key(const struct paths *paths, const struct engine_machine *machine, char ret[ENGINE_KEY_BYTES],
	       struct err *err);

/* The version line of QEMU, asked with a limit and remembered until its file changes. */
int engine_version(const struct paths *paths, char ret[ENGINE_TEXT_BYTES], struct err *err);
