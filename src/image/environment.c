#include "image/environment.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

int environment_add(struct environment *env, const char *name, const char *value)
{
	if (env->count + 1 >= ENVIRONMENT_MAX)
		return -E2BIG;
	if (asprintf(&env->list[env->count], "%s=%s", name, value) < 0) {
		env->list[env->count] = NULL;
		return -ENOMEM;
	}
	env->count++;
	return 0;
}

int environment_pick(struct environment *env)
{
	static const char *const names[] = {"PATH",        "HOME",        "SSL_CERT_FILE", "SSL_CERT_DIR",
					    "http_proxy",  "https_proxy", "no_proxy",      "HTTP_PROXY",
					    "HTTPS_PROXY", "NO_PROXY"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < array_len(names); i++) {
		const char *value = getenv(names[i]);

		if (value)
			r = environment_add(env, names[i], value);
	}
	return r;
}

void environment_done(struct environment *env)
{
	while (env->count > 0)
		free(env->list[--env->count]);
}
