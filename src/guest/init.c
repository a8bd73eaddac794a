/*
 * sbx-guest: PID 1 of a sandbox. Makes a Linux system around the commands that the host asks for, starts
 * dockerd, and never ends. What it cannot do without is said on the console, and the machine goes off.
 */
#include "base/log.h"
#include "guest/control.h"
#include "guest/devices.h"
#include "guest/docker.h"
#include "guest/modules.h"
#include "guest/mounts.h"
#include "guest/network-setup.h"
#include "guest/network.h"
#include "guest/port.h"
#include "guest/task.h"
#include "wire/control.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { DEVICES_LIMIT_MS = 30000, FILES_MAX = 65536 };

static void use_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static void raise_loopback(void)
{
	autofd int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &request) < 0)
		log_line("the loopback interface stays down: %s", strerror(errno));
}

static void set_limits(void)
{
	struct rlimit files = {.rlim_cur = 1024, .rlim_max = 1 << 19};

	/* For what is started from here; the soft limit is what programs expect, the hard one what dockerd
	 * raises it to. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static int make_system(struct err *err)
{
	int r = mounts_early(err);

	if (r < 0)
		return r;
	use_console();
	r = modules_load(err);
	r = r < 0 ? r : mounts_root(DEVICES_LIMIT_MS, err);
	r = r < 0 ? r : mounts_system(err);
	if (r < 0)
		return r;
	raise_loopback();
	set_limits();
	network_prepare();
	return 0;
}

static bool before_wait(void *owner)
{
	struct guest *guest = owner;

	(void)port_flush(guest->port);
	return false;
}

static int serve(struct guest *guest, struct err *err)
{
	/* The ports get their names one after another, some time after the bus was found. */
	int fd = devices_wait(port_open, "sbx.control", DEVICES_LIMIT_MS);
	int r = fd;

	if (r < 0)
		return err_errno(err, r, "cannot open the control port");
	r = loop_new(&guest->loop);
	r = r < 0 ? r : children_new(guest->loop, &guest->children);
	r = r < 0 ? r : control_new(guest, fd);
	if (r < 0)
		return err_errno(err, r, "cannot serve the control port");
	loop_before_wait(guest->loop, before_wait, guest);
	r = network_new(guest, &guest->network);
	if (r < 0)
		log_line("there will be no network: %s", strerror(-r));
	log_line("ready");
	r = docker_new(guest, &guest->docker);
	if (r < 0)
		log_line("there will be no Docker engine: %s", strerror(-r));
	for (;;) {
		r = loop_turn(guest->loop, -1);
		if (r < 0)
			return err_errno(err, r, "the event loop failed");
	}
}

int main(int argc, char **argv)
{
	struct guest guest = {0};
	struct err err = {.text = ""};
	struct groups groups;
	int status = -1;

	log_open("sbx-guest");
	if (getpid() != 1 && argc == 3)
		status = task_main(argv[1], argv[2]);
	if (status >= 0)
		return status;
	if (getpid() != 1) {
		log_line("this program is the first of a sandbox and of no use elsewhere");
		return EXIT_FAILURE;
	}
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	(void)reboot(RB_DISABLE_CAD);
	setsid();
	if (make_system(&err) == 0) {
		groups_open(&groups);
		guest.groups = &groups;
		(void)serve(&guest, &err);
	}
	log_line("%s", err.text);
	sync();
	(void)reboot(RB_POWER_OFF);
	return EXIT_FAILURE;
}
