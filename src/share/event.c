#include "share/event.h"

#include <fcntl.h>
#include <sys/fanotify.h>

/* What differs has different numbers but for one in 2^64; a mistake makes the guest ask once more. */
uint64_t event_handle(int type, struct slice bytes)
{
	uint64_t number = 0xcbf29ce484222325ULL ^ (uint32_t)type;

	for (size_t i = 0; i < bytes.len; i++)
		number = (number ^ (uint8_t)bytes.ptr[i]) * 0x100000001b3ULL;
	number = (number ^ number >> 32) * 0x9e3779b97f4a7c15ULL;
	return number ? number : 1;
}

/* Takes a struct file_handle off the front. */
static bool take_handle(struct slice *record, uint64_t *ret)
{
	struct file_handle head;

	if (record->len < sizeof(head))
		return false;
	memcpy(&head, record->ptr, sizeof(head));
	*record = slice_skip(*record, sizeof(head));
	if (head.handle_bytes > record->len)
		return false;
	*ret = event_handle(head.handle_type, slice_of(record->ptr, head.handle_bytes));
	*record = slice_skip(*record, head.handle_bytes);
	return true;
}

/* A folder is called "." when it is told of itself. */
static bool take_name(struct slice record, struct slice *ret)
{
	const char *end = record.len > 0 ? memchr(record.ptr, '\0', record.len) : NULL;

	if (!end)
		return false;
	*ret = slice_of(record.ptr, (size_t)(end - record.ptr));
	if (slice_is(*ret, "."))
		*ret = slice_of(end, 0);
	return true;
}

static bool read_record(uint8_t type, struct slice record, struct event *event)
{
	const size_t start =
		sizeof(struct fanotify_event_info_fid) - sizeof(struct fanotify_event_info_header);

	if (type != FAN_EVENT_INFO_TYPE_FID && type != FAN_EVENT_INFO_TYPE_DFID &&
	    type != FAN_EVENT_INFO_TYPE_DFID_NAME)
		return true;
	if (record.len < start)
		return false;
	record = slice_skip(record, start);
	if (!take_handle(&record, type == FAN_EVENT_INFO_TYPE_FID ? &event->file : &event->folder))
		return false;
	return type != FAN_EVENT_INFO_TYPE_DFID_NAME || take_name(record, &event->name);
}

static bool read_records(struct slice records, struct event *event)
{
	struct fanotify_event_info_header head;

	while (records.len > 0) {
		if (records.len < sizeof(head))
			return false;
		memcpy(&head, records.ptr, sizeof(head));
		if (head.len < sizeof(head) || head.len > records.len ||
		    !read_record(head.info_type,
				 slice_of(records.ptr + sizeof(head), head.len - sizeof(head)), event))
			return false;
		records = slice_skip(records, head.len);
	}
	return true;
}

enum parsed event_parse(struct slice in, struct event *ret, size_t *ret_used)
{
	struct event event = {.name = slice_text("")};
	struct fanotify_event_metadata head;

	if (in.len < sizeof(head))
		return PARSED_MORE;
	memcpy(&head, in.ptr, sizeof(head));
	if (head.vers != FANOTIFY_METADATA_VERSION || head.metadata_len < sizeof(head) ||
	    head.event_len < head.metadata_len)
		return PARSED_BAD;
	if (head.event_len > in.len)
		return PARSED_MORE;
	event.mask = head.mask;
	event.pid = head.pid;
	if (!read_records(slice_of(in.ptr + head.metadata_len, head.event_len - head.metadata_len), &event))
		return PARSED_BAD;
	*ret = event;
	*ret_used = head.event_len;
	return PARSED_OK;
}
