#include "supervisor/monitor.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>

static void forget(struct monitor_command *command)
{
	free(command->text);
	if (command->fd >= 0)
		close(command->fd);
}

/* A command is far smaller than the socket's buffer: one that does not fit finds an engine that does not
 * read.
 */
static void send_first(struct monitor *monitor)
{
	struct monitor_command *command = &monitor->waiting[0];

	if (monitor->n_waiting > 0 &&
	    fd_send(monitor->fd, slice_text(command->text), &command->fd, command->fd >= 0 ? 1 : 0) < 0)
		log_line("the engine does not take commands");
}

static void take_answer(struct monitor *monitor, const char *error)
{
	struct monitor_command command;

	if (monitor->n_waiting == 0)
		return;
	command = monitor->waiting[0];
	monitor->n_waiting--;
	memmove(monitor->waiting, monitor->waiting + 1, monitor->n_waiting * sizeof(command));
	send_first(monitor);
	if (command.on_answer)
		command.on_answer(command.owner, error);
	else if (error)
		log_line("the engine says: %s", error);
	forget(&command);
}

static void take_line(struct monitor *monitor, struct slice line)
{
	struct qmp_message message;

	if (qmp_parse(line, &message) != PARSED_OK)
		return;
	switch (message.kind) {
	case QMP_RETURN:
		take_answer(monitor, NULL);
		return;
	case QMP_ERROR:
		take_answer(monitor, message.text);
		return;
	case QMP_EVENT:
		monitor->on_event(monitor->owner, &message);
		return;
	case QMP_GREETING:
		return;
	}
}

static void on_readable(uv_poll_t *watch, int status, int events)
{
	struct monitor *monitor = watch->data;
	ssize_t count = status < 0 ? status : buf_read_fd(&monitor->in, monitor->fd, QMP_LINE_MAX_BYTES);
	const char *end;

	(void)events;
	if (count == -EAGAIN)
		return;
	while (count > 0 && monitor->fd >= 0 && monitor->in.len > 0 &&
	       (end = memchr(buf_text(&monitor->in), '\n', monitor->in.len))) {
		size_t len = (size_t)(end - buf_text(&monitor->in));

		take_line(monitor, slice_of(buf_text(&monitor->in), len));
		buf_drop(&monitor->in, len + 1);
	}
	if (monitor->fd >= 0 && (count <= 0 || monitor->in.len > QMP_LINE_MAX_BYTES))
		uv_poll_stop(watch);
}

int monitor_open(struct monitor *monitor, uv_loop_t *loop, int fd,
		 void (*on_event)(void *owner, const struct qmp_message *event), void *owner)
{
	int r = fd_set_nonblock(fd);

	*monitor = (struct monitor){.fd = fd, .on_event = on_event, .owner = owner};
	r = r < 0 ? r : uv_poll_init(loop, &monitor->watch, fd);
	monitor->watch.data = monitor;
	r = r < 0 ? r : uv_poll_start(&monitor->watch, UV_READABLE, on_readable);
	/* Nothing else is answered before this. */
	return r < 0 ? r : monitor_ask(monitor, "qmp_capabilities", NULL, -1, NULL, NULL);
}

void monitor_close(struct monitor *monitor)
{
	if (monitor->fd < 0)
		return;
	uv_poll_stop(&monitor->watch);
	uv_close((uv_handle_t *)&monitor->watch, NULL);
	close(steal_fd(&monitor->fd));
	for (size_t i = 0; i < monitor->n_waiting; i++)
		forget(&monitor->waiting[i]);
	monitor->n_waiting = 0;
}

int monitor_ask(struct monitor *monitor, const char *command, json_t *arguments, int fd,
		monitor_answer *on_answer, void *owner)
{
	struct monitor_command *waiting = &monitor->waiting[monitor->n_waiting];
	auto_buf struct buf line = {0};
	int r = arguments ? qmp_format_with(&line, command, arguments) : qmp_format(&line, command);

	json_decref(arguments);
	if (r < 0)
		return r;
	if (monitor->fd < 0 || monitor->n_waiting == MONITOR_WAITING_MAX)
		return monitor->fd < 0 ? -ENOTCONN : -ENOBUFS;
	*waiting = (struct monitor_command){.text = strdup(buf_text(&line)),
					    .fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3),
					    .on_answer = on_answer,
					    .owner = owner};
	if (!waiting->text || (fd >= 0 && waiting->fd < 0)) {
		forget(waiting);
		return -ENOMEM;
	}
	if (monitor->n_waiting++ == 0)
		send_first(monitor);
	return 0;
}
