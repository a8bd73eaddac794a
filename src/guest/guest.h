/*
 * What the parts of the guest program share: the loop, the processes, the control port's session, the
 * commands and terminals that live. Nothing here needs to be PID 1; init.c makes the machine around it.
 */
#pragma once

#include "base/buf.h"
#include "guest/child.h"
#include "guest/groups.h"
#include "guest/loop.h"
#include "wire/handler.h"

enum { GUEST_COMMANDS_MAX = 512, GUEST_TERMINALS_MAX = 64, GUEST_QUEUED_MAX_BYTES = 128 << 10 };

struct docker;
struct network;
struct port;
struct terminal;

struct guest {
	struct loop *loop;
	const struct groups *groups; /* NULL where there are none */
	struct children *children;
	struct port *port;
	struct docker *docker; /* NULL where there is none */
	struct network *network;
	struct terminal *terminals; /* named and unnamed, newest first */
	unsigned n_commands, n_terminals;
	bool is_ending; /* no new commands */
};
