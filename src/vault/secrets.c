#include "vault/secrets.h"

#include <errno.h>
#include <sodium.h>

struct entry {
	struct buf text; /* the binding without its value */
	char service[SECRET_SERVICE_MAX_BYTES + 1];
	unsigned feed;
	char *value; /* of sodium_malloc(); NULL: forgotten, and remembered only so that no older feed brings
			it back */
	size_t value_len;
};

struct secrets {
	struct entry entries[SECRET_BINDINGS_MAX];
	size_t count;
};

struct secrets *secrets_new(void)
{
	return sodium_init() < 0 ? NULL : calloc(1, sizeof(struct secrets));
}

static void drop_value(struct entry *entry)
{
	sodium_free(entry->value);
	entry->value = NULL;
	entry->value_len = 0;
}

void secrets_free(struct secrets *secrets)
{
	for (size_t i = 0; secrets && i < secrets->count; i++) {
		drop_value(&secrets->entries[i]);
		buf_done(&secrets->entries[i].text);
	}
	free(secrets);
}

static struct entry *find(const struct secrets *secrets, struct slice service)
{
	for (size_t i = 0; i < secrets->count; i++)
		if (slice_is(service, secrets->entries[i].service))
			return (struct entry *)(uintptr_t)&secrets->entries[i];
	return NULL;
}

/* ---- what comes ---- */

static int check(const struct secret_binding *binding, struct err *err)
{
	if (binding->state == SECRET_FORGET)
		return 0;
	if (binding->state == SECRET_BARE || binding->n_hosts == 0 ||
	    binding->placeholder.len < SECRET_PLACEHOLDER_MIN_BYTES)
		return err_set(err, -EINVAL, "service '%.*s' has no value, no host or no placeholder",
			       (int)binding->service.len, binding->service.ptr);
	return 0;
}

static int check_all(struct slice text, struct err *err)
{
	struct secret_reader reader = {.text = text};
	struct secret_binding binding;
	int r;

	while ((r = secret_next(&reader, &binding, err)) > 0) {
		r = check(&binding, err);
		if (r < 0)
			return r;
	}
	return r;
}

static struct entry *add(struct secrets *secrets, struct slice service)
{
	struct entry *entry = &secrets->entries[secrets->count];

	if (secrets->count == SECRET_BINDINGS_MAX)
		return NULL;
	secrets->count++;
	memcpy(entry->service, service.ptr, service.len);
	return entry;
}

static int set_value(struct entry *entry, struct slice value)
{
	char *copy = sodium_malloc(value.len);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, value.ptr, value.len);
	drop_value(entry);
	entry->value = copy;
	entry->value_len = value.len;
	return 0;
}

static int apply(struct secrets *secrets, unsigned feed, const struct secret_binding *binding)
{
	struct entry *entry = find(secrets, binding->service);
	bool has_value = entry && entry->value;
	int r;

	if ((entry && feed < entry->feed) || (binding->state == SECRET_KEEP && !has_value))
		return 0;
	/* What is forgotten before it has come stays forgotten when an older feed brings it. */
	if (!entry)
		entry = add(secrets, binding->service);
	if (!entry)
		return binding->state == SECRET_FORGET ? 0 : -E2BIG;
	entry->feed = feed;
	if (binding->state == SECRET_FORGET) {
		drop_value(entry);
		return 0;
	}
	buf_clear(&entry->text);
	r = secret_write(&entry->text, binding, false);
	if (r == 0 && binding->state == SECRET_VALUE)
		r = set_value(entry, binding->value);
	/* Not with the hosts of something else. */
	if (r < 0)
		drop_value(entry);
	return r;
}

int secrets_update(struct secrets *secrets, unsigned feed, struct slice text, struct err *err)
{
	struct secret_reader reader = {.text = text};
	struct secret_binding binding;
	int r = check_all(text, err);

	while (r == 0 && secret_next(&reader, &binding, err) > 0)
		r = apply(secrets, feed, &binding);
	if (r == -E2BIG)
		return err_set(err, r, "a sandbox can have %d secrets at most", SECRET_BINDINGS_MAX);
	return r == -ENOMEM ? err_errno(err, r, "the vault cannot keep the secrets") : r;
}

/* ---- what is asked ---- */

bool secrets_hears(const struct secrets *secrets, unsigned feed)
{
	for (size_t i = 0; i < secrets->count; i++)
		if (secrets->entries[i].feed == feed && secrets->entries[i].value)
			return true;
	return false;
}

int secrets_describe(const struct secrets *secrets, struct buf *into)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < secrets->count; i++)
		if (secrets->entries[i].value)
			r = buf_append(into, buf_slice(&secrets->entries[i].text));
	return r;
}

int secrets_reveal(const struct secrets *secrets, struct slice service, struct slice host, uint16_t port,
		   struct buf *into)
{
	const struct entry *entry = find(secrets, service);
	struct secret_reader reader;
	struct secret_binding binding;
	const struct secret_host *found;

	if (!entry || !entry->value)
		return -ENOENT;
	reader = (struct secret_reader){.text = buf_slice(&entry->text)};
	if (secret_next(&reader, &binding, NULL) != 1)
		return -EIO;
	found = secret_find_host(&binding, host, port);
	return found ? secret_fill(found->format, slice_of(entry->value, entry->value_len), into) : -EACCES;
}
