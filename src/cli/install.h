/*
 * The template of an agent that has to be installed: npm runs in a sandbox of the base template, and what it
 * has added there becomes an image over the base. Nothing that it fetches runs on the host or is interpreted
 * there.
 */
#pragma once

#include "base/hash.h"
#include "base/paths.h"
#include "cli/agent.h"

/*
 * Builds it, replacing one that is there; or, where another build of it was running, takes that. Says what it
 * does. -ENOENT where there is no such agent, -EINVAL for one that needs no template.
 */
int install_make(const struct paths *paths, const char *agent_name, struct err *err);

/* Names what the agent's template is made by. */
int install_recipe(const struct agent *agent, char ret[HASH_TEXT_BYTES], struct err *err);
