/*
 * A sandbox as it lies on the disk: a folder <data>/sandboxes/<name> with
 *
 *   sandbox.json   what was asked for when it was made
 *   disk.img       its sparse disk
 *   saved/, base   where it goes on, unless it was shut down (saved.h)
 *   console.log    what the guest's kernel said, made printable and limited
 *   supervisor.log what its supervisor and the roles said
 *   ….log.1        the same of the run before
 *   authority      key and certificate of its own authority (PEM), from its first start on
 *   secrets.log    why credentials could not be renewed
 *   placeholders   what its placeholders of credentials are made from
 *   lock           locked by its supervisor while it runs, and by whoever removes it
 *
 * Named snapshots (<data>/snapshots/<name>) and what new sandboxes start from (<cache>/starts/<key>) are such
 * folders too, on other shelves. A folder appears under its name only when it is whole (rename), and leaves
 * the name before it is emptied.
 */
#pragma once

#include "base/paths.h"
#include "engine/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SANDBOX_NAME_MIN = 1, SANDBOX_NAME_MAX = 63, SANDBOX_ENV_MAX = 1024 };

#define SANDBOX_NAME_RULE "use 1 to 63 letters, digits, '-' and '.', the first one a letter or digit"

#define SANDBOX_AUTHORITY "authority"

enum { SANDBOX_AUTHORITY_MAX_BYTES = 65536 };

enum shelf { SHELF_SANDBOXES, SHELF_SNAPSHOTS, SHELF_STARTS };

/* A folder or file of the host that the sandbox works in. */
struct sandbox_share {
	char *source;  /* its path on the host, absolute and without links */
	char *target;  /* its path inside */
	unsigned port; /* number of its sbx.share port, the same for as long as it is mounted */
	bool is_read_only, is_file;
	bool is_gone; /* taken away while the sandbox was stopped; a guest that was suspended still has it */
};

struct sandbox {
	char name[SANDBOX_NAME_MAX + 1];
	char *agent;
	char *workspace; /* the folder it was made for, shared or not; NULL for none */
	char *template;
	unsigned cpus;
	uint64_t memory_mib, disk_mib;
	char **env;                   /* NULL-ended NAME=VALUE; may be NULL */
	struct sandbox_share *shares; /* what lies inside another follows it; at most ENGINE_SHARES */
	size_t n_shares;
	char **guard; /* NULL-ended rules of its own for guarded files, such as "allow PATTERN"; may be NULL
		       */
	char machine_id[33];
	int64_t created; /* seconds since 1970 */
};

void sandbox_done(struct sandbox *sandbox);
#define auto_sandbox __attribute__((cleanup(sandbox_done)))

bool sandbox_name_ok(const char *name);

/* What a person calls what lies there. */
const char *sandbox_word(enum shelf shelf);

/* Opens the folder of all of them, which is made if need be. */
int sandbox_open_shelf(const struct paths *paths, enum shelf shelf, struct err *err);

/*
 * Adds a copy of *share at the place where it belongs, with the lowest port that is free. -EEXIST when there
 * is one of the same target, -E2BIG when there are as many as a machine can have.
 */
int sandbox_add_share(struct sandbox *sandbox, const struct sandbox_share *share, struct err *err);

/* The one that is not gone and has this path as its target (there is one at most) or else as its source; or
 * NULL. */
struct sandbox_share *sandbox_find_share(const struct sandbox *sandbox, const char *path);

/* Forgets one of its shares; pointers to others are good no more. */
void sandbox_drop_share(struct sandbox *sandbox, struct sandbox_share *share);

/* Reads one; -ENOENT when there is none of that name. Free with sandbox_done(). */
int sandbox_load(const struct paths *paths, enum shelf shelf, const char *name, struct sandbox *ret,
		 struct err *err);

/* Opens its folder. Returns the descriptor or a negative errno with a sentence. */
int sandbox_open_dir(const struct paths *paths, enum shelf shelf, const char *name, struct err *err);

/* The names of all, sorted, NULL-ended, in one block to be freed with sandbox_names_free(). Tidies left-overs
 * up. */
int sandbox_names(const struct paths *paths, enum shelf shelf, char ***ret, struct err *err);
void sandbox_names_free(char **names);

/* Removes one that is not in use; -EBUSY when it is. */
int sandbox_remove(const struct paths *paths, enum shelf shelf, const char *name, struct err *err);

/*
 * Takes the lock that says "this one runs" or "this one goes". Returns a descriptor to be kept open; -EBUSY
 * when somebody has it and keeps it for limit_s.
 */
int sandbox_lock(int dir_fd, unsigned limit_s);
