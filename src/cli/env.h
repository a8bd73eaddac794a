/* Environment for a sandbox: --env NAME=VALUE, --env NAME (the caller's own value), --env-file FILE. */
#pragma once

#include "base/paths.h"
#include "cli/options.h"

/*
 * Gives a NULL-ended list of NAME=VALUE, files first, so that --env wins; free with env_free(). A bare NAME
 * that the caller does not have is left out, as docker does. So is one of a service (store/services.h): its
 * value is a secret, and the sandbox has a placeholder there. paths: where services are; NULL for none.
 */
int env_collect(const struct paths *paths, const struct option_list *env, const struct option_list *files,
		char ***ret, struct err *err);
void env_free(char **env);
