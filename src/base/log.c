#include "base/log.h"

#include "base/fd.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

static const char *log_who = "sbx";

void log_open(const char *who)
{
	log_who = who;
}

void log_line(const char *format, ...)
{
	auto_buf struct buf line = {0};
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (buf_printf(&line, "%s: ", log_who) < 0 || text_printable(&line, slice_text(text), false) < 0)
		return;
	if (buf_append(&line, slice_text("\n")) == 0)
		(void)fd_write_all(STDERR_FILENO, buf_slice(&line));
}
