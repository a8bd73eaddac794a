/* One event, one line on standard error, for the mains of roles and for nobody else. */
#pragma once

#include "base/mem.h"

/* Every line begins with "who: ". Borrowed, kept. */
void log_open(const char *who);
void log_line(const char *format, ...) printf_like(1, 2);
