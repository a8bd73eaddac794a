#include "engine/qmp.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

static void keep(const char *text, char ret[QMP_TEXT_BYTES])
{
	auto_buf struct buf shown = {0};
	size_t len;

	if (!text || text_printable(&shown, slice_text(text), false) < 0)
		return;
	len = shown.len < QMP_TEXT_BYTES ? shown.len : QMP_TEXT_BYTES - 1;
	/* Not in the middle of a character. */
	while (len > 0 && len < shown.len && ((unsigned char)buf_text(&shown)[len] & 0xc0) == 0x80)
		len--;
	memcpy(ret, buf_text(&shown), len);
	ret[len] = '\0';
}

static enum parsed take(const json_t *json, struct qmp_message *ret)
{
	const json_t *error = json_object_get(json, "error");
	const json_t *event = json_object_get(json, "event");

	*ret = (struct qmp_message){0};
	if (json_is_object(error)) {
		ret->kind = QMP_ERROR;
		keep(json_string_value(json_object_get(error, "desc")), ret->text);
	} else if (json_is_string(event)) {
		const json_t *data = json_object_get(json, "data");
		const json_t *status = json_object_get(data, "status");

		ret->kind = QMP_EVENT;
		keep(json_string_value(event), ret->text);
		keep(json_string_value(status ? status : json_object_get(data, "device")), ret->detail);
		ret->has_failed = json_object_get(data, "error") != NULL;
	} else if (json_object_get(json, "return")) {
		ret->kind = QMP_RETURN;
	} else if (json_is_object(json_object_get(json, "QMP"))) {
		ret->kind = QMP_GREETING;
	} else {
		return PARSED_BAD;
	}
	return PARSED_OK;
}

enum parsed qmp_parse(struct slice line, struct qmp_message *ret)
{
	enum parsed parsed;
	json_t *json;

	if (line.len > QMP_LINE_MAX_BYTES)
		return PARSED_BAD;
	json = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
	parsed = json_is_object(json) ? take(json, ret) : PARSED_BAD;
	json_decref(json);
	return parsed;
}

int qmp_format(struct buf *into, const char *command)
{
	return buf_printf(into, "{\"execute\":\"%s\"}\n", command);
}

int qmp_format_with(struct buf *into, const char *command, const json_t *arguments)
{
	autofree char *text = json_is_object(arguments) ? json_dumps(arguments, JSON_COMPACT) : NULL;

	if (!text)
		return json_is_object(arguments) ? -ENOMEM : -EINVAL;
	return buf_printf(into, "{\"execute\":\"%s\",\"arguments\":%s}\n", command, text);
}
