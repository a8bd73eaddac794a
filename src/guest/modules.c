#include "guest/modules.h"

#include "base/fd.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

enum { ORDER_MAX_BYTES = 65536 };

static int load(int dir, const char *name, struct err *err)
{
	autofd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, -errno, "the module %s is missing", name);
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		return err_errno(err, -errno, "cannot load the module %s", name);
	return 0;
}

int modules_load(struct err *err)
{
	autofd int dir = file_open_dir(AT_FDCWD, "/modules");
	auto_buf struct buf order = {0};
	char *save = NULL;
	int r = dir < 0 ? dir : file_read(dir, "order", ORDER_MAX_BYTES, &order);

	if (r < 0)
		return err_errno(err, r, "cannot read the list of modules");
	for (char *name = order.data ? strtok_r(order.data, "\n", &save) : NULL; r == 0 && name;
	     name = strtok_r(NULL, "\n", &save))
		r = load(dir, name, err);
	return r;
}
