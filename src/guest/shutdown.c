#include "guest/shutdown.h"

#include "base/log.h"
#include "guest/docker.h"
#include "guest/mounts.h"
#include "guest/port.h"
#include "guest/share.h"

#include <errno.h>
#include <signal.h>
#include <sys/reboot.h>

enum { DOCKER_LIMIT_MS = 10000, TERM_LIMIT_MS = 5000, KILL_LIMIT_MS = 2000, ANSWER_LIMIT_MS = 1000 };

enum step { STOP_DOCKER, TERMINATE, KILL, ANSWER };

struct shutdown {
	struct handler handler;
	struct guest *guest;
	struct h2_stream *stream; /* NULL when nobody waits for the answer any more */
	struct timer timer;
	enum step step;
};

static void on_data(struct handler *handler, struct h2_stream *stream, struct slice data)
{
	(void)handler;
	h2_consume(stream, data.len);
}

static void power_off(void)
{
	(void)reboot(RB_POWER_OFF);
}

/* The answer has been taken when its stream is over. */
static void on_close(struct handler *handler)
{
	struct shutdown *shutdown = (struct shutdown *)handler;

	shutdown->stream = NULL;
	if (shutdown->step == ANSWER)
		power_off();
}

/* The host ends its wait with the machine itself, so an answer that is not taken costs a moment. */
static void answer(struct shutdown *shutdown)
{
	shutdown->step = ANSWER;
	mounts_close();
	loop_set_timer(shutdown->guest->loop, &shutdown->timer, ANSWER_LIMIT_MS);
	if (!shutdown->stream)
		return;
	(void)h2_respond(shutdown->stream, 204);
	h2_end(shutdown->stream);
	(void)port_flush(shutdown->guest->port);
}

static void kill_all(struct shutdown *shutdown)
{
	shutdown->step = KILL;
	kill(-1, SIGKILL);
	loop_set_timer(shutdown->guest->loop, &shutdown->timer, children_none() ? 0 : KILL_LIMIT_MS);
}

/* Whoever carries the files of others goes last. */
static bool only_carriers_are_left(void)
{
	return children_none() || children_count() <= share_carriers();
}

static void terminate_all(struct shutdown *shutdown)
{
	shutdown->step = TERMINATE;
	kill(-1, SIGTERM);
	kill(-1, SIGHUP); /* what an interactive shell heeds */
	loop_set_timer(shutdown->guest->loop, &shutdown->timer, only_carriers_are_left() ? 0 : TERM_LIMIT_MS);
}

static void on_timer(struct timer *timer)
{
	struct shutdown *shutdown = holder_of(timer, struct shutdown, timer);

	switch (shutdown->step) {
	case STOP_DOCKER:
		terminate_all(shutdown);
		return;
	case TERMINATE:
		kill_all(shutdown);
		return;
	case KILL:
		answer(shutdown);
		return;
	case ANSWER:
		power_off();
		return;
	}
}

/* From inside dockerd's own callback: the next step is the timer's. */
static void on_docker_stopped(void *owner)
{
	struct shutdown *shutdown = owner;

	if (shutdown->step == STOP_DOCKER)
		loop_set_timer(shutdown->guest->loop, &shutdown->timer, 0);
}

static void on_reaped(void *owner)
{
	struct shutdown *shutdown = owner;

	if ((shutdown->step == TERMINATE && only_carriers_are_left()) ||
	    (shutdown->step == KILL && children_none()))
		loop_set_timer(shutdown->guest->loop, &shutdown->timer, 0);
}

int shutdown_begin(struct guest *guest, struct h2_stream *stream)
{
	static const struct handler_ops ops = {.on_data = on_data, .on_close = on_close};
	struct shutdown *shutdown;

	if (guest->is_ending)
		return -EALREADY;
	shutdown = calloc(1, sizeof(*shutdown));
	if (!shutdown)
		return -ENOMEM;
	guest->is_ending = true;
	*shutdown = (struct shutdown){.handler = {&ops},
				      .guest = guest,
				      .stream = stream,
				      .timer = {.on_due = on_timer},
				      .step = STOP_DOCKER};
	h2_set_data(stream, &shutdown->handler);
	children_on_reaped(guest->children, on_reaped, shutdown);
	loop_set_timer(guest->loop, &shutdown->timer, DOCKER_LIMIT_MS);
	docker_stop(guest->docker, on_docker_stopped, shutdown);
	return 0;
}
