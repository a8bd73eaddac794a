#include "store/feed.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "store/command.h"
#include "store/placeholder.h"
#include "store/services.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <time.h>

enum {
	TEXT_ROOM_BYTES = 65536, /* of one binding with its value: it never moves */
	RETRY_S = 60,
	LIFE_REFRESHES = 2, /* a value that could not be said anew counts for so many times its interval */
};

struct renewal {
	const struct service *service;
	const struct index_entry *entry;
	int64_t due_s, ends_s; /* ends_s: 0 where the vault has forgotten it */
};

struct feeder {
	const struct feed_wish *wish;
	struct services services;
	struct index index;
	struct store store;
	unsigned char seed[PLACEHOLDER_SEED_BYTES];
	struct buf text;
	struct value value;
	struct renewal renewals[SECRET_BINDINGS_MAX];
	size_t n_renewals;
};

/* Time that goes on while the machine sleeps, as tokens' time does. */
static int64_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* ---- saying ---- */

static bool is_heard(const struct feeder *feeder)
{
	struct pollfd pipe = {.fd = feeder->wish->pipe};

	return poll(&pipe, 1, 0) == 0;
}

static int send_text(struct feeder *feeder)
{
	int r = fd_write_all(feeder->wish->pipe, buf_slice(&feeder->text));

	sodium_memzero(feeder->text.data, feeder->text.room);
	buf_clear(&feeder->text);
	return r;
}

static int say(struct feeder *feeder, const struct service *service, enum secret_state state)
{
	struct secret_binding binding = service->binding;
	char placeholder[PLACEHOLDER_ROOM_BYTES];
	int r;

	placeholder_make(feeder->seed, binding.service, binding.placeholder, placeholder);
	binding.placeholder = slice_text(placeholder);
	binding.state = state;
	binding.value = state == SECRET_VALUE ? value_slice(&feeder->value) : slice_text("");
	r = secret_write(&feeder->text, &binding, true);
	r = r < 0 ? r : send_text(feeder);
	feeder->value.len = 0;
	return r;
}

static int say_end(struct feeder *feeder)
{
	return fd_write_all(feeder->wish->pipe, slice_text("end\n"));
}

/* ---- finding ---- */

static int find_value(struct feeder *feeder, const struct index_entry *entry, struct err *err)
{
	char key[INDEX_KEY_BYTES];
	int r;

	if (entry->source == INDEX_COMMAND)
		return command_value(entry->command, feeder->wish->pipe, COMMAND_LIMIT_MS, &feeder->value,
				     err);
	index_key(entry->service, entry->sandbox, key);
	r = store_get(&feeder->store, entry->source, key, &feeder->value, err);
	return r < 0 ? r : value_check(&feeder->value, err);
}

static bool find_in_environment(struct feeder *feeder, const struct service *service)
{
	const struct secret_binding *binding = &service->binding;
	struct err err;

	for (size_t i = 0; i < binding->n_names; i++) {
		char name[SECRET_HEADER_MAX_BYTES + 1];
		const char *text;

		snprintf(name, sizeof(name), "%.*s", (int)binding->names[i].len, binding->names[i].ptr);
		text = getenv(name);
		if (!text || *text == '\0')
			continue;
		if (value_set(&feeder->value, slice_text(text)) == 0 &&
		    value_check(&feeder->value, &err) == 0)
			return true;
		log_line("%s in the environment cannot be used as a secret: it is too long or no header can "
			 "hold it",
			 name);
	}
	return false;
}

static unsigned retry_s(unsigned interval_s)
{
	return interval_s < RETRY_S ? interval_s : RETRY_S;
}

static void renew_later(struct feeder *feeder, const struct service *service, const struct index_entry *entry,
			unsigned after_s)
{
	int64_t now = now_s();

	if (entry->source != INDEX_COMMAND || entry->refresh_s == 0 ||
	    feeder->n_renewals == SECRET_BINDINGS_MAX)
		return;
	feeder->renewals[feeder->n_renewals++] =
		(struct renewal){.service = service,
				 .entry = entry,
				 .due_s = now + after_s,
				 .ends_s = now + (int64_t)entry->refresh_s * LIFE_REFRESHES};
}

static int tell(struct feeder *feeder, const struct service *service, const struct index_entry *entry)
{
	struct err err;
	int r = find_value(feeder, entry, &err);

	if (r < 0 && !is_heard(feeder))
		return -EPIPE;
	if (r < 0) {
		log_line("secret '%s' cannot be used: %s", service->name, err.text);
		renew_later(feeder, service, entry, retry_s(entry->refresh_s));
		return say(feeder, service, SECRET_KEEP);
	}
	renew_later(feeder, service, entry, entry->refresh_s);
	return say(feeder, service, SECRET_VALUE);
}

static bool is_wanted(const struct feed_wish *wish, const char *name)
{
	for (char *const *service = wish->services; service && *service; service++)
		if (strcmp(*service, name) == 0)
			return true;
	return !wish->services;
}

/* What is there no more, with its file. */
static int forget_others(struct feeder *feeder)
{
	int r = 0;

	for (char *const *name = feeder->wish->services; r == 0 && name && *name; name++) {
		const struct service *service;

		if (secret_is_service(slice_text(*name)) &&
		    services_find(&feeder->services, *name, &service, NULL) < 0)
			r = buf_printf(&feeder->text, "service %s\nforget\n", *name);
		if (r == 0 && feeder->text.len > 0)
			r = send_text(feeder);
	}
	return r;
}

static int tell_all(struct feeder *feeder)
{
	int r = forget_others(feeder);

	for (size_t i = 0; r == 0 && i < feeder->services.count; i++) {
		const struct service *service = &feeder->services.items[i];
		const struct index_entry *entry =
			index_for(&feeder->index, service->name, feeder->wish->sandbox);

		if (!is_wanted(feeder->wish, service->name))
			continue;
		if (entry)
			r = tell(feeder, service, entry);
		else if (feeder->wish->services)
			r = say(feeder, service, SECRET_FORGET);
		else
			r = say(feeder, service,
				find_in_environment(feeder, service) ? SECRET_VALUE : SECRET_KEEP);
	}
	return r < 0 ? r : say_end(feeder);
}

/* ---- again ---- */

static int renew(struct feeder *feeder, struct renewal *renewal)
{
	unsigned interval_s = renewal->entry->refresh_s;
	struct err err;
	int r = find_value(feeder, renewal->entry, &err);
	int64_t now = now_s();

	if (r == 0) {
		renewal->due_s = now + interval_s;
		renewal->ends_s = now + (int64_t)interval_s * LIFE_REFRESHES;
		r = say(feeder, renewal->service, SECRET_VALUE);
		return r < 0 ? r : say_end(feeder);
	}
	if (!is_heard(feeder))
		return -EPIPE;
	renewal->due_s = now + retry_s(interval_s);
	if (renewal->ends_s == 0 || now < renewal->ends_s) {
		log_line("secret '%s' could not be renewed: %s", renewal->service->name, err.text);
		return 0;
	}
	renewal->ends_s = 0;
	log_line("secret '%s' is not used any more, as it could not be renewed: %s", renewal->service->name,
		 err.text);
	r = say(feeder, renewal->service, SECRET_FORGET);
	return r < 0 ? r : say_end(feeder);
}

static struct renewal *next_due(struct feeder *feeder)
{
	struct renewal *next = &feeder->renewals[0];

	for (size_t i = 1; i < feeder->n_renewals; i++)
		if (feeder->renewals[i].due_s < next->due_s)
			next = &feeder->renewals[i];
	return next;
}

/* Nobody's terminal, folder or session any more. */
static void settle(const struct feed_wish *wish)
{
	autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	if (chdir("/") < 0)
		log_line("cannot leave the folder");
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(wish->log >= 0 ? wish->log : null, STDERR_FILENO);
}

/* A value that was forgotten is nobody's any more, so the pipe is closed then. */
static int go_on(struct feeder *feeder)
{
	autofd int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	int r = timer < 0 ? -errno : 0;

	while (r == 0) {
		struct pollfd events[] = {{.fd = feeder->wish->pipe}, {.fd = timer, .events = POLLIN}};
		struct renewal *renewal = next_due(feeder);
		const struct itimerspec due = {.it_value.tv_sec = renewal->due_s};

		if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &due, NULL) < 0)
			return -errno;
		if (poll(events, array_len(events), -1) < 0 && errno != EINTR)
			return -errno;
		if (events[0].revents & POLLERR)
			return 0;
		if (now_s() >= renewal->due_s)
			r = renew(feeder, renewal);
	}
	return r;
}

/* ---- whole ---- */

static int open_feeder(const struct paths *paths, struct feeder *feeder, struct err *err)
{
	char path[PATH_ROOM_BYTES + INDEX_SANDBOX_BYTES + 16];
	autofd int dir = -1;
	int r;

	snprintf(path, sizeof(path), "%s/sandboxes/%.*s", paths->data, INDEX_SANDBOX_BYTES,
		 feeder->wish->sandbox);
	dir = file_open_dir(AT_FDCWD, path);
	if (dir < 0)
		return err_errno(err, dir, "cannot open '%s'", path);
	r = placeholder_seed(dir, feeder->seed, err);
	r = r < 0 ? r : services_load(paths, &feeder->services, err);
	r = r < 0 ? r : index_load(paths, &feeder->index, err);
	r = r < 0 ? r : value_init(&feeder->value, err);
	if (r == 0 && !buf_space(&feeder->text, TEXT_ROOM_BYTES))
		r = err_errno(err, -ENOMEM, "cannot hold a secret");
	return r;
}

int feed_run(const struct paths *paths, const struct feed_wish *wish, struct err *err)
{
	static struct feeder feeder; /* large, and there is one in this process */
	int r;

	feeder = (struct feeder){.wish = wish};
	store_init(&feeder.store, paths);
	r = open_feeder(paths, &feeder, err);
	if (r == 0) {
		r = tell_all(&feeder);
		if (r < 0 && r != -EPIPE)
			err_errno(err, r, "cannot pass the secrets on");
	}
	if (r == 0 && feeder.n_renewals > 0) {
		store_done(&feeder.store);
		settle(wish);
		r = go_on(&feeder);
	}
	value_done(&feeder.value);
	buf_done(&feeder.text);
	index_done(&feeder.index);
	services_done(&feeder.services);
	store_done(&feeder.store);
	/* Whoever has made the pipe says why nobody reads it. */
	return r == -EPIPE ? 0 : r;
}
