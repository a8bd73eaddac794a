/* How much of the machine is in use, as its own kernel sees it. */
#pragma once

#include "wire/h2.h"

/* Answers with the lines of CONTROL_STATS. */
int stats_answer(struct h2_stream *stream);
