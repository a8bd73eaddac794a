#include "store/keychain.h"

#include "base/clock.h"
#include "store/keychain-bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_BYTES = 128 };

static int bad_answer(struct err *err)
{
	return err_set(err, -EBADMSG, "the keychain's answer makes no sense");
}

int keychain_open(const struct paths *paths, struct keychain *ret, struct err *err)
{
	*ret = (struct keychain){.place = paths->data, .deadline_ms = clock_ms() + KEYCHAIN_LIMIT_MS};
	return bus_open(ret, err);
}

void keychain_close(struct keychain *keychain)
{
	sd_bus_flush_close_unref(keychain->bus);
	free(keychain->session);
	*keychain = (struct keychain){0};
}

/* What an item is found by. */
static int add_attributes(sd_bus_message *message, const struct keychain *keychain, const char *name)
{
	return sd_bus_message_append(message, "a{ss}", 3, "application", "sbx", "name", name, "place",
				     keychain->place);
}

/* ---- finding ---- */

static int read_first(sd_bus_message *reply, char **ret)
{
	const char *path;
	int r = sd_bus_message_enter_container(reply, 'a', "o");

	r = r < 0 ? r : sd_bus_message_read(reply, "o", &path);
	if (r > 0 && !*ret)
		*ret = strdup(path);
	while (r > 0)
		r = sd_bus_message_read(reply, "o", &path);
	return r < 0 ? r : sd_bus_message_exit_container(reply);
}

/* *ret is NULL where there is none; an item of the caller's to free. */
static int search(struct keychain *keychain, const char *name, char **ret, bool *ret_is_locked,
		  struct err *err)
{
	sd_bus_message *message = NULL, *reply = NULL;
	int r = bus_message(keychain, BUS_ROOT, BUS_INTERFACE "Service", "SearchItems", &message);

	*ret = NULL;
	r = r < 0 ? r : add_attributes(message, keychain, name);
	if (r < 0)
		return err_errno(err, r, "cannot speak to the keychain");
	r = bus_call(keychain, message, &reply, "looking for the secret", err);
	if (r < 0)
		return r;
	r = read_first(reply, ret);
	*ret_is_locked = !*ret;
	r = r < 0 ? r : read_first(reply, ret);
	sd_bus_message_unref(reply);
	return r < 0 ? bad_answer(err) : 0;
}

static int unlock(struct keychain *keychain, const char *path, struct err *err)
{
	sd_bus_message *message = NULL, *reply = NULL;
	const char *prompt;
	int r = bus_message(keychain, BUS_ROOT, BUS_INTERFACE "Service", "Unlock", &message);

	r = r < 0 ? r : sd_bus_message_append(message, "ao", 1, path);
	if (r < 0)
		return err_errno(err, r, "cannot speak to the keychain");
	r = bus_call(keychain, message, &reply, "unlocking the keychain", err);
	if (r < 0)
		return r;
	if (sd_bus_message_skip(reply, "ao") < 0 || sd_bus_message_read(reply, "o", &prompt) < 0)
		r = bad_answer(err);
	else
		r = bus_prompt(keychain, prompt, err);
	sd_bus_message_unref(reply);
	return r;
}

/* ---- one item ---- */

static int read_secret(sd_bus_message *reply, struct value *ret, struct err *err)
{
	const void *bytes = NULL;
	size_t len = 0;
	int r = sd_bus_message_enter_container(reply, 'r', "oayays");

	r = r < 0 ? r : sd_bus_message_skip(reply, "oay");
	r = r < 0 ? r : sd_bus_message_read_array(reply, 'y', &bytes, &len);
	return r < 0 ? bad_answer(err) : value_set(ret, slice_of(bytes, len));
}

int keychain_get(struct keychain *keychain, const char *name, struct value *ret, struct err *err)
{
	sd_bus_message *message = NULL, *reply = NULL;
	autofree char *item = NULL;
	bool is_locked = false;
	int r = search(keychain, name, &item, &is_locked, err);

	if (r == 0 && !item)
		r = err_set(err, -ENOENT, "it is not in the keychain any more: set it again");
	if (r == 0 && is_locked)
		r = unlock(keychain, item, err);
	if (r < 0)
		return r;
	r = bus_message(keychain, item, BUS_INTERFACE "Item", "GetSecret", &message);
	r = r < 0 ? r : sd_bus_message_append(message, "o", keychain->session);
	if (r < 0)
		return err_errno(err, r, "cannot speak to the keychain");
	r = bus_call(keychain, message, &reply, "reading the secret", err);
	r = r < 0 ? r : read_secret(reply, ret, err);
	sd_bus_message_unref(reply);
	return r == -EFBIG ? err_set(err, r, "what the keychain has is longer than a secret can be") : r;
}

static int describe(struct keychain *keychain, sd_bus_message *message, const char *name,
		    const struct value *value)
{
	char label[LABEL_BYTES];
	int r;

	snprintf(label, sizeof(label), "sbx: %s", name);
	r = sd_bus_message_open_container(message, 'a', "{sv}");
	r = r < 0 ? r : sd_bus_message_append(message, "{sv}", BUS_INTERFACE "Item.Label", "s", label);
	r = r < 0 ? r : sd_bus_message_open_container(message, 'e', "sv");
	r = r < 0 ? r : sd_bus_message_append(message, "s", BUS_INTERFACE "Item.Attributes");
	r = r < 0 ? r : sd_bus_message_open_container(message, 'v', "a{ss}");
	r = r < 0 ? r : add_attributes(message, keychain, name);
	for (int i = 0; i < 3; i++)
		r = r < 0 ? r : sd_bus_message_close_container(message);
	r = r < 0 ? r : sd_bus_message_open_container(message, 'r', "oayays");
	r = r < 0 ? r : sd_bus_message_append(message, "o", keychain->session);
	r = r < 0 ? r : sd_bus_message_append_array(message, 'y', NULL, 0);
	r = r < 0 ? r : sd_bus_message_append_array(message, 'y', value->bytes, value->len);
	r = r < 0 ? r : sd_bus_message_append(message, "s", "text/plain");
	r = r < 0 ? r : sd_bus_message_close_container(message);
	return r < 0 ? r : sd_bus_message_append(message, "b", /* replaces= */ 1);
}

static int is_locked(struct keychain *keychain, struct err *err)
{
	sd_bus_message *message = NULL, *reply = NULL;
	int locked = 0;
	int r = bus_message(keychain, BUS_COLLECTION, "org.freedesktop.DBus.Properties", "Get", &message);

	r = r < 0 ? r : sd_bus_message_append(message, "ss", BUS_INTERFACE "Collection", "Locked");
	if (r < 0)
		return err_errno(err, r, "cannot speak to the keychain");
	r = bus_call(keychain, message, &reply, "asking whether the keychain is locked", err);
	if (r == 0 && sd_bus_message_read(reply, "v", "b", &locked) < 0)
		r = bad_answer(err);
	sd_bus_message_unref(reply);
	return r < 0 ? r : locked;
}

int keychain_check(struct keychain *keychain, struct err *err)
{
	int r = is_locked(keychain, err);

	return r > 0 ? bus_locked(err) : r;
}

int keychain_set(struct keychain *keychain, const char *name, const struct value *value, struct err *err)
{
	sd_bus_message *message = NULL, *reply = NULL;
	const char *item, *prompt;
	int r = is_locked(keychain, err);

	if (r > 0)
		r = unlock(keychain, BUS_COLLECTION, err);
	if (r < 0)
		return r;
	r = bus_message(keychain, BUS_COLLECTION, BUS_INTERFACE "Collection", "CreateItem", &message);
	r = r < 0 ? r : describe(keychain, message, name, value);
	if (r < 0)
		return err_errno(err, r, "cannot speak to the keychain");
	r = bus_call(keychain, message, &reply, "keeping the secret", err);
	if (r == 0 && sd_bus_message_read(reply, "oo", &item, &prompt) < 0)
		r = bad_answer(err);
	r = r < 0 ? r : bus_prompt(keychain, prompt, err);
	sd_bus_message_unref(reply);
	return r;
}

int keychain_drop(struct keychain *keychain, const char *name, struct err *err)
{
	sd_bus_message *message = NULL, *reply = NULL;
	autofree char *item = NULL;
	const char *prompt;
	bool is_item_locked;
	int r = search(keychain, name, &item, &is_item_locked, err);

	if (r == 0 && item && is_item_locked)
		r = unlock(keychain, item, err);
	if (r < 0 || !item)
		return r;
	r = bus_message(keychain, item, BUS_INTERFACE "Item", "Delete", &message);
	if (r < 0)
		return err_errno(err, r, "cannot speak to the keychain");
	r = bus_call(keychain, message, &reply, "removing the secret", err);
	if (r == 0 && sd_bus_message_read(reply, "o", &prompt) < 0)
		r = bad_answer(err);
	r = r < 0 ? r : bus_prompt(keychain, prompt, err);
	sd_bus_message_unref(reply);
	return r;
}
