#include "proxy/override.h"

#include "base/mem.h"

static bool is_override(struct slice name)
{
	static const char *const names[] = {"x-http-method-override", "x-http-method", "x-method-override",
					    "http-method-override"};

	for (size_t i = 0; i < array_len(names); i++)
		if (http1_is_same_field(name, slice_text(names[i])))
			return true;
	return false;
}

/* Letters and '-' are what methods consist of; a list could be read in two ways. */
static bool take_method(struct slice value, char ret[OVERRIDE_METHOD_BYTES])
{
	if (value.len == 0 || value.len >= OVERRIDE_METHOD_BYTES)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		char byte = value.ptr[i];

		if (byte >= 'a' && byte <= 'z')
			byte = (char)(byte - 'a' + 'A');
		if ((byte < 'A' || byte > 'Z') && byte != '-')
			return false;
		ret[i] = byte;
	}
	ret[value.len] = '\0';
	return true;
}

enum parsed override_next(const struct http1_head *head, size_t *at, char ret_method[OVERRIDE_METHOD_BYTES])
{
	while (*at < head->n_fields) {
		const struct http1_field *field = &head->fields[(*at)++];

		if (is_override(field->name))
			return take_method(field->value, ret_method) ? PARSED_OK : PARSED_BAD;
	}
	return PARSED_MORE;
}
