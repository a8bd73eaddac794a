/* What the host's kernel tells of watched folders, and what the guest's is told of it. */
#include "share/event.h"
#include "share/map.h"
#include "share/news.h"

#include "unit.h"

#include "../lib/notices.h"

#include <fcntl.h>
#include <sys/fanotify.h>

enum { FOLDER = 7, CHILD = 9 };

/* ---- events ---- */

static void append_record(struct buf *into, uint8_t type, const char *handle, struct slice name)
{
	size_t len = sizeof(struct fanotify_event_info_fid) + sizeof(struct file_handle) + strlen(handle) +
		     name.len;
	struct fanotify_event_info_fid head = {.hdr = {.info_type = type, .len = (uint16_t)len}};
	struct file_handle about = {.handle_bytes = (unsigned)strlen(handle), .handle_type = 1};

	(void)buf_append(into, slice_of(&head, sizeof(head)));
	(void)buf_append(into, slice_of(&about, sizeof(about)));
	(void)buf_append(into, slice_text(handle));
	(void)buf_append(into, name);
}

/* name is with its NUL; NULL: no record of that kind. */
static void append_event(struct buf *into, uint64_t mask, int pid, const char *folder, struct slice name,
			 const char *file)
{
	struct fanotify_event_metadata head = {.vers = FANOTIFY_METADATA_VERSION,
					       .metadata_len = sizeof(head),
					       .mask = mask,
					       .fd = FAN_NOFD,
					       .pid = pid};
	auto_buf struct buf records = {0};

	if (folder)
		append_record(&records, FAN_EVENT_INFO_TYPE_DFID_NAME, folder, name);
	if (file)
		append_record(&records, FAN_EVENT_INFO_TYPE_FID, file, slice_of("", 0));
	head.event_len = (uint32_t)(sizeof(head) + records.len);
	(void)buf_append(into, slice_of(&head, sizeof(head)));
	(void)buf_append(into, buf_slice(&records));
}

static void test_event(void **state)
{
	auto_buf struct buf bytes = {0};
	struct event event;
	size_t used = 0;

	(void)state;
	append_event(&bytes, FAN_CREATE, 5, "folder", slice_of("a\nname", 7), "file");
	for (size_t i = 0; i < bytes.len; i++) {
		autofree char *exact = malloc(i + 1);

		memcpy(exact, buf_text(&bytes), i);
		assert_int_equal(event_parse(slice_of(exact, i), &event, &used), PARSED_MORE);
	}
	assert_int_equal(event_parse(buf_slice(&bytes), &event, &used), PARSED_OK);
	assert_int_equal(used, bytes.len);
	assert_int_equal(event.mask, FAN_CREATE);
	assert_int_equal(event.pid, 5);
	assert_true(event.folder == event_handle(1, slice_text("folder")));
	assert_true(event.file == event_handle(1, slice_text("file")));
	assert_true(event.folder != event.file);
	assert_true(event.file != event_handle(2, slice_text("file")));
	assert_true(slice_is(event.name, "a\nname"));
}

static void test_event_of_the_folder_itself(void **state)
{
	auto_buf struct buf bytes = {0};
	struct event event;
	size_t used;

	(void)state;
	append_event(&bytes, FAN_ATTRIB | FAN_ONDIR, 0, "folder", slice_of(".\0\0", 4), NULL);
	append_event(&bytes, FAN_Q_OVERFLOW, 0, NULL, slice_of("", 0), NULL);
	assert_int_equal(event_parse(buf_slice(&bytes), &event, &used), PARSED_OK);
	assert_int_equal(event.name.len, 0);
	assert_true(event.folder && !event.file);
	assert_int_equal(event_parse(slice_skip(buf_slice(&bytes), used), &event, &used), PARSED_OK);
	assert_int_equal(event.mask, FAN_Q_OVERFLOW);
	assert_true(!event.folder && !event.file);
}

/* Lengths that do not fit into one another, each in memory of its own size. */
static void test_damaged_events(void **state)
{
	auto_buf struct buf bytes = {0};

	(void)state;
	append_event(&bytes, FAN_CREATE, 5, "folder", slice_of("name", 5), "file");
	for (size_t at = 0; at < bytes.len; at++)
		for (int value = 0; value < 256; value++) {
			autofree char *damaged = malloc(bytes.len);
			struct event event = {.name = slice_text("")};
			size_t used = 0;
			enum parsed parsed;

			memcpy(damaged, buf_text(&bytes), bytes.len);
			damaged[at] = (char)value;
			parsed = event_parse(slice_of(damaged, bytes.len), &event, &used);
			if (parsed != PARSED_OK)
				continue;
			assert_in_range(used, sizeof(struct fanotify_event_metadata), bytes.len);
			assert_true(event.name.len < bytes.len);
			assert_int_equal(event.name.ptr[event.name.len], '\0');
		}
}

static void test_name_without_an_end(void **state)
{
	auto_buf struct buf bytes = {0};
	struct event event;
	size_t used;

	(void)state;
	append_event(&bytes, FAN_CREATE, 5, "folder", slice_of("name", 4), NULL);
	assert_int_equal(event_parse(buf_slice(&bytes), &event, &used), PARSED_BAD);
}

/* ---- notices ---- */

static void expect(struct news *news, const char *wanted)
{
	auto_buf struct buf notices = {0}, text = {0};

	assert_int_equal(news_write(news, &notices), 0);
	describe(buf_slice(&notices), &text);
	assert_string_equal(buf_text(&text), wanted);
}

static void happens(struct news *news, uint64_t mask, uint64_t folder, const char *name, uint64_t file)
{
	const struct event event = {.mask = mask, .name = slice_text(name)};
	size_t before = news->n_notices;

	assert_int_equal(news_add(news, &event, folder, file, false), 0);
	assert_true(news->n_notices >= before);
}

static void test_news(void **state)
{
	const struct event known = {.mask = FAN_CREATE, .name = slice_text("known")};
	struct news news;

	(void)state;
	news_init(&news);
	happens(&news, FAN_CREATE, FOLDER, "new", 0);
	expect(&news, "entry 7 'new'\ncontent 7\ntouch 7 'new'\n");
	happens(&news, FAN_DELETE, FOLDER, "old", CHILD);
	expect(&news, "delete 7 9 'old'\ncontent 7\nattributes 9\ntouch 7 ''\n");
	happens(&news, FAN_DELETE, FOLDER, "old", 0);
	expect(&news, "entry 7 'old'\ncontent 7\ntouch 7 ''\n");
	/* Both, in an order that is not known. */
	happens(&news, FAN_CREATE | FAN_DELETE, FOLDER, "either", CHILD);
	expect(&news, "entry 7 'either'\ncontent 7\nattributes 9\ntouch 7 'either'\n");
	happens(&news, FAN_MOVED_FROM, FOLDER, "moved", CHILD);
	expect(&news, "entry 7 'moved'\ncontent 7\nattributes 9\ntouch 7 ''\n");
	happens(&news, FAN_MODIFY, FOLDER, "file", CHILD);
	expect(&news, "entry 7 ''\ncontent 9\ntouch 7 'file'\n");
	happens(&news, FAN_CLOSE_WRITE, FOLDER, "file", CHILD);
	expect(&news, "entry 7 ''\ncontent 9\n");
	happens(&news, FAN_MODIFY, FOLDER, "not looked up yet", 0);
	expect(&news, "touch 7 'not looked up yet'\n");
	happens(&news, FAN_ATTRIB, FOLDER, "file", CHILD);
	expect(&news, "entry 7 ''\nattributes 9\ntouch 7 'file'\n");
	happens(&news, FAN_ATTRIB | FAN_ONDIR, FOLDER, "", 0);
	expect(&news, "attributes 7\ntouch 7 ''\n");
	/* The guest has found it already. */
	assert_int_equal(news_add(&news, &known, FOLDER, CHILD, true), 0);
	expect(&news, "entry 7 ''\ncontent 7\nattributes 9\ntouch 7 'known'\n");
	/* By a name that is nowhere in the folder. */
	happens(&news, FAN_MODIFY, 0, "elsewhere", CHILD);
	expect(&news, "content 9\ntouch 9 ''\n");
	happens(&news, FAN_MODIFY, 0, "unknown", 0);
	expect(&news, "");
	news_done(&news);
}

/* Who looks because of a touch must not find what was before any of it. */
static void test_order_of_news(void **state)
{
	struct news news;

	(void)state;
	news_init(&news);
	happens(&news, FAN_MODIFY, FOLDER, "file", CHILD);
	happens(&news, FAN_CREATE, FOLDER, "one", 0);
	happens(&news, FAN_CREATE, FOLDER, "two", 0);
	happens(&news, FAN_MODIFY, FOLDER, "file", CHILD);
	expect(&news, "entry 7 ''\nentry 7 'one'\nentry 7 'two'\n"
		      "content 9\ncontent 7\ncontent 9\n"
		      "touch 7 'file'\ntouch 7 'one'\ntouch 7 'two'\ntouch 7 'file'\n");
	news_done(&news);
}

static void test_news_of_many_folders(void **state)
{
	auto_buf struct buf notices = {0}, text = {0};
	struct news news;
	size_t n_lines = 0;

	(void)state;
	news_init(&news);
	for (uint64_t i = 1; i <= 3 * NEWS_FOLDERS_MAX; i++)
		happens(&news, FAN_CREATE, i, "new", 0);
	assert_int_equal(news.n_notices, 3 * 3 * NEWS_FOLDERS_MAX);
	assert_int_equal(news_write(&news, &notices), 0);
	describe(buf_slice(&notices), &text);
	for (size_t i = 0; i < text.len; i++)
		n_lines += buf_text(&text)[i] == '\n';
	assert_int_equal(n_lines, 3 * 3 * NEWS_FOLDERS_MAX);
	assert_int_equal(news.n_notices, 0);
	news_done(&news);
}

/* ---- numbers by numbers ---- */

enum { MANY = 100000 };

static uint64_t key_of(uint64_t i)
{
	return i * 0x2545f4914f6cdd1dULL;
}

static void test_map(void **state)
{
	struct map map;

	(void)state;
	map_init(&map);
	assert_int_equal(map_find(&map, 5), 0);
	map_remove(&map, 5, 1);
	for (uint64_t i = 1; i <= MANY; i++)
		assert_int_equal(map_put(&map, key_of(i), i), 0);
	for (uint64_t i = 1; i <= MANY; i += 2)
		map_remove(&map, key_of(i), map_find(&map, key_of(i)));
	for (uint64_t i = 2; i <= MANY; i += 2)
		assert_true(map_find(&map, key_of(i)) == i && map_find(&map, key_of(i - 1)) == 0);
	assert_int_equal(map_put(&map, 4, 1), 0);
	assert_int_equal(map_put(&map, 4, 2), 0);
	assert_int_equal(map_find(&map, 4), 2);
	map_remove(&map, 4, 1);
	assert_int_equal(map_find(&map, 4), 2);
	map_remove(&map, 4, 2);
	assert_int_equal(map_find(&map, 4), 0);
	map_done(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_event_of_the_folder_itself),
		cmocka_unit_test(test_damaged_events),
		cmocka_unit_test(test_name_without_an_end),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_order_of_news),
		cmocka_unit_test(test_news_of_many_folders),
		cmocka_unit_test(test_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
