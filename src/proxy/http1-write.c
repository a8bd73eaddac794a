#include "proxy/http1-write.h"

bool http1_stays_behind(const struct http1_head *head, struct slice name)
{
	static const char *const names[] = {
		"connection",
		"keep-alive",
		"proxy-connection",
		"proxy-authenticate",
		"proxy-authorization",
		"te",
		"transfer-encoding",
		"upgrade",
		"host",
		"content-length",
	};
	char text[64];

	for (size_t i = 0; i < array_len(names); i++)
		if (slice_is_caseless(name, names[i]))
			return true;
	if (head->status == 0 && slice_is_caseless(name, "trailer"))
		return true;
	if (name.len >= sizeof(text))
		return false;
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	return http1_has_token(head, "connection", text);
}

static int append_field(struct buf *into, struct slice name, struct slice value)
{
	int r = buf_append(into, name);

	r = r < 0 ? r : buf_append(into, slice_text(": "));
	r = r < 0 ? r : buf_append(into, value);
	return r < 0 ? r : buf_append(into, slice_text("\r\n"));
}

static int append_fields(struct buf *into, const struct http1_head *head)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < head->n_fields; i++)
		if (!http1_stays_behind(head, head->fields[i].name))
			r = append_field(into, head->fields[i].name, head->fields[i].value);
	return r;
}

static int append_shape(struct buf *into, const struct http1_shape *shape)
{
	int r = 0;

	if (shape->framing.body == HTTP1_CHUNKED)
		r = buf_append(into, slice_text("Transfer-Encoding: chunked\r\n"));
	else if (shape->framing.has_length)
		r = buf_printf(into, "Content-Length: %llu\r\n", (unsigned long long)shape->framing.length);
	if (r == 0 && shape->is_upgrade)
		r = buf_append(into, slice_text("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	else if (r == 0 && shape->is_close)
		r = buf_append(into, slice_text("Connection: close\r\n"));
	return r < 0 ? r : buf_append(into, slice_text("\r\n"));
}

int http1_write_request(struct buf *into, const struct http1_head *head, struct slice path, struct slice host,
			const struct http1_shape *shape)
{
	int r = buf_append(into, head->method);

	r = r < 0 ? r : buf_append(into, slice_text(" "));
	r = r < 0 ? r : buf_append(into, path);
	r = r < 0 ? r : buf_append(into, slice_text(" HTTP/1.1\r\n"));
	r = r < 0 ? r : append_field(into, slice_text("Host"), host);
	r = r < 0 ? r : append_fields(into, head);
	return r < 0 ? r : append_shape(into, shape);
}

int http1_write_response(struct buf *into, const struct http1_head *head, const struct http1_shape *shape)
{
	int r = buf_printf(into, "HTTP/1.1 %u ", head->status);

	r = r < 0 ? r : buf_append(into, head->reason);
	r = r < 0 ? r : buf_append(into, slice_text("\r\n"));
	r = r < 0 ? r : append_fields(into, head);
	return r < 0 ? r : append_shape(into, shape);
}

int http1_write_chunk(struct buf *into, struct slice data)
{
	int r = buf_printf(into, "%zx\r\n", data.len);

	r = r < 0 ? r : buf_append(into, data);
	return r < 0 ? r : buf_append(into, slice_text("\r\n"));
}

const char *http1_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *text;
	} texts[] = {
		{100, "Continue"},
		{101, "Switching Protocols"},
		{103, "Early Hints"},
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{203, "Non-Authoritative Information"},
		{204, "No Content"},
		{205, "Reset Content"},
		{206, "Partial Content"},
		{207, "Multi-Status"},
		{300, "Multiple Choices"},
		{301, "Moved Permanently"},
		{302, "Found"},
		{303, "See Other"},
		{304, "Not Modified"},
		{307, "Temporary Redirect"},
		{308, "Permanent Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{402, "Payment Required"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{407, "Proxy Authentication Required"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{410, "Gone"},
		{411, "Length Required"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{417, "Expectation Failed"},
		{421, "Misdirected Request"},
		{422, "Unprocessable Content"},
		{425, "Too Early"},
		{426, "Upgrade Required"},
		{428, "Precondition Required"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{451, "Unavailable For Legal Reasons"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < array_len(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "";
}

int http1_write_answer(struct buf *into, unsigned status, struct slice text, bool has_no_body)
{
	int r = buf_printf(
		into,
		"HTTP/1.1 %u %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
		"Cache-Control: no-store\r\nConnection: close\r\n\r\n",
		status, http1_reason(status), text.len);

	return r < 0 || has_no_body ? r : buf_append(into, text);
}
