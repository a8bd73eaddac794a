/*
 * The services whose credentials we know how to give: one readable file each (wire/secret.h), in the folder
 * `services` that comes with sbx, and in <config>/services those that a person has added.
 */
#pragma once

#include "base/buf.h"
#include "base/paths.h"
#include "wire/secret.h"

enum { SERVICE_TEXT_MAX_BYTES = 16384 };

struct service {
	struct buf text; /* owned; what the binding points into */
	struct secret_binding binding;
	char name[SECRET_SERVICE_MAX_BYTES + 1];
	bool is_custom;
};

struct services {
	struct service items[SECRET_BINDINGS_MAX];
	size_t count;
};

/* Reads all of them; large: not for a stack. A file that makes no sense is named with its line. */
int services_load(const struct paths *paths, struct services *ret, struct err *err);
void services_done(struct services *services);

/* By its name, or that of one of its variables. -ENOENT with the nearest, or with why it is not there. */
int services_find(const struct services *services, const char *name, const struct service **ret,
		  struct err *err);

/* Adds one of the person's own, or replaces it. Its variables must not be those of another. */
int services_add(const struct paths *paths, const struct services *services,
		 const struct secret_binding *binding, struct err *err);

/* Removes one of the person's own. */
int services_remove(const struct paths *paths, const char *name, struct err *err);
