#include "supervisor/control.h"

#include "base/fd.h"

#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What the supervisor's end was told. */
struct place {
	uv_loop_t loop;
	struct control control;
	uint64_t asked, gone; /* tickets; 0: none */
	int client;
};

static void on_request(void *owner, struct control_request *request)
{
	struct place *place = owner;

	place->asked = request->ticket;
}

static int on_exec(void *owner, int fd, struct err *err)
{
	(void)owner, (void)fd;
	return err_set(err, -1, "nothing is run here");
}

static void on_gone(void *owner, uint64_t ticket)
{
	struct place *place = owner;

	place->gone = ticket;
}

/* A client has asked, and waits. */
static int set_up(void **state)
{
	static const struct control_ops ops = {
		.on_request = on_request, .on_exec = on_exec, .on_gone = on_gone};
	static struct place place;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	place = (struct place){.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	/* A name of the kernel's choice, which no file has. */
	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &(socklen_t){sizeof(name)}), 0);
	assert_int_equal(uv_loop_init(&place.loop), 0);
	assert_int_equal(control_start(&place.control, &place.loop, listener, &ops, &place), 0);
	assert_int_equal(connect(place.client, (struct sockaddr *)&name, sizeof(sa_family_t) + 6), 0);
	assert_int_equal(fd_write_all(place.client, slice_text("{\"op\":\"wait\"}\n")), 0);
	while (!place.asked)
		(void)uv_run(&place.loop, UV_RUN_ONCE);
	*state = &place;
	return 0;
}

static void close_handle(uv_handle_t *handle, void *data)
{
	(void)data;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static int tear_down(void **state)
{
	struct place *place = *state;

	close(place->client);
	while (place->control.n_clients > 0)
		(void)uv_run(&place->loop, UV_RUN_ONCE);
	uv_walk(&place->loop, close_handle, NULL);
	(void)uv_run(&place->loop, UV_RUN_DEFAULT);
	close(place->control.listener);
	return uv_loop_close(&place->loop);
}

static void test_one_that_goes_away(void **state)
{
	struct place *place = *state;

	close(place->client);
	place->client = -1;
	while (!place->gone)
		(void)uv_run(&place->loop, UV_RUN_ONCE);
	assert_int_equal(place->gone, place->asked);
	control_answer(&place->control, place->asked, NULL, -1);
	while (place->control.n_clients > 0)
		(void)uv_run(&place->loop, UV_RUN_ONCE);
}

/* As programs do that write a line, close their output, and read. */
static void test_one_that_has_said_all(void **state)
{
	struct place *place = *state;
	char answer[64] = "";

	assert_int_equal(shutdown(place->client, SHUT_WR), 0);
	for (int i = 0; i < 3; i++)
		(void)uv_run(&place->loop, UV_RUN_NOWAIT);
	assert_int_equal(place->gone, 0);
	control_answer(&place->control, place->asked, NULL, -1);
	assert_true(recv(place->client, answer, sizeof(answer) - 1, 0) > 0);
	assert_string_equal(answer, "{\"ok\":true}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_that_goes_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_that_has_said_all, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
