/*
 * The event loop: descriptors and timers that live inside their owners' structs. A handler may unwatch, stop
 * and free anything, itself included; nothing is called for it afterwards.
 */
#pragma once

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

struct watch {
	void (*on_event)(struct watch *watch, uint32_t events);
	int fd;
	bool watched;
	uint32_t events;
};

struct timer {
	void (*on_due)(struct timer *timer);
	struct timer *next, **link; /* link is NULL while the timer is not set */
	int64_t due_ms;
};

/* The struct that holds the member, from a pointer to the member. */
#define holder_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

int loop_new(struct loop **ret);
void loop_free(struct loop *loop);

/* Sets what is waited for; 0 stops it. Hang-ups are only reported while something is waited for. */
int loop_watch(struct loop *loop, struct watch *watch, uint32_t events);

/* Stops watching and closes the descriptor. */
void loop_close(struct loop *loop, struct watch *watch);

/* Starts the timer anew; it is due once. */
void loop_set_timer(struct loop *loop, struct timer *timer, int64_t delay_ms);
void loop_stop_timer(struct timer *timer);

/*
 * Called each time before the loop waits: the place to pass on what the handlers have gathered. Returns true
 * when it wants to be called again without waiting for an event.
 */
void loop_before_wait(struct loop *loop, bool (*before_wait)(void *owner), void *owner);

/* Waits once, at most limit_ms (negative: without limit), and calls what is due. */
int loop_turn(struct loop *loop, int64_t limit_ms);
