/*
 * Credential bindings: which credential goes to which hosts, in which header, and what the sandbox has in its
 * place. Text of lines, the same whether it lies in a file of services, travels from the store to the vault
 * (with values), or from the vault to whoever has to know what there is (without):
 *
 *   service openai                       begins a binding
 *   summary TEXT                         for people
 *   env OPENAI_API_KEY                   variables in the sandbox that hold the placeholder
 *   header Authorization: Bearer %s      of the hosts that follow
 *   host api.openai.com                  also *.x (one label), **.x (any depth), NAME:PORT
 *   placeholder sk-proj-…                of one sandbox; in a file of services its form: sk-proj-%s
 *   value TEXT | keep | forget           of these one or none
 *
 * Empty lines and those that begin with # say nothing. A parser that is pure: slices point into the text.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

enum {
	SECRET_SERVICE_MAX_BYTES = 32,
	SECRET_NAMES_MAX = 8,  /* variables of one binding */
	SECRET_HOSTS_MAX = 32, /* of one binding */
	SECRET_HOST_MAX_BYTES = 253,
	SECRET_HEADER_MAX_BYTES = 64,
	SECRET_FORMAT_MAX_BYTES = 128,
	SECRET_PLACEHOLDER_MIN_BYTES = 16,
	SECRET_PLACEHOLDER_MAX_BYTES = 256,
	SECRET_VALUE_MAX_BYTES = 16384,
	SECRET_BINDINGS_MAX = 64, /* of one sandbox */
	SECRET_TEXT_MAX_BYTES = 2 << 20,
	SECRET_PORT = 443, /* where a host names none */
};

enum secret_state {
	SECRET_BARE,   /* says nothing of a value */
	SECRET_VALUE,  /* brings one */
	SECRET_KEEP,   /* counts where the vault has one already, and leaves it */
	SECRET_FORGET, /* there is none any more */
};

struct secret_host {
	struct slice pattern; /* lower case; without its port */
	uint16_t port;
	struct slice header; /* a field's name (RFC 9110) */
	struct slice format; /* of its value: one %s. What follows "Basic " is base64 at the end (RFC 7617) */
};

struct secret_binding {
	struct slice service, summary, placeholder, value; /* empty where they were not said */
	enum secret_state state;
	size_t n_names, n_hosts;
	struct slice names[SECRET_NAMES_MAX];
	struct secret_host hosts[SECRET_HOSTS_MAX];
};

/* Where a text is read. All zero but the text is its beginning. */
struct secret_reader {
	struct slice text; /* what has not been read */
	unsigned line;     /* of the last line that was read, from 1 */
};

/*
 * Takes the next binding. Returns 1, 0 where there is none left, -EINVAL with a sentence, which begins with
 * the line's number, and never holds a value.
 */
int secret_next(struct secret_reader *reader, struct secret_binding *ret, struct err *err);

/* Appends it in the same form; its value, and what is said of one, only where that is wanted. */
int secret_write(struct buf *into, const struct secret_binding *binding, bool with_value);

/* The host of the binding that this name (canonical, or an address) and port fit, or NULL. */
const struct secret_host *secret_find_host(const struct secret_binding *binding, struct slice name,
					   uint16_t port);

/*
 * Appends the header's value: the format with the credential in it. The caller wipes what it has in the
 * buffer; nothing is left of it elsewhere.
 */
int secret_fill(struct slice format, struct slice value, struct buf *into);

/* Whether it can be a credential in a header; if not, a sentence without it: empty, too long, several lines…
 */
int secret_check_value(struct slice value, struct err *err);

bool secret_is_service(struct slice name);

/* Of an environment variable. */
bool secret_is_variable(struct slice name);

/* A format that holds one %s, and nothing that no header holds. */
bool secret_is_format(struct slice format);
