/*
 * One session with a guest on its port: the handshake, the welcome, then requests in and answers out.
 * Bounded: a guest that does not take its answers is not read either.
 */
#pragma once

#include "share/share.h"

struct session;

/* Takes port, also when it fails; borrows share. is_continued: what the guest is told in the welcome. */
int session_open(struct share *share, int port, bool is_continued, struct session **ret);
void session_close(struct session *session);

/* What to wait for: the port, and which of POLLIN and POLLOUT. */
int session_port(const struct session *session);
short session_events(const struct session *session);

/* What else to wait for, as tell_fd() and tell_wait_ms() say, as long as the guest can be told something. */
int session_tell_fd(const struct session *session);
int session_wait_ms(const struct session *session);

/*
 * Does what can be done without waiting, also with what threads have done meanwhile. Negative: the session is
 * over; -EPIPE when the port was closed.
 */
int session_turn(struct session *session, short revents);

/* Waits until no thread has anything to do for it. */
int session_settle(struct session *session);
