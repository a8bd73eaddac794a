/*
 * How it works
 *   The dummy interface has the default route, so everything that is not in here wants to leave by it. TCP
 * goes to the listener instead, and keeps in mind where it wanted to go (conntrack, SO_ORIGINAL_DST). The
 * rules ask where a packet would leave, not where it comes from: what containers say to each other crosses
 * the same hooks (dockerd turns on bridge-nf-call-iptables) and must pass untouched. Queries to resolvers
 * outside go to the one in here. The rest is refused at once, so that programs which try something else first
 * (QUIC) do not wait. The listener's and the resolver's address is the interface's own, which containers
 * reach too; one on the loopback interface would have dockerd give them resolvers that are outside.
 */
#include "guest/network-setup.h"

#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define INTERFACE "sbx0"

enum { TOOL_LIMIT_MS = 30000 };

/* Taken from the names that the module makes by itself. What stays in here need not be cut into small
 * packets. */
static const char interface[] = "link set dummy0 name " INTERFACE "\n"
				"link set " INTERFACE " mtu 65535 up\n"
				"address add " NETWORK_V4 "/32 dev " INTERFACE "\n"
				"address add " NETWORK_V6 "/128 dev " INTERFACE " nodad\n"
				"route add 0.0.0.0/0 dev " INTERFACE " src " NETWORK_V4 "\n"
				"route add ::/0 dev " INTERFACE " src " NETWORK_V6 "\n";

static const char rules[] =
	"table inet sbx\n"
	"delete table inet sbx\n"
	"table inet sbx {\n"
	"	chain inward {\n"
	"		meta nfproto ipv4 meta l4proto tcp dnat ip to " NETWORK_V4 ":" NETWORK_PORT_TEXT "\n"
	"		meta nfproto ipv6 meta l4proto tcp dnat ip6 to [" NETWORK_V6 "]:" NETWORK_PORT_TEXT
	"\n"
	"		meta nfproto ipv4 udp dport 53 dnat ip to " NETWORK_V4 "\n"
	"	}\n"
	"	chain prerouting {\n"
	"		type nat hook prerouting priority dstnat - 10;\n"
	"		fib daddr oifname " INTERFACE " goto inward\n"
	"	}\n"
	"	chain output {\n"
	"		type nat hook output priority dstnat - 10;\n"
	"		oifname " INTERFACE " goto inward\n"
	"	}\n"
	"	chain refuse {\n"
	"		ct status dnat accept\n"
	"		meta l4proto tcp reject with tcp reset\n"
	"		reject\n"
	"	}\n"
	"	chain local {\n"
	"		type filter hook output priority filter + 10;\n"
	"		oifname " INTERFACE " goto refuse\n"
	"	}\n"
	"	chain forward {\n"
	"		type filter hook forward priority filter - 10;\n"
	"		oifname " INTERFACE " goto refuse\n"
	"	}\n"
	"}\n";

/* Runs a program of the system with the text as its standard input. */
static int run_tool(const char *program, const char *const *argv, const char *text)
{
	static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	autofd int input = memfd_create("input", MFD_CLOEXEC);
	const struct spawn spawn = {.program = program,
				    .argv = argv,
				    .env = env,
				    .fds = {input, STDOUT_FILENO, STDERR_FILENO},
				    .n_fds = 3};
	struct err err = {.text = ""};
	int status = 0;
	pid_t pid = 0;
	int r = input < 0 ? -errno : fd_write_all(input, slice_text(text));

	if (r == 0 && lseek(input, 0, SEEK_SET) < 0)
		r = -errno;
	r = r < 0 ? r : spawn_start(&spawn, &pid, &err);
	r = r < 0 ? r : spawn_wait(pid, TOOL_LIMIT_MS, &status);
	if (r < 0)
		return r;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int load_modules(void)
{
	/* All that the rules need, at once: the kernel would start modprobe for each. */
	static const char *const argv[] = {"modprobe", "-a",           "dummy",  "nft_chain_nat",
					   "nft_nat",  "nft_fib_inet", "nft_ct", "nft_reject_inet",
					   NULL};

	return run_tool("/usr/sbin/modprobe", argv, "");
}

static int make_interface(void)
{
	static const char *const argv[] = {"ip", "-batch", "-", NULL};

	return run_tool("/usr/sbin/ip", argv, interface);
}

static int make_rules(void)
{
	static const char *const argv[] = {"nft", "-f", "-", NULL};

	return run_tool("/usr/sbin/nft", argv, rules);
}

static int name_resolver(void)
{
	autofd int etc = file_open_dir(AT_FDCWD, "/etc");

	return etc < 0 ? etc
		       : file_write_atomic(etc, "resolv.conf", 0644,
					   slice_text("nameserver " NETWORK_V4 "\n"), NULL);
}

void network_prepare(void)
{
	static const struct {
		const char *what;
		int (*run)(void);
	} steps[] = {{"modules", load_modules},
		     {"interface", make_interface},
		     {"rules", make_rules},
		     {"resolver", name_resolver}};

	for (size_t i = 0; i < array_len(steps); i++) {
		int r = steps[i].run();

		if (r < 0)
			log_line("the network's %s cannot be set up: %s", steps[i].what, strerror(-r));
	}
}
