/* Programs are found beside the running one: puts the engine of the build there. */
#pragma once

#include "base/paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static inline void place_engine(void)
{
	const char *engine = getenv("SBX_TEST_ENGINE");
	char self[PATH_ROOM_BYTES];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 16);

	if (len < 0 || !engine)
		return;
	self[len] = '\0';
	strcpy(strrchr(self, '/'), "/sbx-engine");
	if (symlink(engine, self) < 0 && errno != EEXIST)
		perror(self);
}
