/* Starts a supervisor and waits until it says that it is ready, or why not. Progress goes to standard error.
 */
#pragma once

#include "image/template.h"

#include <stdbool.h>

struct supervise {
	const char *name;
	const char *what; /* shown with the progress; NULL: the name */
	const struct template *template;
	int memory;        /* sealed memory of others, -1 for none; borrowed */
	const int *shares; /* folders, one for each port (-1 for none); NULL for none at all; borrowed */
	bool is_start;     /* makes what new sandboxes start from, and ends */
	int *ret_bond;     /* NULL, or it ends once this descriptor, the caller's, is closed */
};

/* A caller that is interrupted meanwhile leaves nothing running. */
int supervise(const struct supervise *call, struct err *err);
