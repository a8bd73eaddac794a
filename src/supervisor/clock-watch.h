/* Tells when the host's clock has jumped: set by hand or by NTP, or after the host has slept. */
#pragma once

#include <uv.h>

struct clock_watch {
	uv_poll_t poll;
	int fd; /* owned */
	void (*on_jump)(void *owner);
	void *owner;
};

int clock_watch_start(struct clock_watch *watch, uv_loop_t *loop, void (*on_jump)(void *owner), void *owner);
