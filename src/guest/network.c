#include "guest/network.h"

#include "base/clock.h"
#include "base/log.h"
#include "guest/devices.h"
#include "guest/network-setup.h"
#include "guest/outward.h"
#include "guest/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum {
	PORT_LIMIT_MS = 30000,
	RESOLVER_PORT = 53,
	BACKLOG = 4096,
	BACK_OFF_MIN_MS = 100,
	BACK_OFF_MAX_MS = 60000,
	STEADY_MS = 60000, /* after that long, the next failure begins at the smallest back-off */
	FILES_MAX = 65536,
	ORIGINAL_DESTINATION = 80, /* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST */
};

/* ---- the process that carries ---- */

static int find_original(int fd, struct sockaddr_storage *ret)
{
	struct sockaddr_storage own = {0};
	socklen_t len = sizeof(*ret), own_len = sizeof(own);
	int level;

	if (getsockname(fd, (struct sockaddr *)&own, &own_len) < 0)
		return -errno;
	level = own.ss_family == AF_INET ? SOL_IP : SOL_IPV6;
	if (getsockopt(fd, level, ORIGINAL_DESTINATION, ret, &len) < 0)
		return -errno;
	/* It wanted to come here, and must not go in circles. */
	return memcmp(ret, &own, own_len) == 0 ? -ELOOP : 0;
}

static int open_socket(int family, int type, uint16_t port)
{
	autofd int sock = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	const struct sockaddr *address = family == AF_INET ? (void *)&v4 : (void *)&v6;
	socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	const int on = 1;

	if (sock < 0)
		return -errno;
	inet_pton(AF_INET, NETWORK_V4, &v4.sin_addr);
	inet_pton(AF_INET6, NETWORK_V6, &v6.sin6_addr);
	(void)setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(sock, address, len) < 0 || (type == SOCK_STREAM && listen(sock, BACKLOG) < 0))
		return -errno;
	return steal_fd(&sock);
}

static int open_place(struct outward_place *ret)
{
	int r;

	*ret = (struct outward_place){.listener = {open_socket(AF_INET, SOCK_STREAM, NETWORK_PORT),
						   open_socket(AF_INET6, SOCK_STREAM, NETWORK_PORT)},
				      .udp = open_socket(AF_INET, SOCK_DGRAM, RESOLVER_PORT),
				      .tcp = open_socket(AF_INET, SOCK_STREAM, RESOLVER_PORT),
				      .find_target = find_original};
	ret->port = devices_wait(port_open, "sbx.network", PORT_LIMIT_MS);
	/* Without IPv6 there is still a network. */
	r = ret->listener[0] < 0 ? ret->listener[0] : 0;
	r = r < 0 || ret->udp >= 0 ? r : ret->udp;
	r = r < 0 || ret->tcp >= 0 ? r : ret->tcp;
	return r < 0 || ret->port >= 0 ? r : ret->port;
}

int network_run(void)
{
	const struct rlimit files = {.rlim_cur = FILES_MAX, .rlim_max = FILES_MAX};
	struct outward_place place;
	struct outward *outward = NULL;
	struct loop *loop = NULL;
	int r;

	(void)prctl(PR_SET_NAME, "sbx-network");
	(void)setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGPIPE, SIG_IGN);
	r = open_place(&place);
	r = r < 0 ? r : loop_new(&loop);
	r = r < 0 ? r : outward_new(loop, &place, &outward);
	while (r == 0)
		r = loop_turn(loop, -1);
	log_line("the network fails: %s", strerror(-r));
	return r;
}

/* ---- keeping it up ---- */

struct network {
	struct child child;
	struct guest *guest;
	struct timer timer;
	int64_t started_ms, back_off_ms;
};

static int start(struct network *network)
{
	auto_strings struct strings argv = {0}, env = {0};
	autofd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* Outside the groups, as everything that must go on while programs stand still. */
	struct child_plan plan = {.argv = &argv,
				  .env = &env,
				  .dir = "/",
				  .fds = {null, STDOUT_FILENO, STDERR_FILENO},
				  .listen_fd = -1,
				  .cgroup_fd = -1};
	int r = null < 0 ? -errno : strings_add(&argv, slice_text("/proc/self/exe"));

	network->started_ms = clock_ms();
	r = r < 0 ? r : strings_add(&argv, slice_text("network"));
	r = r < 0 ? r : strings_add(&argv, slice_text(""));
	r = r < 0 ? r : strings_set(&env, slice_text("PATH=/"));
	return r < 0 ? r : child_start(network->guest->children, &network->child, &plan);
}

static void try_later(struct network *network)
{
	if (network->guest->is_ending)
		return;
	if (clock_ms() - network->started_ms > STEADY_MS)
		network->back_off_ms = BACK_OFF_MIN_MS;
	loop_set_timer(network->guest->loop, &network->timer, network->back_off_ms);
	network->back_off_ms *= 2;
	if (network->back_off_ms > BACK_OFF_MAX_MS)
		network->back_off_ms = BACK_OFF_MAX_MS;
}

static void on_timer(struct timer *timer)
{
	struct network *network = holder_of(timer, struct network, timer);

	if (start(network) < 0)
		try_later(network);
}

static void on_start(struct child *child, enum child_step step, int error)
{
	struct network *network = holder_of(child, struct network, child);

	if (step == CHILD_RUNNING)
		return;
	log_line("the network cannot be started: %s", strerror(error));
	try_later(network);
}

static void on_exit_status(struct child *child, int status)
{
	struct network *network = holder_of(child, struct network, child);

	(void)status;
	try_later(network);
}

int network_new(struct guest *guest, struct network **ret)
{
	struct network *network = calloc(1, sizeof(*network));
	int r;

	if (!network)
		return -ENOMEM;
	*network = (struct network){.child = {.on_start = on_start, .on_exit = on_exit_status},
				    .guest = guest,
				    .timer = {.on_due = on_timer},
				    .back_off_ms = BACK_OFF_MIN_MS};
	r = start(network);
	if (r < 0)
		free(network);
	else
		*ret = network;
	return r;
}
