/*
 * One command, seen from its stream: reads its description, starts it or joins its terminal, and passes
 * frames on. command.c runs those with three streams, terminal.c those on a terminal.
 */
#pragma once

#include "guest/guest.h"
#include "wire/frame.h"

struct command;

struct exec {
	struct handler handler;
	struct guest *guest;
	struct h2_stream *stream; /* NULL when nobody is there any more */
	struct buf in;            /* not parsed yet */
	size_t unconsumed;        /* bytes that the window still lacks */
	struct strings argv, env;
	char *user, *dir, *session;
	struct frame_size size;
	bool wants_terminal, is_started, is_over;
	struct command *command; /* at most one of these two */
	struct terminal *terminal;
};

/* Takes a stream that has just been requested. */
int exec_new(struct guest *guest, struct h2_stream *stream);

/* For command.c and terminal.c: frames to the viewer. After exec_finish() and exec_fail() no more may follow.
 */
void exec_send(struct exec *exec, enum frame_kind kind, struct slice body);
void exec_started(struct exec *exec, pid_t pid, bool is_joined);
void exec_finish(struct exec *exec, int status);
void exec_fail(struct exec *exec, int status, const char *format, ...) printf_like(3, 4);

/* Why a start failed at that step, as the viewer is to hear it. */
void exec_fail_start(struct exec *exec, enum child_step step, int error);

/* False while the viewer is slower than the command: hold the output back until on_drain. */
bool exec_has_room(const struct exec *exec);

/* The command has taken its input: more may come. */
void exec_took_input(struct exec *exec);

/* The caller's, or the default; ends with what the description says. */
int exec_plan(struct exec *exec, struct child_plan *plan, struct identity *identity);
