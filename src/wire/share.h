/*
 * What the server of a shared folder and the guest program say to each other besides FUSE (linux/fuse.h).
 * Both ways the stream is FUSE messages; those of the server that carry no request's number are
 * notifications: the kernel's own codes are passed on to it, these are for the guest program.
 */
#pragma once

#include <stdint.h>

/* Each folder that is shared has a port of its own: sbx.share.0 and so on. */
enum { SHARE_PORTS = 16 };

enum share_notify {
	SHARE_NOTIFY_WELCOME = 1000, /* the first message of a session: a struct share_welcome */
	SHARE_NOTIFY_TOUCH,          /* a struct share_touch and a name that ends with a NUL */
	SHARE_NOTIFY_DROP,           /* what is cached and not in use may be stale */
};

/* A server that does not know the guest's numbers any more: what was asked of the last one is lost. */
struct share_welcome {
	uint32_t is_continued;
};

/*
 * A program on the host has changed that entry of that folder; with an empty name, the folder itself. Whoever
 * watches it inside is to be told: setting this time, which the server answers without doing it, makes
 * the guest's kernel tell them of a modification.
 */
struct share_touch {
	uint64_t dir;
};

#define SHARE_TOUCH_SECONDS     (-9000000000LL)
#define SHARE_TOUCH_NANOSECONDS 424242424
