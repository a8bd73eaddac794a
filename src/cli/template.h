/* Templates as a person meets them: taken as they are, or built first with progress on standard error: the
 * base by the builder, an agent's in a sandbox (cli/install.h). */
#pragma once

#include "image/template.h"

/* Opens the template; builds it when it is missing or damaged, saying so. */
int template_obtain(const struct paths *paths, const char *name, struct template *ret, struct err *err);

/* Builds it with a bar; Ctrl-C leaves nothing half-made. */
int template_make(const struct paths *paths, const char *name, struct err *err);
