#include "store/prompt.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

static int open_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

bool prompt_is_possible(void)
{
	autofd int fd = open_terminal();

	return fd >= 0;
}

/* Only ends the wait: the echo must come back first. */
static void on_ending(int number)
{
	(void)number;
}

/* Signals come in while it waits and at no other time, so that none is missed. */
static int read_line(int fd, const sigset_t *waiting, struct value *ret)
{
	ret->len = 0;
	for (;;) {
		struct pollfd typed = {.fd = fd, .events = POLLIN};

		if (ppoll(&typed, 1, NULL, waiting) < 0 || read(fd, ret->bytes + ret->len, 1) <= 0)
			return -ECANCELED;
		if (ret->bytes[ret->len] == '\n')
			return 0;
		if (++ret->len == VALUE_ROOM_BYTES)
			return -EFBIG;
	}
}

/* Asked only once nothing is shown any more. */
static int ask_hidden(int fd, const char *question, const sigset_t *waiting, struct value *ret)
{
	struct termios shown, hidden;
	int r = tcgetattr(fd, &shown) < 0 ? -errno : 0;

	if (r < 0)
		return r;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	r = tcsetattr(fd, TCSAFLUSH, &hidden) < 0 ? -errno : fd_write_all(fd, slice_text(question));
	r = r < 0 ? r : read_line(fd, waiting, ret);
	tcsetattr(fd, TCSAFLUSH, &shown);
	return r;
}

/* With the terminal as it was before when it returns, whatever comes meanwhile. */
static int ask_undisturbed(int fd, const char *question, struct value *ret)
{
	const struct sigaction end_wait = {.sa_handler = on_ending};
	struct sigaction before[array_len(endings)];
	sigset_t blocked, waiting;
	int r;

	sigemptyset(&blocked);
	for (size_t i = 0; i < array_len(endings); i++)
		sigaddset(&blocked, endings[i]);
	sigprocmask(SIG_BLOCK, &blocked, &waiting);
	for (size_t i = 0; i < array_len(endings); i++)
		sigaction(endings[i], &end_wait, &before[i]);
	r = ask_hidden(fd, question, &waiting, ret);
	for (size_t i = 0; i < array_len(endings); i++)
		sigaction(endings[i], &before[i], NULL);
	sigprocmask(SIG_SETMASK, &waiting, NULL);
	return r;
}

int prompt_ask(const char *question, struct value *ret, struct err *err)
{
	autofd int fd = open_terminal();
	int r;

	if (fd < 0)
		return err_set(err, -ENOTTY, "there is no terminal to ask on");
	r = ask_undisturbed(fd, question, ret);
	(void)fd_write_all(fd, slice_text("\n"));
	if (r == -EFBIG)
		return err_set(err, r, "that is longer than %d bytes", SECRET_VALUE_MAX_BYTES);
	if (r == -ECANCELED)
		return err_set(err, r, "nothing was entered");
	return r < 0 ? err_errno(err, r, "cannot ask on the terminal") : 0;
}
