#include "guest/trust.h"

#include "base/fd.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char fresh[] = TRUST_BUNDLE ".new";

/* Not synced: it is written anew at each start. */
int trust_apply(struct slice bundle)
{
	autofd int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : fd_write_all(fd, bundle);

	if (r == 0 && rename(fresh, TRUST_BUNDLE) < 0)
		r = -errno;
	return r;
}
