#include "store/keychain-bus.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { US_PER_MS = 1000 };

static int64_t left_ms(const struct keychain *keychain)
{
	int64_t left = keychain->deadline_ms - clock_ms();

	return left > 0 ? left : 0;
}

static int too_slow(struct err *err)
{
	return err_set(err, -ETIME,
		       "the keychain does not answer: see what hangs there, or use the encrypted file "
		       "(SBX_STORE=file)");
}

int bus_locked(struct err *err)
{
	return err_set(err, -EACCES,
		       "the keychain is locked: unlock it, or use the encrypted file (SBX_STORE=file)");
}

/* sd_bus_call() would wait for a bus that says nothing for longer than we like. */
static int await_bus(struct keychain *keychain)
{
	int r;

	while ((r = sd_bus_is_ready(keychain->bus)) == 0) {
		r = sd_bus_process(keychain->bus, NULL);
		if (r == 0 && left_ms(keychain) == 0)
			return -ETIME;
		if (r == 0)
			r = sd_bus_wait(keychain->bus, (uint64_t)left_ms(keychain) * US_PER_MS);
		if (r < 0 && r != -EINTR)
			return r;
	}
	return r < 0 ? r : 0;
}

int bus_message(struct keychain *keychain, const char *path, const char *interface, const char *method,
		sd_bus_message **ret)
{
	int r = sd_bus_message_new_method_call(keychain->bus, ret, BUS_SERVICE, path, interface, method);

	return r < 0 ? r : sd_bus_message_sensitive(*ret);
}

static int explain(const sd_bus_error *error, int r, const char *what, struct err *err)
{
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	    sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
	    (error->name && strncmp(error->name, "org.freedesktop.DBus.Error.Spawn.", 33) == 0))
		return err_set(err, -ENOENT, "nobody on the message bus keeps secrets");
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
	    sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_METHOD) ||
	    sd_bus_error_has_name(error, "org.freedesktop.Secret.Error.NoSuchObject"))
		return err_set(err, -ENOENT, "the keychain has no default keyring to keep secrets in");
	if (sd_bus_error_has_name(error, "org.freedesktop.Secret.Error.IsLocked"))
		return bus_locked(err);
	if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) || r == -ETIMEDOUT || r == -ETIME)
		return too_slow(err);
	return err_set(err, r, "%s: the keychain says '%s'", what,
		       error->message ? error->message : strerror(-r));
}

int bus_call(struct keychain *keychain, sd_bus_message *message, sd_bus_message **ret, const char *what,
	     struct err *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int64_t left = left_ms(keychain);
	int r = left > 0 ? sd_bus_call(keychain->bus, message, (uint64_t)left * US_PER_MS, &error, ret)
			 : -ETIME;

	sd_bus_message_unref(message);
	if (r < 0)
		r = explain(&error, r, what, err);
	else if (*ret)
		(void)sd_bus_message_sensitive(*ret);
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

static int open_session(struct keychain *keychain, struct err *err)
{
	sd_bus_message *message = NULL, *reply = NULL;
	const char *session = NULL;
	int r = bus_message(keychain, BUS_ROOT, BUS_INTERFACE "Service", "OpenSession", &message);

	/* Plain: the bus is this user's alone, and who can read it can ask for the secret itself. */
	r = r < 0 ? r : sd_bus_message_append(message, "sv", "plain", "s", "");
	if (r < 0)
		return err_errno(err, r, "cannot speak to the keychain");
	r = bus_call(keychain, message, &reply, "opening a session", err);
	if (r == 0 && (sd_bus_message_skip(reply, "v") < 0 || sd_bus_message_read(reply, "o", &session) <= 0))
		r = err_set(err, -EBADMSG, "the keychain's answer makes no sense");
	keychain->session = session ? strdup(session) : NULL;
	sd_bus_message_unref(reply);
	return r;
}

int bus_open(struct keychain *keychain, struct err *err)
{
	int r = sd_bus_open_user(&keychain->bus);

	if (r < 0)
		return err_set(err, -ENOENT, "there is no message bus of this user");
	r = await_bus(keychain);
	if (r == -ETIME)
		return too_slow(err);
	if (r < 0)
		return err_set(err, -ENOENT, "the message bus of this user does not work: %s", strerror(-r));
	return open_session(keychain, err);
}

/* ---- prompts ---- */

struct answer {
	bool is_there, is_dismissed;
};

static int on_completed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct answer *answer = data;
	int is_dismissed = 1;

	(void)error;
	answer->is_dismissed = sd_bus_message_read(message, "b", &is_dismissed) < 0 || is_dismissed;
	answer->is_there = true;
	return 0;
}

static int await_answer(struct keychain *keychain, const struct answer *answer)
{
	while (!answer->is_there) {
		int r = sd_bus_process(keychain->bus, NULL);

		if (r == 0 && left_ms(keychain) == 0)
			return -ETIME;
		if (r == 0)
			r = sd_bus_wait(keychain->bus, (uint64_t)left_ms(keychain) * US_PER_MS);
		if (r < 0 && r != -EINTR)
			return r;
	}
	return answer->is_dismissed ? -EACCES : 0;
}

int bus_prompt(struct keychain *keychain, const char *prompt, struct err *err)
{
	sd_bus_message *message = NULL, *reply = NULL;
	sd_bus_slot *slot = NULL;
	struct answer answer = {0};
	int r;

	if (strcmp(prompt, "/") == 0)
		return 0;
	if (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY"))
		return bus_locked(err);
	keychain->deadline_ms = clock_ms() + KEYCHAIN_PERSON_LIMIT_MS;
	r = sd_bus_match_signal(keychain->bus, &slot, BUS_SERVICE, prompt, BUS_INTERFACE "Prompt",
				"Completed", on_completed, &answer);
	r = r < 0 ? r : bus_message(keychain, prompt, BUS_INTERFACE "Prompt", "Prompt", &message);
	r = r < 0 ? r : sd_bus_message_append(message, "s", "");
	if (r < 0)
		r = err_errno(err, r, "cannot speak to the keychain");
	else
		r = bus_call(keychain, message, &reply, "asking for the keychain's password", err);
	if (r == 0 && await_answer(keychain, &answer) < 0)
		r = bus_locked(err);
	keychain->deadline_ms = clock_ms() + KEYCHAIN_LIMIT_MS;
	sd_bus_slot_unref(slot);
	sd_bus_message_unref(reply);
	return r;
}
