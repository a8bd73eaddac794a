/*
 * One way to fail: functions return a negative errno and, where a person will read about it, put a
 * sentence into the struct err that the caller lent. Callers add their part in front.
 */
#pragma once

#include "base/mem.h"

enum { ERR_TEXT_BYTES = 512 };

struct err {
	char text[ERR_TEXT_BYTES];
};

/* Writes the sentence and returns code, so that failing is one line. A NULL err is allowed. */
int err_set(struct err *err, int code, const char *format, ...) printf_like(3, 4);

/* As err_set, and ends the sentence with what errno value -code means. */
int err_errno(struct err *err, int code, const char *format, ...) printf_like(3, 4);

/* Puts "context: " in front of the sentence and returns code. */
int err_add(struct err *err, int code, const char *format, ...) printf_like(3, 4);
