/* What clients ask about the folders of a sandbox that runs. */
#include "supervisor/life.h"

#include <errno.h>

static void refuse(struct life *life, uint64_t ticket, const struct err *err)
{
	control_refuse(&life->control, ticket, err->text);
}

/* ---- mounting and unmounting ---- */

static void forget(struct life *life, unsigned id)
{
	struct sandbox_share *share = folders_find(life, id);

	shares_drop(&life->shares, id);
	if (share)
		sandbox_drop_share(&life->sandbox, share);
	folders_describe_again(life);
}

/* A folder that is being mounted, or unmounted, stays in the description until the guest has answered. */
void folders_on_answer(struct life *life, unsigned id, bool is_mount, unsigned status)
{
	const struct sandbox_share *share = folders_find(life, id);
	uint64_t ticket = life->mounters[id];
	struct err err;

	life->mounters[id] = 0;
	if (status == 204) {
		if (is_mount)
			folders_describe_again(life);
		else
			forget(life, id);
		control_answer(&life->control, ticket, NULL, -1);
		return;
	}
	if (is_mount)
		err_set(&err, -EIO, "the sandbox cannot mount it at '%s'", share ? share->target : "");
	else
		err_set(&err, -EBUSY,
			status == 409 ? "'%s' is in use in sandbox '%s': end what works there first"
				      : "'%s' cannot be unmounted in sandbox '%s'",
			share ? share->source : "", life->sandbox.name);
	if (is_mount)
		forget(life, id);
	refuse(life, ticket, &err);
}

static bool is_path(const char *text)
{
	return text && text[0] == '/' && !strchr(text, '\n');
}

static int serve_and_ask(struct life *life, const char *target, int *root, struct err *err)
{
	const struct sandbox_share *share = NULL;
	int r;

	for (size_t i = 0; i < life->sandbox.n_shares; i++)
		if (!life->sandbox.shares[i].is_gone && strcmp(life->sandbox.shares[i].target, target) == 0)
			share = &life->sandbox.shares[i];
	if (!share)
		return err_set(err, -EINVAL, "the request makes no sense");
	r = shares_keep(&life->shares, share->port, share->source, steal_fd(root),
			share->is_read_only ? SHARE_READ_ONLY : SHARE_READ_WRITE, SHARE_GUEST_NEW, -1);
	r = r < 0 ? r : folders_ask(life, share, true, false);
	return r < 0 ? err_errno(err, r, "cannot serve '%s'", share->source) : (int)share->port;
}

static int mount(struct life *life, struct control_request *request, struct err *err)
{
	const char *source, *target;
	int read_only, file, r;

	if (json_unpack((json_t *)(uintptr_t)request->body, "{s:s, s:s, s:b, s:b}", "source", &source,
			"target", &target, "read_only", &read_only, "file", &file) < 0 ||
	    !is_path(source) || !is_path(target) || request->n_fds != 1)
		return err_set(err, -EINVAL, "the request makes no sense");
	r = sandbox_add_share(&life->sandbox,
			      &(struct sandbox_share){.source = (char *)(uintptr_t)source,
						      .target = (char *)(uintptr_t)target,
						      .is_read_only = read_only != 0,
						      .is_file = file != 0},
			      err);
	if (r < 0)
		return r;
	r = serve_and_ask(life, target, &request->fds[0], err);
	if (r < 0) {
		sandbox_drop_share(&life->sandbox, sandbox_find_share(&life->sandbox, target));
		return r;
	}
	life->mounters[r] = request->ticket;
	return 0;
}

void folders_on_mount(struct life *life, struct control_request *request)
{
	struct err err;
	int r = requests_check_able(life, &err);

	r = r < 0 ? r : mount(life, request, &err);
	if (r < 0)
		refuse(life, request->ticket, &err);
}

static int unmount(struct life *life, struct control_request *request, struct err *err)
{
	const char *path = json_string_value(json_object_get(request->body, "path"));
	const struct sandbox_share *share = path ? sandbox_find_share(&life->sandbox, path) : NULL;

	if (!share)
		return err_set(err, -ENOENT,
			       "sandbox '%s' does not share '%s': 'sbx mount %s' lists what it does",
			       life->sandbox.name, path ? path : "", life->sandbox.name);
	if (life->mounters[share->port])
		return err_set(err, -EBUSY, "'%s' is just being mounted or unmounted", share->source);
	if (folders_ask(life, share, false, false) < 0)
		return err_set(err, -EIO, "the sandbox cannot be asked to unmount '%s'", share->source);
	life->mounters[share->port] = request->ticket;
	return 0;
}

void folders_on_umount(struct life *life, struct control_request *request)
{
	struct err err;
	int r = requests_check_able(life, &err);

	r = r < 0 ? r : unmount(life, request, &err);
	if (r < 0)
		refuse(life, request->ticket, &err);
}

/* ---- what has changed, and rules ---- */

static void on_diff_done(void *owner, int result)
{
	struct life *life = owner;

	close(steal_fd(&life->differ_file));
	if (result < 0)
		control_refuse(&life->control, life->differ, "the sandbox is just being saved: try again");
	else
		control_answer(&life->control, life->differ, NULL, -1);
	life->differ = 0;
}

void folders_on_diff(struct life *life, struct control_request *request)
{
	if (life->differ || request->n_fds != 1 || save_is_going_on(&life->save)) {
		control_refuse(&life->control, request->ticket, "it is busy with another request: try again");
		return;
	}
	life->differ = request->ticket;
	life->differ_file = steal_fd(&request->fds[0]);
	if (shares_diff(&life->shares, life->differ_file, on_diff_done, life) < 0)
		on_diff_done(life, -EBUSY);
}

void folders_on_guard(struct life *life, struct control_request *request)
{
	const json_t *rules = json_object_get(request->body, "rules");
	size_t count = json_array_size(rules);
	char **list = json_is_array(rules) ? calloc(count + 1, sizeof(*list)) : NULL;
	struct err err;
	int r = list ? 0 : err_set(&err, -EINVAL, "the request makes no sense");

	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *rule = json_string_value(json_array_get(rules, i));

		list[i] = rule ? strdup(rule) : NULL;
		if (!list[i])
			r = err_set(&err, -EINVAL, "the request makes no sense");
	}
	if (r == 0) {
		char **old = life->rules;

		life->rules = list;
		list = old;
		r = folders_set_rules(life, &err);
		if (r < 0) {
			list = life->rules;
			life->rules = old;
		}
	}
	for (char **rule = list; rule && *rule; rule++)
		free(*rule);
	free(list);
	if (r < 0)
		refuse(life, request->ticket, &err);
	else
		control_answer(&life->control, request->ticket, NULL, -1);
}
