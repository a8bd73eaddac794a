/* What the files of proxy-load share (proxy-load.c). */
#pragma once

#include <stdint.h>

enum { READ_BYTES = 256 << 10, EVENTS_MAX = 256 };

/* Says what does not work, and ends the program. */
_Noreturn void die(const char *what);

/* epoll_ctl(2), which works. */
void watch(int poller, int operation, int fd, uint32_t events, void *data);

/* A connection to a port of the loopback interface. */
int connect_to(uint16_t port);

/* Answers GET /N with N bytes, on kept connections. */
_Noreturn void serve(uint16_t port);

/* Passes bytes between a connection and another one, to compare. */
_Noreturn void copy(uint16_t port, uint16_t to);
