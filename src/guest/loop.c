#include "guest/loop.h"

#include "base/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

enum { BATCH = 64 };

struct loop {
	int epoll;
	struct timer *timers; /* soonest first */
	struct epoll_event batch[BATCH];
	int n_batch;
	bool (*before_wait)(void *owner);
	void *owner;
};

int loop_new(struct loop **ret)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		int r = -errno;

		free(loop);
		return r;
	}
	*ret = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->timers)
		loop_stop_timer(loop->timers);
	close(loop->epoll);
	free(loop);
}

/* Events that epoll has already handed out for a watch that is no more must not reach it. */
static void forget_batch(struct loop *loop, const struct watch *watch)
{
	for (int i = 0; i < loop->n_batch; i++)
		if (loop->batch[i].data.ptr == watch)
			loop->batch[i].data.ptr = NULL;
}

int loop_watch(struct loop *loop, struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};
	int verb = watch->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == watch->events && watch->watched == (events != 0))
		return 0;
	if (events == 0) {
		verb = EPOLL_CTL_DEL;
		forget_batch(loop, watch);
	}
	if (epoll_ctl(loop->epoll, verb, watch->fd, &event) < 0)
		return -errno;
	watch->watched = events != 0;
	watch->events = events;
	return 0;
}

void loop_close(struct loop *loop, struct watch *watch)
{
	if (watch->fd < 0)
		return;
	(void)loop_watch(loop, watch, 0);
	close(steal_fd(&watch->fd));
}

void loop_set_timer(struct loop *loop, struct timer *timer, int64_t delay_ms)
{
	struct timer **at = &loop->timers;

	loop_stop_timer(timer);
	timer->due_ms = clock_ms() + delay_ms;
	while (*at && (*at)->due_ms <= timer->due_ms)
		at = &(*at)->next;
	timer->next = *at;
	timer->link = at;
	if (timer->next)
		timer->next->link = &timer->next;
	*at = timer;
}

void loop_stop_timer(struct timer *timer)
{
	if (!timer->link)
		return;
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	timer->link = NULL;
	timer->next = NULL;
}

void loop_before_wait(struct loop *loop, bool (*before_wait)(void *owner), void *owner)
{
	loop->before_wait = before_wait;
	loop->owner = owner;
}

static int wait_ms(const struct loop *loop, int64_t limit_ms)
{
	int64_t wait = limit_ms;

	if (loop->timers) {
		int64_t left = loop->timers->due_ms - clock_ms();

		left = left > 0 ? left : 0;
		wait = wait < 0 || left < wait ? left : wait;
	}
	return wait > INT_MAX ? INT_MAX : (int)wait;
}

static void run_timers(struct loop *loop)
{
	int64_t now = clock_ms();

	while (loop->timers && loop->timers->due_ms <= now) {
		struct timer *timer = loop->timers;

		loop_stop_timer(timer);
		timer->on_due(timer);
	}
}

int loop_turn(struct loop *loop, int64_t limit_ms)
{
	int count;

	if (loop->before_wait && loop->before_wait(loop->owner))
		limit_ms = 0;
	count = epoll_wait(loop->epoll, loop->batch, BATCH, wait_ms(loop, limit_ms));
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	loop->n_batch = count;
	for (int i = 0; i < loop->n_batch; i++) {
		struct watch *watch = loop->batch[i].data.ptr;

		if (watch)
			watch->on_event(watch, loop->batch[i].events);
	}
	loop->n_batch = 0;
	run_timers(loop);
	return 0;
}
