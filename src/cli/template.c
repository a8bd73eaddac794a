#include "cli/template.h"

#include "base/log.h"
#include "cli/bar.h"
#include "cli/install.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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

static int make_base(const struct paths *paths, struct err *err)
{
	struct signalfd_siginfo heard;
	struct bar bar;
	sigset_t before;
	int cancel = watch_interrupts(&before);
	int r;

	bar_open(&bar, STDERR_FILENO);
	r = template_build(paths, TEMPLATE_BASE_NAME, cancel, report, &bar, err);
	bar_close(&bar);
	/* The interrupt has had its effect; what is left to do is to say so. */
	while (cancel >= 0 && read(cancel, &heard, sizeof(heard)) == sizeof(heard))
		continue;
	if (cancel >= 0)
		close(cancel);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

int template_make(const struct paths *paths, const char *name, struct err *err)
{
	return strcmp(name, TEMPLATE_BASE_NAME) == 0 ? make_base(paths, err) : install_make(paths, name, err);
}

/* A layer that was made by another recipe than the agent has now is as good as none. */
static int check_recipe(const struct template *template, const char *name, struct err *err)
{
	autofree struct agent *agent = calloc(1, sizeof(*agent));
	char recipe[HASH_TEXT_BYTES];
	int r = agent ? 0 : err_errno(err, -ENOMEM, "cannot read the agent");

	if (r == 0 && template->layer >= 0) {
		r = agent_load(name, agent, err);
		r = r < 0 ? r : install_recipe(agent, recipe, err);
	}
	if (r < 0 || template->layer < 0 || strcmp(recipe, template->recipe) == 0)
		return r;
	return err_set(err, -ESTALE, "the template '%s' was built for another version of sbx", name);
}

static int open_current(const struct paths *paths, const char *name, struct template *ret, struct err *err)
{
	auto_template struct template template = TEMPLATE_NONE;
	int r = template_open(paths, name, &template, err);

	r = r < 0 ? r : check_recipe(&template, name, err);
	if (r < 0)
		return r;
	*ret = template;
	template = TEMPLATE_NONE;
	return 0;
}

int template_obtain(const struct paths *paths, const char *name, struct template *ret, struct err *err)
{
	int r = open_current(paths, name, ret, err);

	if (r != -ENOENT && r != -EUCLEAN && r != -ESTALE)
		return r;
	if (r == -ENOENT)
		log_line("the template '%s' is built now, once; this takes a minute or two", name);
	else
		log_line("%s; it is built again", err->text);
	r = template_make(paths, name, err);
	return r < 0 ? r : template_open(paths, name, ret, err);
}
