#include "cli/terminal.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct frame_size terminal_size(int fd)
{
	struct winsize size = {0};

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
		return (struct frame_size){.rows = 24, .columns = 80};
	return (struct frame_size){.rows = size.ws_row, .columns = size.ws_col};
}

int terminal_make_raw(struct terminal *terminal, int fd)
{
	struct termios raw;

	*terminal = (struct terminal){.fd = fd};
	if (tcgetattr(fd, &terminal->before) < 0)
		return errno == ENOTTY ? 0 : -errno;
	raw = terminal->before;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		return -errno;
	terminal->is_raw = true;
	return 0;
}

void terminal_restore(struct terminal *terminal)
{
	if (terminal->is_raw)
		tcsetattr(terminal->fd, TCSADRAIN, &terminal->before);
	terminal->is_raw = false;
}
