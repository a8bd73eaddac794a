/*
 * Carries FUSE messages between the guest's kernel and the server on the host, until the folder is unmounted.
 *
 * What it knows of each request that is not answered yet lets a session begin anew: the host's end may have
 * been replaced while this machine was saved, or have died.
 */
#pragma once

struct relay_place {
	int fuse;           /* /dev/fuse, mounted */
	int port;           /* the share's port */
	int root;           /* a view of the mount of this process's own, always writable */
	const char *target; /* where it is mounted */
};

/* Returns when the folder is unmounted, 0 or a negative errno. */
int relay_run(const struct relay_place *place);
