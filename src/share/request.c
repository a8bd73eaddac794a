#include "share/request.h"

#include <errno.h>
#include <string.h>

enum parsed request_frame(struct slice in, size_t *ret_len)
{
	uint32_t len;

	if (in.len < sizeof(len))
		return PARSED_MORE;
	memcpy(&len, in.ptr, sizeof(len));
	if (len < sizeof(struct fuse_in_header) || len > REQUEST_MAX_BYTES)
		return PARSED_BAD;
	*ret_len = len;
	return in.len < len ? PARSED_MORE : PARSED_OK;
}

void request_open(struct slice message, struct request *ret)
{
	memcpy(&ret->head, message.ptr, sizeof(ret->head));
	ret->body = slice_skip(message, sizeof(ret->head));
}

int request_take(struct request *request, void *into, size_t size)
{
	if (request->body.len < size)
		return -EINVAL;
	memcpy(into, request->body.ptr, size);
	request->body = slice_skip(request->body, size);
	return 0;
}

int request_take_text(struct request *request, char *into, size_t room)
{
	const char *end = request->body.len > 0 ? memchr(request->body.ptr, '\0', request->body.len) : NULL;
	size_t len = end ? (size_t)(end - request->body.ptr) : 0;

	if (!end)
		return -EINVAL;
	if (len >= room)
		return -ENAMETOOLONG;
	return request_take(request, into, len + 1);
}

int request_take_name(struct request *request, char into[REQUEST_NAME_BYTES])
{
	int r = request_take_text(request, into, REQUEST_NAME_BYTES);

	if (r < 0)
		return r;
	return *into == '\0' || strchr(into, '/') || strcmp(into, ".") == 0 || strcmp(into, "..") == 0
		       ? -EINVAL
		       : 0;
}
