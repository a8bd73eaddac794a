/* The calls of the Secret Service that keychain.c makes, and their limits. */
#pragma once

#include "store/keychain.h"

#define BUS_SERVICE    "org.freedesktop.secrets"
#define BUS_ROOT       "/org/freedesktop/secrets"
#define BUS_INTERFACE  "org.freedesktop.Secret."
#define BUS_COLLECTION BUS_ROOT "/aliases/default"

/* Connects and opens a session. */
int bus_open(struct keychain *keychain, struct err *err);

/* Takes the message. Gives the answer, or a sentence that begins with what was to be done. */
int bus_call(struct keychain *keychain, sd_bus_message *message, sd_bus_message **ret, const char *what,
	     struct err *err);

int bus_message(struct keychain *keychain, const char *path, const char *interface, const char *method,
		sd_bus_message **ret);

/* Has a person answer the prompt on the screen; "/" is none. -EACCES without a screen, and where the answer
 * is no. */
int bus_prompt(struct keychain *keychain, const char *prompt, struct err *err);

int bus_locked(struct err *err);
