/*
 * The processes that make up one running sandbox: the engine (the virtual machine) and the link (the host's
 * end of its control port). Starts them with exactly their descriptors, reaps them, starts a lost link again.
 */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "supervisor/monitor.h"
#include "wire/chan.h"

#include <uv.h>

/* What the supervisor hands to machine_start(); borrowed. */
struct machine_files {
	int kernel, initramfs, base, layer, disk, memory; /* layer: -1 for none */
	int console_log, engine_log;
};

struct machine_ops {
	/* The guest answers: for the first time, or again through a new link. */
	void (*on_ready)(void *owner);
	/* The answer to machine_request(); status 0 where the question could not be asked. */
	void (*on_reply)(void *owner, uint32_t id, unsigned status, struct slice body);
	/* What the engine tells of its own accord. */
	void (*on_event)(void *owner, const struct qmp_message *event);
	/* The engine has ended; nothing of the machine runs any more. why is for a person, NULL where it
	 * ended by itself. */
	void (*on_end)(void *owner, const char *why);
};

struct machine {
	uv_loop_t *loop;
	const struct machine_ops *ops;
	void *owner;
	uv_poll_t engine_watch, link_watch, channel_watch;
	uv_timer_t kill_timer;
	uv_timer_t answer_timer; /* for a new link to a guest that has answered before */
	pid_t engine, link;
	int engine_pidfd, link_pidfd;
	int channel;               /* to the link; -1 while there is none */
	int control, console;      /* the link's ends, kept so that another link can go on with them */
	int network;               /* the host's end of the network port, for the proxy */
	int shares[ENGINE_SHARES]; /* the host's ends of the share ports, for the servers of folders */
	int engine_errors;         /* read end of what the engine says on standard error */
	struct monitor monitor;
	int console_log, engine_log; /* borrowed */
	int64_t link_started_ms;
	unsigned link_restarts;
	bool is_ready, was_ready, is_ending;
	const char *why; /* why it was ended, if not by itself */
	bool was_killed; /* by a signal that nobody here has sent */
};

int machine_start(struct machine *machine, uv_loop_t *loop, const struct engine_machine *kind,
		  const struct machine_files *files, const struct machine_ops *ops, void *owner,
		  struct err *err);

/* Asks the guest; head is "METHOD PATH\n". The answer comes through on_reply with that id. */
int machine_request(struct machine *machine, uint32_t id, const char *head, struct slice body);

/* The same with the content of a file, borrowed, for a body. */
int machine_request_file(struct machine *machine, uint32_t id, const char *head, int file);

/* Hands a client's connection to the link. Borrows fd. */
int machine_stream(struct machine *machine, const char *path, int fd);

/* Lets a machine go on that the engine has stopped. */
void machine_continue(struct machine *machine);

/* Ends the engine: asks it to write out its disks and quit, and kills it if it has not done so in a moment.
 */
void machine_quit(struct machine *machine, const char *why);

/* Kills everything at once, for a machine that nobody has been told about yet. */
void machine_kill(struct machine *machine, const char *why);
