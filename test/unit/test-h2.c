#include "wire/h2.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>

/* A client and a server whose bytes are carried by hand, so that any split of them can be tried. */
struct peer {
	struct h2 *h2;
	struct h2_stream *stream; /* the newest */
	struct buf body;
	int status, n_ended, n_closed, n_drained;
	uint32_t error;
	bool hold; /* do not give bytes back to the window */
	char path[H2_PATH_MAX_BYTES];
};

static int on_request(void *owner, struct h2_stream *stream, const char *method, const char *path)
{
	struct peer *peer = owner;

	assert_string_equal(method, path[0] ? "POST" : "CONNECT");
	snprintf(peer->path, sizeof(peer->path), "%s", path);
	peer->stream = stream;
	h2_set_data(stream, peer);
	return strcmp(path, "/refused") == 0 ? -1 : 0;
}

static void on_response(struct h2_stream *stream, int status)
{
	((struct peer *)h2_data(stream))->status = status;
}

static void on_data(struct h2_stream *stream, struct slice data)
{
	struct peer *peer = h2_data(stream);

	assert_int_equal(buf_append(&peer->body, data), 0);
	if (!peer->hold)
		h2_consume(stream, data.len);
}

static void on_end(struct h2_stream *stream)
{
	((struct peer *)h2_data(stream))->n_ended++;
}

static void on_drain(struct h2_stream *stream)
{
	((struct peer *)h2_data(stream))->n_drained++;
}

static void on_close(struct h2_stream *stream, uint32_t error)
{
	struct peer *peer = h2_data(stream);

	if (!peer)
		return;
	peer->n_closed++;
	peer->error = error;
	peer->stream = NULL;
}

static const struct h2_ops ops = {.on_request = on_request,
				  .on_response = on_response,
				  .on_data = on_data,
				  .on_end = on_end,
				  .on_drain = on_drain,
				  .on_close = on_close};

struct pair {
	struct peer client, server;
};

static size_t carry(struct peer *from, struct peer *to, size_t step)
{
	auto_buf struct buf wire = {0};
	struct slice rest;
	size_t total;

	assert_int_equal(h2_drain(from->h2, &wire, 1 << 20), 0);
	total = wire.len;
	for (rest = buf_slice(&wire); rest.len > 0;) {
		size_t count = rest.len < step ? rest.len : step;

		assert_int_equal(h2_feed(to->h2, slice_of(rest.ptr, count)), 0);
		rest = slice_skip(rest, count);
	}
	return total;
}

static void settle(struct pair *pair, size_t step)
{
	while (carry(&pair->client, &pair->server, step) + carry(&pair->server, &pair->client, step) > 0)
		;
}

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_int_equal(h2_new_client(&ops, &pair->client, &pair->client.h2), 0);
	assert_int_equal(h2_new_server(&ops, &pair->server, &pair->server.h2), 0);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	h2_free(pair->client.h2);
	h2_free(pair->server.h2);
	buf_done(&pair->client.body);
	buf_done(&pair->server.body);
	free(pair);
	return 0;
}

static void exchange(struct pair *pair, size_t step)
{
	struct h2_stream *stream;

	assert_int_equal(h2_request(pair->client.h2, "POST", "/exec", &pair->client, &stream), 0);
	assert_int_equal(h2_send(stream, slice_text("question")), 0);
	h2_end(stream);
	settle(pair, step);
	assert_string_equal(pair->server.path, "/exec");
	assert_string_equal(buf_text(&pair->server.body), "question");
	assert_int_equal(pair->server.n_ended, 1);
	assert_int_equal(h2_respond(pair->server.stream, 200), 0);
	assert_int_equal(h2_send(pair->server.stream, slice_text("answer")), 0);
	h2_end(pair->server.stream);
	settle(pair, step);
	assert_int_equal(pair->client.status, 200);
	assert_string_equal(buf_text(&pair->client.body), "answer");
	assert_int_equal(pair->client.n_closed, 1);
	assert_int_equal(pair->server.n_closed, 1);
	assert_int_equal(pair->client.error, 0);
}

static void test_exchange(void **state)
{
	exchange(*state, 1 << 20);
}

static void test_exchange_byte_by_byte(void **state)
{
	exchange(*state, 1);
}

static void test_unread_stream_stalls_alone(void **state)
{
	struct pair *pair = *state;
	static char block[1 << 20];
	struct h2_stream *stalled, *second;
	struct peer other = {0};

	pair->server.hold = true;
	assert_int_equal(h2_request(pair->client.h2, "POST", "/a", &pair->client, &stalled), 0);
	assert_int_equal(h2_send(stalled, slice_of(block, sizeof(block))), 0);
	settle(pair, 1 << 20);
	assert_int_equal(pair->server.body.len, H2_STREAM_WINDOW_BYTES);
	assert_int_equal(h2_queued(stalled), sizeof(block) - H2_STREAM_WINDOW_BYTES);
	pair->server.hold = false;
	assert_int_equal(h2_request(pair->client.h2, "POST", "/b", &other, &second), 0);
	buf_clear(&pair->server.body);
	assert_int_equal(h2_send(second, slice_text("through")), 0);
	settle(pair, 1 << 20);
	assert_string_equal(buf_text(&pair->server.body), "through");
}

/* What the client has got of what the server sends on a stream of its own, until the window holds it back. */
static size_t receive(struct pair *pair, bool hold)
{
	static char block[1 << 20];
	size_t before = pair->client.body.len;

	pair->client.hold = hold;
	assert_int_equal(h2_send(pair->server.stream, slice_of(block, sizeof(block))), 0);
	settle(pair, 1 << 20);
	return pair->client.body.len - before;
}

static void test_windows_of_readers_that_keep_up_grow(void **state)
{
	static const struct h2_limits limits = {.session_window_bytes = 1 << 20,
						.is_session_window_free = true,
						.resets = 10,
						.resets_per_second = 10};
	struct pair *pair = *state;
	struct h2_stream *stream;

	h2_free(pair->client.h2);
	assert_int_equal(h2_new_client_limited(&ops, &pair->client, &limits, &pair->client.h2), 0);
	h2_widen_to(pair->client.h2, 4 * H2_STREAM_WINDOW_BYTES);
	/* Five that are not read have more than the session's window; the next one is served all the same. */
	for (int i = 0; i < 5; i++) {
		assert_int_equal(h2_request(pair->client.h2, "POST", "/behind", &pair->client, &stream), 0);
		settle(pair, 1 << 20);
		assert_int_equal(h2_respond(pair->server.stream, 200), 0);
		assert_int_equal(receive(pair, true), H2_STREAM_WINDOW_BYTES);
	}
	assert_int_equal(h2_request(pair->client.h2, "POST", "/keeps-up", &pair->client, &stream), 0);
	settle(pair, 1 << 20);
	assert_int_equal(h2_respond(pair->server.stream, 200), 0);
	assert_int_equal(receive(pair, false), 1 << 20);
	/* What was read is given back in halves of the window. */
	assert_in_range(receive(pair, true), 2 * H2_STREAM_WINDOW_BYTES, 4 * H2_STREAM_WINDOW_BYTES);
	h2_widen_to(pair->client.h2, 0);
}

/* One call takes about as much as it asks for, whatever is queued. */
static void test_drain_has_a_limit(void **state)
{
	struct pair *pair = *state;
	static char block[H2_STREAM_WINDOW_BYTES];
	auto_buf struct buf wire = {0};
	struct h2_stream *stream;

	settle(pair, 1 << 20);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(h2_request(pair->client.h2, "POST", "/a", &pair->client, &stream), 0);
		assert_int_equal(h2_send(stream, slice_of(block, sizeof(block))), 0);
	}
	assert_int_equal(h2_drain(pair->client.h2, &wire, 32 << 10), 0);
	assert_in_range(wire.len, 32 << 10, 64 << 10);
	assert_int_equal(h2_feed(pair->server.h2, buf_slice(&wire)), 0);
	settle(pair, 1 << 20);
	assert_int_equal(pair->server.body.len, 4 * sizeof(block));
}

/* A stream that ends unread must not take its bytes out of the window that all share. */
static void test_closed_unread_streams_give_the_window_back(void **state)
{
	struct pair *pair = *state;
	static char block[H2_STREAM_WINDOW_BYTES];

	pair->server.hold = true;
	for (int i = 0; i < 2 * H2_SESSION_WINDOW_BYTES / H2_STREAM_WINDOW_BYTES; i++) {
		struct h2_stream *stream;

		buf_clear(&pair->server.body);
		assert_int_equal(h2_request(pair->client.h2, "POST", "/a", &pair->client, &stream), 0);
		assert_int_equal(h2_send(stream, slice_of(block, sizeof(block))), 0);
		settle(pair, 1 << 20);
		assert_int_equal(pair->server.body.len, sizeof(block));
		h2_reset(stream);
		settle(pair, 1 << 20);
	}
}

static void test_refused_and_reset(void **state)
{
	struct pair *pair = *state;
	struct h2_stream *stream;

	assert_int_equal(h2_request(pair->client.h2, "POST", "/refused", &pair->client, &stream), 0);
	settle(pair, 1 << 20);
	assert_int_equal(pair->client.n_closed, 1);
	assert_int_equal(pair->client.error, 7); /* REFUSED_STREAM: it may be asked again */
}

static void test_connect_names_its_target(void **state)
{
	struct pair *pair = *state;
	static char block[3 * H2_STREAM_WINDOW_BYTES];
	struct h2_stream *stream;

	assert_int_equal(h2_connect(pair->client.h2, "example.com:443", &pair->client, &stream), 0);
	assert_int_equal(h2_send(stream, slice_text("hello")), 0);
	settle(pair, 1 << 20);
	assert_string_equal(h2_authority(pair->server.stream), "example.com:443");
	assert_string_equal(buf_text(&pair->server.body), "hello");
	assert_int_equal(h2_respond(pair->server.stream, 200), 0);
	assert_int_equal(h2_send(pair->server.stream, slice_of(block, sizeof(block))), 0);
	assert_int_equal(h2_queued_total(pair->server.h2), sizeof(block));
	settle(pair, 1 << 20);
	assert_int_equal(pair->client.status, 200);
	assert_int_equal(pair->client.body.len, sizeof(block));
	assert_int_equal(h2_queued_total(pair->server.h2), 0);
	h2_end(stream);
	settle(pair, 1 << 20);
	assert_int_equal(pair->server.n_ended, 1);
	assert_int_equal(pair->client.n_ended, 0);
	h2_end(pair->server.stream);
	settle(pair, 1 << 20);
	assert_int_equal(pair->client.n_closed, 1);
}

static void test_too_many_resets_end_the_session(void **state)
{
	static const struct h2_limits limits = {.streams = 100,
						.session_window_bytes = H2_SESSION_WINDOW_BYTES,
						.resets = 50,
						.resets_per_second = 1};
	struct pair *pair = *state;
	struct h2_stream *stream;
	auto_buf struct buf wire = {0};
	int r = 0;

	h2_free(pair->server.h2);
	assert_int_equal(h2_new_server_limited(&ops, &pair->server, &limits, &pair->server.h2), 0);
	for (int i = 0; i < 200 && r == 0; i++) {
		assert_int_equal(h2_connect(pair->client.h2, "x:1", &pair->client, &stream), 0);
		assert_int_equal(h2_drain(pair->client.h2, &wire, 1 << 20), 0);
		h2_reset(stream);
		assert_int_equal(h2_drain(pair->client.h2, &wire, 1 << 20), 0);
		r = h2_feed(pair->server.h2, buf_slice(&wire));
		buf_clear(&wire);
		if (r == 0)
			r = h2_drain(pair->server.h2, &wire, 1 << 20);
		buf_clear(&wire);
	}
	assert_int_equal(r, -EPROTO);
}

static void test_free_closes_what_lives(void **state)
{
	struct pair *pair = *state;
	struct h2_stream *sent, *unsent;

	assert_int_equal(h2_request(pair->client.h2, "POST", "/a", &pair->client, &sent), 0);
	settle(pair, 1 << 20);
	assert_int_equal(h2_request(pair->client.h2, "POST", "/b", &pair->client, &unsent), 0);
	h2_free(pair->client.h2);
	pair->client.h2 = NULL;
	assert_int_equal(pair->client.n_closed, 2);
}

static void test_garbage_ends_the_session(void **state)
{
	struct pair *pair = *state;
	auto_buf struct buf farewell = {0};
	int r;

	settle(pair, 1 << 20);
	r = h2_feed(pair->client.h2, slice_text("HTTP/1.1 400 what?\r\n\r\nmore and more and more"));
	if (r == 0) {
		/* The session says why (GOAWAY) and takes nothing more. */
		assert_int_equal(h2_drain(pair->client.h2, &farewell, 1 << 20), 0);
		assert_true(farewell.len > 0);
		r = h2_feed(pair->client.h2, slice_text("more"));
	}
	assert_int_equal(r, -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exchange, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exchange_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unread_stream_stalls_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_windows_of_readers_that_keep_up_grow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drain_has_a_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed_unread_streams_give_the_window_back, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_refused_and_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connect_names_its_target, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_resets_end_the_session, setup, teardown),
		cmocka_unit_test_setup_teardown(test_free_closes_what_lives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage_ends_the_session, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
