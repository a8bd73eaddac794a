/* Variables that every command begins with because the host says so: placeholders of credentials. */
#pragma once

#include "guest/strings.h"

/* Lines NAME=VALUE, in the place of those before. */
int environment_apply(struct slice lines);

/* Sets them in *into. */
int environment_add(struct strings *into);
