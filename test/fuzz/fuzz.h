/* What every fuzz target includes. A property that does not hold is an abort(). */
#pragma once

#include "base/buf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define property(condition)       \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)
