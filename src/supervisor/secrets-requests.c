/* Credentials as far as a supervisor has to do with them: it passes a pipe on, and hears what there is,
 * without values. */
#include "supervisor/life.h"

#include "base/fd.h"
#include "base/log.h"
#include "wire/control.h"
#include "wire/secret.h"

#include <errno.h>
#include <sys/mman.h>

int launch_tell_secrets(struct life *life)
{
	auto_buf struct buf lines = {0};
	autofd int file = -1;
	int r = network_environment(&life->network, &lines);

	file = r < 0 ? -1 : memfd_create("sbx-environment", MFD_CLOEXEC);
	if (file < 0)
		return r < 0 ? r : -errno;
	r = fd_write_all(file, buf_slice(&lines));
	return r < 0 ? r
		     : machine_request_file(life->machine, REQUEST_ENVIRONMENT,
					    "POST " CONTROL_ENVIRONMENT "\n", file);
}

static json_t *describe_lost(const struct vault *vault)
{
	struct secret_reader reader = {.text = buf_slice(&vault->lost)};
	struct secret_binding binding;
	json_t *names = json_array();

	while (secret_next(&reader, &binding, NULL) > 0)
		json_array_append_new(names, json_stringn(binding.service.ptr, binding.service.len));
	return json_pack("{s:b, s:o}", "ok", 1, "lost", names);
}

static void answer(struct life *life, struct feeder *feeder, const char *error)
{
	uint64_t ticket = feeder->ticket;
	json_t *reply = NULL;

	feeder->ticket = 0;
	if (error) {
		control_refuse(&life->control, ticket, error);
		return;
	}
	if (feeder->is_all) {
		reply = describe_lost(&life->network.vault);
		vault_forget_lost(&life->network.vault);
	}
	control_answer(&life->control, ticket, reply, -1);
}

void secrets_on_fed(void *owner, uint32_t id, const char *error)
{
	struct life *life = owner;

	for (size_t i = 0; i < JOBS_MAX; i++)
		if (life->feeders[i].ticket && life->feeders[i].id == id)
			answer(life, &life->feeders[i], error);
}

void secrets_on_vault_gone(void *owner)
{
	struct life *life = owner;

	for (size_t i = 0; i < JOBS_MAX; i++)
		if (life->feeders[i].ticket)
			answer(life, &life->feeders[i], "its vault ended before it had them");
}

void secrets_on_change(void *owner)
{
	struct life *life = owner;

	if (life->phase == RUNNING && !life->is_paused && launch_tell_secrets(life) < 0)
		log_line("the guest could not be told of the placeholders");
}

void secrets_on_request(struct life *life, struct control_request *request)
{
	struct err err;
	int r = life->phase == RUNNING
			? 0
			: err_set(&err, -EAGAIN, "sandbox '%s' is not running yet", life->sandbox.name);

	if (r == 0 && request->n_fds != 1)
		r = err_set(&err, -EINVAL, "secrets come by one pipe");
	for (size_t i = 0; r == 0 && i < JOBS_MAX; i++) {
		struct feeder *feeder = &life->feeders[i];

		if (feeder->ticket)
			continue;
		*feeder = (struct feeder){.ticket = request->ticket,
					  .id = ++life->last_feed,
					  .is_all = strcmp(request->op, "all-secrets") == 0};
		if (network_feed(&life->network, feeder->id, request->fds[0]) < 0)
			answer(life, feeder, "its vault does not run: it has no secrets");
		return;
	}
	if (r == 0)
		err_set(&err, -EBUSY, "too many secrets are being set at once");
	control_refuse(&life->control, request->ticket, err.text);
}
