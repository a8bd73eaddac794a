#include "wire/port.h"

#include "unit.h"

static const uint8_t nonce[PORT_NONCE_BYTES] = "0123456789abcde";

/* Runs the guest's side over a stream and says how many packets of data came before HELLO, or -1 without one.
 */
static int packets_before_hello(struct slice in, size_t step)
{
	auto_buf struct buf held = {0};
	int packets = 0;

	while (in.len > 0 || held.len > 0) {
		size_t count = in.len < step ? in.len : step;
		struct port_packet packet;
		enum parsed parsed;
		size_t used;

		assert_int_equal(buf_append(&held, slice_of(in.ptr, count)), 0);
		in = slice_skip(in, count);
		do {
			parsed = port_parse(buf_slice(&held), &packet, &used);
			if (parsed == PARSED_OK && packet.kind == PORT_HELLO) {
				assert_memory_equal(packet.nonce, nonce, sizeof(nonce));
				return packets;
			}
			packets += parsed == PARSED_OK;
			buf_drop(&held, used);
		} while (parsed != PARSED_MORE);
		if (in.len == 0)
			return -1;
	}
	return -1;
}

static void test_hello_is_found_wherever_the_old_session_was_cut(void **state)
{
	auto_buf struct buf old = {0};
	char data[PORT_DATA_MAX_BYTES + 100];

	(void)state;
	/* What an old session carries may look like a HELLO itself. */
	memset(data, PORT_HELLO, sizeof(data));
	assert_int_equal(port_append_data(&old, slice_of(data, sizeof(data))), 0);
	for (size_t cut = 0; cut <= old.len; cut += 7) {
		auto_buf struct buf stream = {0};

		assert_int_equal(buf_append(&stream, slice_of(buf_text(&old), cut)), 0);
		assert_int_equal(port_append_hello(&stream, nonce), 0);
		assert_true(packets_before_hello(buf_slice(&stream), 1 << 20) >= 0);
	}
}

static void test_byte_by_byte(void **state)
{
	auto_buf struct buf stream = {0};

	(void)state;
	assert_int_equal(port_append_data(&stream, slice_text("abc")), 0);
	assert_int_equal(port_append_data(&stream, slice_text("de")), 0);
	assert_int_equal(port_append_hello(&stream, nonce), 0);
	assert_int_equal(packets_before_hello(buf_slice(&stream), 1), 2);
	assert_int_equal(packets_before_hello(buf_slice(&stream), stream.len), 2);
}

static void test_garbage_is_dropped_until_hello(void **state)
{
	auto_buf struct buf stream = {0};
	char garbage[256];

	(void)state;
	for (size_t i = 0; i < sizeof(garbage); i++)
		garbage[i] = (char)(3 + i % 253);
	assert_int_equal(buf_append(&stream, slice_of(garbage, sizeof(garbage))), 0);
	assert_int_equal(port_append_hello(&stream, nonce), 0);
	assert_int_equal(packets_before_hello(buf_slice(&stream), 5), 0);
}

static void test_wrong_lengths_are_bad(void **state)
{
	static const char empty[] = {PORT_DATA, 0, 0}, huge[] = {PORT_DATA, 0x10, 1};
	struct port_packet packet;
	size_t used;

	(void)state;
	assert_int_equal(port_parse(slice_of(empty, 3), &packet, &used), PARSED_BAD);
	assert_int_equal(port_parse(slice_of(huge, 3), &packet, &used), PARSED_BAD);
	assert_int_equal(used, 1);
}

static void test_answer_is_found_behind_old_bytes(void **state)
{
	for (size_t before = 0; before < 40; before++) {
		auto_buf struct buf stream = {0};
		auto_buf struct buf held = {0};
		uint8_t version = 0;
		size_t used = 0;
		bool found = false;

		(void)state;
		for (size_t i = 0; i < before; i++)
			assert_int_equal(buf_append(&stream, slice_of(nonce, i % PORT_NONCE_BYTES)), 0);
		assert_int_equal(port_append_answer(&stream, nonce), 0);
		assert_int_equal(buf_append(&stream, slice_text("next")), 0);
		for (size_t i = 0; i < stream.len && !found; i++) {
			assert_int_equal(buf_append(&held, slice_of(buf_text(&stream) + i, 1)), 0);
			found = port_find_answer(buf_slice(&held), nonce, &used, &version) == PARSED_OK;
			buf_drop(&held, used);
		}
		assert_true(found);
		assert_int_equal(version, PORT_VERSION);
		assert_int_equal(held.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_is_found_wherever_the_old_session_was_cut),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_garbage_is_dropped_until_hello),
		cmocka_unit_test(test_wrong_lengths_are_bad),
		cmocka_unit_test(test_answer_is_found_behind_old_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
