#include "guest/devices.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

enum { EVENT_MAX_BYTES = 4096 };

int devices_wait(int (*find)(const char *name), const char *name, int limit_ms)
{
	/* Listening first: what comes between a look and the wait is not missed. */
	autofd int events =
		socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	int64_t deadline_ms = clock_ms() + limit_ms;

	if (events < 0 || bind(events, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	for (;;) {
		struct pollfd event = {.fd = events, .events = POLLIN};
		int64_t left = deadline_ms - clock_ms();
		char drop[EVENT_MAX_BYTES];
		int r = find(name);

		if (r != -ENOENT)
			return r;
		if (left <= 0 || poll(&event, 1, (int)left) == 0)
			return -ETIME;
		while (recv(events, drop, sizeof(drop), 0) > 0)
			continue;
	}
}
