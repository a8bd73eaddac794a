/*
 * Where this user's state lies: the XDG base directories, or everything under $SBX_HOME.
 *
 *   config   $XDG_CONFIG_HOME/sbx    settings, policy
 *   data     $XDG_DATA_HOME/sbx      templates, sandboxes
 *   cache    $XDG_CACHE_HOME/sbx     snapshots, downloads, what can be made again
 *   run      $XDG_RUNTIME_DIR/sbx    sockets; a 0700 folder under /tmp where there is none
 */
#pragma once

#include "base/err.h"

enum { PATH_ROOM_BYTES = 1024 };

struct paths {
	char config[PATH_ROOM_BYTES];
	char data[PATH_ROOM_BYTES];
	char cache[PATH_ROOM_BYTES];
	char run[PATH_ROOM_BYTES];
};

/* Reads the environment and makes the four folders, which must belong to this user and to nobody else. */
int paths_open(struct paths *ret, struct err *err);

/*
 * The file `name` that belongs to this program: beside the running executable in the build folder, or
 * in libexec/sbx (programs) and share/sbx (data) of the same prefix once installed. Gives a string in `ret`.
 */
int paths_program(const char *name, char ret[PATH_ROOM_BYTES], struct err *err);
