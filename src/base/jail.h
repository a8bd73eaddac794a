/*
 * What a role may still do, given up in named steps at the top of its main. A step that the host cannot take
 * is reported with -EOPNOTSUPP and left to the role, and jail_host() tells what there is.
 *
 *   environment    emptied
 *   descriptors    none but the named ones
 *   limits         no core dumps; open files and the size of written files bounded
 *   privileges     no new ones through exec; every capability dropped, also for root
 *   files          Landlock: only the named folders and files
 *   connections    Landlock, Linux 6.7: no TCP
 *   signals        Landlock, Linux 6.12: none, and no abstract Unix sockets, to processes outside
 *   calls          seccomp: only the named calls, or all but those that no guest's business needs
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum jail_step {
	JAIL_ENVIRONMENT,
	JAIL_DESCRIPTORS,
	JAIL_LIMITS,
	JAIL_PRIVILEGES,
	JAIL_FILES,
	JAIL_CONNECTIONS, /* with JAIL_FILES */
	JAIL_SIGNALS,     /* with JAIL_FILES */
	JAIL_CALLS,
	JAIL_STEPS,
};

/* JAIL_RUN and JAIL_WRITE below one another's folders would let a program be written and run. */
enum jail_access {
	JAIL_READ = 1,
	JAIL_RUN = 2,    /* read, and execute */
	JAIL_WRITE = 4,  /* write, make, remove, rename; not device nodes */
	JAIL_DEVICE = 8, /* read, write and control a device */
};

/* What a role keeps of the file system: a path, or with path NULL the descriptor fd. Paths that do not exist
 * are passed over. */
struct jail_rule {
	const char *path;
	int fd;
	unsigned access; /* of enum jail_access */
};

/* Also wipes what /proc/PID/environ shows of it. */
int jail_environment(void);

/* Closes every descriptor from first_unused on. */
int jail_descriptors(int first_unused);

/* max_files open at once; file_bytes is the largest size that a file may be written to, 0 for no bound. */
int jail_limits(unsigned max_files, uint64_t file_bytes);

/* Bounds one more resource (RLIMIT_...) for good. A limit that is lower already stays. */
int jail_limit(int resource, uint64_t max);

/* may_be_read: the parent may look into this process's memory (another user's process never). */
int jail_privileges(bool may_be_read);

/*
 * -EOPNOTSUPP on a host without Landlock; an older one does what it can, see jail_lacks(). Descriptors that
 * are open stay as they are. Connecting to a Unix socket that has a path is not covered: refuse connect()
 * where that matters.
 */
int jail_files(const struct jail_rule *rules, size_t count);

/* The same for a role whose business is TCP. */
int jail_files_but_tcp(const struct jail_rule *rules, size_t count);

/* Any other call kills the process; -EOPNOTSUPP on a host without seccomp filters. clone3 and io_uring_setup
 * answer ENOSYS, which libraries take for an older kernel. */
int jail_calls_only(const int *calls, size_t count);

struct jail_narrow {
	int call;
	unsigned argument; /* from 0 on; it must be 0 */
};

/* The same, and leaves some calls with an argument of 0 only: where that is a path, with a descriptor alone.
 */
int jail_calls_only_and(const int *calls, size_t count, const struct jail_narrow *narrow, size_t n_narrow);

/* The same, and sockets of the Internet's protocols: no Unix ones, which Landlock does not cover. */
int jail_calls_only_inet(const int *calls, size_t count);

/*
 * For programs that change from version to version: refuses (EPERM) tracing, mounting, name
 * spaces, kernel keys, modules, BPF, userfaultfd, performance counters, and sockets other than Unix ones.
 * Reading and writing the memory of one's children stays, which saves and restores machines.
 */
int jail_calls_except(void);

/* The same, and refuses the named calls too. */
int jail_calls_except_also(const int *calls, size_t count);

/* The same, but leaves the named calls. */
int jail_calls_except_but(const int *calls, size_t count);

struct jail_host {
	const char *name;
	bool is_available;
	char detail[64];
};

/* What this host offers for each step. */
void jail_host(struct jail_host ret[JAIL_STEPS]);

enum { JAIL_TEXT_BYTES = 128 };

/* True if this host lacks any of it; then names the steps, "connections, signals", for a role to say at its
 * start. */
bool jail_lacks(char ret[JAIL_TEXT_BYTES]);

/* The Landlock ABI of this host, 0 for none. */
int jail_landlock_abi(void);

bool jail_has_seccomp(void);
