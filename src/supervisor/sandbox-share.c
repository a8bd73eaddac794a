/* The folders of a sandbox, as its description has them. */
#include "supervisor/sandbox.h"

#include <errno.h>
#include <string.h>

static bool has_target(const struct sandbox *sandbox, const char *target)
{
	for (size_t i = 0; i < sandbox->n_shares; i++)
		if (!sandbox->shares[i].is_gone && strcmp(sandbox->shares[i].target, target) == 0)
			return true;
	return false;
}

/* Those that are gone still have theirs, until the guest has been told. */
static unsigned lowest_port(const struct sandbox *sandbox)
{
	unsigned used = 0, port = 0;

	for (size_t i = 0; i < sandbox->n_shares; i++)
		used |= 1U << sandbox->shares[i].port;
	while (used & 1U << port)
		port++;
	return port;
}

static void insert(struct sandbox *sandbox, const struct sandbox_share *share)
{
	size_t at = 0;

	/* "/a" comes before "/a/b": what lies inside another is mounted after it. */
	while (at < sandbox->n_shares && strcmp(sandbox->shares[at].target, share->target) <= 0)
		at++;
	memmove(&sandbox->shares[at + 1], &sandbox->shares[at],
		(sandbox->n_shares - at) * sizeof(sandbox->shares[0]));
	sandbox->shares[at] = *share;
	sandbox->n_shares++;
}

int sandbox_add_share(struct sandbox *sandbox, const struct sandbox_share *share, struct err *err)
{
	struct sandbox_share *grown, made = *share;

	if (has_target(sandbox, share->target))
		return err_set(err, -EEXIST, "there is a folder at '%s' in the sandbox already",
			       share->target);
	if (sandbox->n_shares >= ENGINE_SHARES)
		return err_set(err, -E2BIG, "a sandbox can have %d folders at most", ENGINE_SHARES);
	grown = realloc(sandbox->shares, (sandbox->n_shares + 1) * sizeof(*grown));
	if (!grown)
		return err_errno(err, -ENOMEM, "cannot add '%s'", share->source);
	sandbox->shares = grown;
	made.port = lowest_port(sandbox);
	made.source = strdup(share->source);
	made.target = strdup(share->target);
	if (!made.source || !made.target) {
		free(made.source);
		free(made.target);
		return err_errno(err, -ENOMEM, "cannot add '%s'", share->source);
	}
	insert(sandbox, &made);
	return 0;
}

struct sandbox_share *sandbox_find_share(const struct sandbox *sandbox, const char *path)
{
	struct sandbox_share *found = NULL;

	for (size_t i = 0; i < sandbox->n_shares; i++) {
		struct sandbox_share *share = &sandbox->shares[i];

		if (share->is_gone)
			continue;
		if (strcmp(share->target, path) == 0)
			return share;
		if (!found && strcmp(share->source, path) == 0)
			found = share;
	}
	return found;
}

void sandbox_drop_share(struct sandbox *sandbox, struct sandbox_share *share)
{
	size_t at = (size_t)(share - sandbox->shares);

	free(share->source);
	free(share->target);
	sandbox->n_shares--;
	memmove(share, share + 1, (sandbox->n_shares - at) * sizeof(*share));
}
