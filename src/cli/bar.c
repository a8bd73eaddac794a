#include "cli/bar.h"

#include "base/fd.h"
#include "base/text.h"

#include <stdio.h>
#include <sys/ioctl.h>

enum { COLUMNS_DEFAULT = 80, COLUMNS_MAX = 1000, COLUMNS_FOR_BAR = 40, BAR_MAX_COLUMNS = 30 };

static int add_bar(struct buf *into, double fraction, unsigned int columns)
{
	unsigned int width = columns / 4 < BAR_MAX_COLUMNS ? columns / 4 : BAR_MAX_COLUMNS;
	unsigned int full = (unsigned int)(fraction * width);
	int r = buf_printf(into, "[");

	for (unsigned int i = 0; r == 0 && i < width; i++)
		r = buf_printf(into, "%c", i < full ? '#' : '.');
	return r == 0 ? buf_printf(into, "] ") : r;
}

static int add_download(struct buf *into, const struct bar_state *state)
{
	char done[TEXT_SHORT_BYTES], wanted[TEXT_SHORT_BYTES], rate[TEXT_SHORT_BYTES];
	int r;

	if (state->bytes_wanted == 0)
		return 0;
	text_format_bytes(state->bytes, done);
	text_format_bytes(state->bytes_wanted, wanted);
	text_format_bytes(state->bytes_per_second, rate);
	r = buf_printf(into, ", %s of %s", done, wanted);
	return r == 0 && state->bytes_per_second > 0 ? buf_printf(into, ", %s/s", rate) : r;
}

/* Keeps as many whole characters as fit; each counts as one column. */
static void cut(struct buf *text, unsigned int columns)
{
	struct slice all = buf_slice(text);
	unsigned int used = 0;
	size_t keep = 0;

	while (keep < all.len) {
		if (((unsigned char)all.ptr[keep] & 0xc0) != 0x80 && used++ == columns)
			break;
		keep++;
	}
	text->len = keep;
	if (text->data)
		text->data[text->start + keep] = '\0';
}

int bar_render(struct buf *into, const struct bar_state *state, unsigned int columns)
{
	double fraction = state->fraction > 0 ? state->fraction < 1 ? state->fraction : 1 : 0;
	auto_buf struct buf line = {0};
	int r = 0;

	if (columns >= COLUMNS_FOR_BAR)
		r = add_bar(&line, fraction, columns);
	if (r == 0)
		r = buf_printf(&line, "%3u%% ", (unsigned int)(fraction * 100));
	if (r == 0)
		r = text_printable(&line, slice_text(state->what), /* keep_newlines= */ false);
	if (r == 0)
		r = add_download(&line, state);
	if (r < 0)
		return r;
	cut(&line, columns);
	return buf_append(into, buf_slice(&line));
}

void bar_open(struct bar *bar, int fd)
{
	const char *terminal = getenv("TERM");

	*bar = (struct bar){.fd = fd};
	bar->is_terminal = isatty(fd) && terminal && strcmp(terminal, "dumb") != 0;
}

/* One less than there are, or the cursor would wrap to the next line. */
static unsigned int ask_columns(int fd)
{
	struct winsize size = {0};

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
		return COLUMNS_DEFAULT - 1;
	return size.ws_col < COLUMNS_MAX ? size.ws_col - 1u : COLUMNS_MAX;
}

static void print_plain(struct bar *bar, const char *what)
{
	auto_buf struct buf line = {0};

	if (strncmp(bar->what, what, sizeof(bar->what) - 1) == 0)
		return;
	snprintf(bar->what, sizeof(bar->what), "%s", what);
	if (text_printable(&line, slice_text(what), false) < 0 || buf_printf(&line, "\n") < 0)
		return;
	(void)fd_write_all(bar->fd, buf_slice(&line));
}

void bar_draw(struct bar *bar, const struct bar_state *state)
{
	auto_buf struct buf line = {0};

	if (!bar->is_terminal) {
		print_plain(bar, state->what);
		return;
	}
	if (buf_printf(&line, "\r") < 0 || bar_render(&line, state, ask_columns(bar->fd)) < 0 ||
	    buf_printf(&line, "\033[K") < 0)
		return;
	bar->is_drawn = true;
	(void)fd_write_all(bar->fd, buf_slice(&line));
}

void bar_close(struct bar *bar)
{
	if (bar->is_drawn)
		(void)fd_write_all(bar->fd, slice_text("\r\033[K"));
	bar->is_drawn = false;
}
