/* Bindings: what is read can be written, and is the same when it is read again; a sentence never has a value.
 */
#include "wire/secret.h"

#include "fuzz.h"

static void check_again(const struct secret_binding *binding)
{
	auto_buf struct buf once = {0}, twice = {0}, header = {0};
	struct secret_reader reader;
	struct secret_binding again;
	struct err err;

	property(secret_write(&once, binding, true) == 0);
	reader = (struct secret_reader){.text = buf_slice(&once)};
	property(secret_next(&reader, &again, &err) == 1);
	property(again.state == binding->state && again.n_hosts == binding->n_hosts);
	property(secret_write(&twice, &again, true) == 0);
	property(once.len == twice.len && memcmp(buf_text(&once), buf_text(&twice), once.len) == 0);
	for (size_t i = 0; i < binding->n_hosts; i++) {
		property(secret_is_format(binding->hosts[i].format));
		property(secret_fill(binding->hosts[i].format, binding->value, &header) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct secret_reader reader = {.text = slice_of(bytes, len)};
	struct secret_binding binding;
	struct err err;

	while (secret_next(&reader, &binding, &err) == 1) {
		check_again(&binding);
		(void)secret_find_host(&binding, slice_of(bytes, len), SECRET_PORT);
	}
	return 0;
}
