/* timerfd_create(2): a timer on the real-time clock that can be cancelled is readable when the clock is set.
 */
#include "supervisor/clock-watch.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* So far away that it is never due. */
static const time_t never = (time_t)1 << 40;

static int arm(int fd)
{
	const struct itimerspec far = {.it_value = {.tv_sec = never}};

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL) < 0 ? -errno : 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct clock_watch *watch = poll->data;
	uint64_t count;

	(void)status, (void)events;
	if (read(watch->fd, &count, sizeof(count)) < 0 && errno == ECANCELED)
		watch->on_jump(watch->owner);
	(void)arm(watch->fd);
}

int clock_watch_start(struct clock_watch *watch, uv_loop_t *loop, void (*on_jump)(void *owner), void *owner)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	int r = fd < 0 ? -errno : arm(fd);

	*watch = (struct clock_watch){.fd = fd, .on_jump = on_jump, .owner = owner};
	r = r < 0 ? r : uv_poll_init(loop, &watch->poll, fd);
	watch->poll.data = watch;
	return r < 0 ? r : uv_poll_start(&watch->poll, UV_READABLE, on_readable);
}
