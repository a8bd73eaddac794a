#include "cli/template.h"

#include "base/log.h"
#include "cli/bar.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

static void report(const struct template_progress *progress, void *data)
{
	const struct bar_state state = {.what = progress->what,
					.fraction = progress->fraction,
					.bytes = progress->bytes,
					.bytes_wanted = progress->bytes_wanted,
					.bytes_per_second = progress->bytes_per_second};

	bar_draw(data, &state);
}

/* An interrupt becomes readable, so that the builder can be asked to tidy up before this program ends. */
static int watch_interrupts(sigset_t *ret_before)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, ret_before);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int template_make(const struct paths *paths, const char *name, struct err *err)
{
	struct signalfd_siginfo heard;
	struct bar bar;
	sigset_t before;
	int cancel = watch_interrupts(&before);
	int r;

	bar_open(&bar, STDERR_FILENO);
	r = template_build(paths, name, cancel, report, &bar, err);
	bar_close(&bar);
	/* The interrupt has had its effect; what is left to do is to say so. */
	while (cancel >= 0 && read(cancel, &heard, sizeof(heard)) == sizeof(heard))
		continue;
	if (cancel >= 0)
		close(cancel);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

int template_obtain(const struct paths *paths, const char *name, struct template *ret, struct err *err)
{
	int r = template_open(paths, name, ret, err);

	if (r != -ENOENT && r != -EUCLEAN)
		return r;
	if (r == -ENOENT)
		log_line("the template '%s' is built now, once; this takes a minute or two", name);
	else
		log_line("%s; it is built again", err->text);
	r = template_make(paths, name, err);
	return r < 0 ? r : template_open(paths, name, ret, err);
}
