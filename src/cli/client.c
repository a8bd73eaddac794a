#include "cli/client.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "supervisor/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

enum {
	NAME_ROOM_BYTES = 80,
	ANSWER_MAX_BYTES = 65536,
	READ_BYTES = 4096,
	MEMORY_LIMIT_MS = 100,
	MEMORY_ASKED_MAX = 64
};

const char *const client_state_names[] = {
	[CLIENT_STOPPED] = "stopped",
	[CLIENT_STARTING] = "starting",
	[CLIENT_RUNNING] = "running",
	[CLIENT_PAUSED] = "paused",
	[CLIENT_STOPPING] = "stopping",
	[CLIENT_DISK_FULL] = "disk full",
	[CLIENT_NOT_ANSWERING] = "not answering",
};

struct question {
	int fd; /* -1 once it is over */
	struct buf answer;
};

static int connect_in(int run_dir, const char *name)
{
	char socket_name[NAME_ROOM_BYTES];

	snprintf(socket_name, sizeof(socket_name), "%s.sock", name);
	return fd_connect_unix(run_dir, socket_name);
}

static enum client_state state_of(const json_t *reply)
{
	const char *state = json_string_value(json_object_get(reply, "state"));

	for (int i = CLIENT_STARTING; state && i <= CLIENT_DISK_FULL; i++)
		if (strcmp(state, client_state_names[i]) == 0)
			return (enum client_state)i;
	return CLIENT_NOT_ANSWERING;
}

static int send_question(int fd, const char *op, int file)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"op\":\"%s\"}\n", op);
	return (int)fd_send(fd, slice_text(text), &file, file > 0 ? 1 : 0);
}

static void begin(int run_dir, const char *op, struct client_status *status, struct question *question)
{
	question->fd = connect_in(run_dir, status->name);
	status->reply = NULL;
	status->state = question->fd == -ENOENT || question->fd == -ECONNREFUSED ? CLIENT_STOPPED
										 : CLIENT_NOT_ANSWERING;
	if (question->fd >= 0 && send_question(question->fd, op, status->file) < 0)
		close(steal_fd(&question->fd));
}

/* A supervisor that closes without an answer has just ended. */
static void go_on(struct client_status *status, struct question *question)
{
	ssize_t count = buf_read_fd(&question->answer, question->fd, READ_BYTES);
	const char *end = memchr(buf_text(&question->answer), '\n', question->answer.len);

	if (count == -EAGAIN || (count > 0 && !end && question->answer.len < ANSWER_MAX_BYTES))
		return;
	if (end) {
		status->reply = json_loadb(buf_text(&question->answer),
					   (size_t)(end - buf_text(&question->answer)), 0, NULL);
		status->state = state_of(status->reply);
	} else {
		status->state = CLIENT_STOPPED;
	}
	close(steal_fd(&question->fd));
}

static void wait_all(struct client_status *list, struct question *questions, size_t count,
		     int64_t deadline_ms)
{
	autofree struct pollfd *polls = calloc(count + 1, sizeof(*polls));
	int64_t left;

	while (polls && (left = deadline_ms - clock_ms()) > 0) {
		size_t n_open = 0;

		for (size_t i = 0; i < count; i++) {
			polls[i] = (struct pollfd){.fd = questions[i].fd, .events = POLLIN};
			n_open += questions[i].fd >= 0;
		}
		if (n_open == 0 || poll(polls, count, (int)left) <= 0)
			return;
		for (size_t i = 0; i < count; i++)
			if (polls[i].fd >= 0 && polls[i].revents)
				go_on(&list[i], &questions[i]);
	}
}

void client_statuses_of(const struct paths *paths, const char *op, struct client_status *list, size_t count,
			int limit_ms)
{
	autofree struct question *questions = calloc(count + 1, sizeof(*questions));
	int64_t deadline_ms = clock_ms() + limit_ms;
	autofd int run_dir = file_open_dir(AT_FDCWD, paths->run);

	for (size_t i = 0; questions && i < count; i++)
		begin(run_dir, op, &list[i], &questions[i]);
	if (questions)
		wait_all(list, questions, count, deadline_ms);
	for (size_t i = 0; questions && i < count; i++) {
		if (questions[i].fd >= 0)
			close(questions[i].fd);
		buf_done(&questions[i].answer);
	}
}

void client_statuses(const struct paths *paths, struct client_status *list, size_t count, int limit_ms)
{
	client_statuses_of(paths, "status", list, count, limit_ms);
}

int client_connect(const struct paths *paths, const char *name, struct err *err)
{
	autofd int run_dir = file_open_dir(AT_FDCWD, paths->run);
	int fd = run_dir < 0 ? run_dir : connect_in(run_dir, name);

	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return err_set(err, -ECONNREFUSED, "sandbox '%s' is not running", name);
	if (fd == -EAGAIN)
		return err_set(err, fd, "the supervisor of sandbox '%s' does not answer", name);
	return fd < 0 ? err_errno(err, fd, "cannot reach the supervisor of sandbox '%s'", name) : fd;
}

/* Byte by byte: what follows the line is not ours to read. The line is short. */
static int read_line(int fd, int limit_ms, struct buf *ret, struct err *err)
{
	int64_t deadline_ms = clock_ms() + limit_ms;

	while (ret->len < ANSWER_MAX_BYTES) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		int64_t left = deadline_ms - clock_ms();
		ssize_t count = buf_read_fd(ret, fd, 1);

		if (count == 1 && buf_text(ret)[ret->len - 1] == '\n')
			return 0;
		if (count == 0)
			return err_set(err, -EPIPE, "the supervisor ended without an answer");
		if (count == -EAGAIN && (left <= 0 || poll(&readable, 1, (int)left) == 0))
			return err_set(err, -ETIME, "the supervisor does not answer");
		if (count < 0 && count != -EAGAIN)
			return err_errno(err, (int)count, "the supervisor cannot be heard");
	}
	return err_set(err, -EBADMSG, "the supervisor's answer has no end");
}

int client_ask_with_files(int fd, json_t *request, const int *fds, size_t n_fds, int limit_ms,
			  json_t **ret_reply, struct err *err)
{
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	auto_buf struct buf line = {0};
	const char *error;
	json_t *reply;
	int r = text ? buf_printf(&line, "%s\n", text) : -ENOMEM;

	free(text);
	json_decref(request);
	r = r < 0 ? r : (int)fd_send(fd, buf_slice(&line), fds, n_fds);
	if (r < 0)
		return err_errno(err, r, "the supervisor cannot be asked");
	buf_clear(&line);
	r = read_line(fd, limit_ms, &line, err);
	if (r < 0)
		return r;
	reply = json_loadb(buf_text(&line), line.len, 0, NULL);
	error = json_string_value(json_object_get(reply, "error"));
	if (!json_is_true(json_object_get(reply, "ok")))
		r = err_set(err, -EREMOTEIO, "%s", error ? error : "the supervisor's answer makes no sense");
	if (r == 0 && ret_reply)
		*ret_reply = json_incref(reply);
	json_decref(reply);
	return r;
}

int client_ask_with(int fd, json_t *request, int limit_ms, json_t **ret_reply, struct err *err)
{
	return client_ask_with_files(fd, request, NULL, 0, limit_ms, ret_reply, err);
}

int client_ask(int fd, const char *op, int limit_ms, struct err *err)
{
	return client_ask_with(fd, json_pack("{s:s}", "op", op), limit_ms, NULL, err);
}

/* The answer of one that has it is {"ok": true} with the descriptor. */
static int take_memory(int fd)
{
	char bytes[READ_BYTES];
	size_t count = 0;
	int memory = -1;

	return fd_receive(fd, bytes, sizeof(bytes), &memory, 1, &count) > 0 && count == 1 ? memory : -1;
}

static int wait_memory(struct pollfd *polls, size_t count)
{
	int64_t deadline_ms = clock_ms() + MEMORY_LIMIT_MS;
	size_t n_open = count;
	int64_t left;

	while (n_open > 0 && (left = deadline_ms - clock_ms()) > 0) {
		if (poll(polls, count, (int)left) <= 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			int memory = polls[i].revents ? take_memory(polls[i].fd) : -1;

			if (memory >= 0)
				return memory;
			if (polls[i].revents) {
				close(polls[i].fd);
				polls[i].fd = -1;
				n_open--;
			}
		}
	}
	return -1;
}

int client_find_memory(const struct paths *paths, const char *id)
{
	autofd int run_dir = file_open_dir(AT_FDCWD, paths->run);
	struct pollfd polls[MEMORY_ASKED_MAX];
	auto_buf struct buf text = {0};
	char **names = NULL;
	size_t count = 0;
	int memory = -1;

	if (sandbox_names(paths, SHELF_SANDBOXES, &names, NULL) < 0)
		return -1;
	(void)buf_printf(&text, "{\"op\":\"memory\",\"id\":\"%s\"}\n", id);
	for (char **name = names; *name && count < MEMORY_ASKED_MAX; name++) {
		int fd = connect_in(run_dir, *name);

		if (fd < 0)
			continue;
		(void)fd_send(fd, buf_slice(&text), NULL, 0);
		polls[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	memory = wait_memory(polls, count);
	for (size_t i = 0; i < count; i++)
		if (polls[i].fd >= 0)
			close(polls[i].fd);
	sandbox_names_free(names);
	return memory;
}
