/*
 * QEMU's management protocol, one JSON object a line. A QEMU that was taken over writes what it likes here:
 * parsing is pure, limited, and its texts are for a log.
 */
#pragma once

#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>

enum { QMP_LINE_MAX_BYTES = 65536, QMP_TEXT_BYTES = 256 };

enum qmp_kind { QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT };

struct qmp_message {
	enum qmp_kind kind;
	char text[QMP_TEXT_BYTES];   /* an error's description, an event's name; printable */
	char detail[QMP_TEXT_BYTES]; /* an event's status, or the device or job that it is about */
	bool has_failed;             /* an event of a job that ended with an error */
};

/* One line without its end. Never PARSED_MORE. */
enum parsed qmp_parse(struct slice line, struct qmp_message *ret);

/* Appends a command without arguments. command is a constant of ours. */
int qmp_format(struct buf *into, const char *command);

/* The same with arguments, borrowed: an object. */
int qmp_format_with(struct buf *into, const char *command, const json_t *arguments);
