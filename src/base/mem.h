/*
 * Ownership by scope: a variable marked autofree or autofd gives back what it holds when it leaves
 * scope; steal() and steal_fd() hand the value on and leave the variable empty.
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define array_len(array)       (sizeof(array) / sizeof((array)[0]))
#define must_use               __attribute__((warn_unused_result))
#define printf_like(at, first) __attribute__((format(printf, at, first)))

static inline void mem_autofree(void *slot)
{
	free(*(void **)slot);
}

static inline void mem_autofd(const int *slot)
{
	if (*slot >= 0)
		close(*slot);
}

#define autofree __attribute__((cleanup(mem_autofree)))
#define autofd   __attribute__((cleanup(mem_autofd)))

#define steal(slot)                                    \
	({                                             \
		__typeof__(*(slot)) stolen_ = *(slot); \
		*(slot) = NULL;                        \
		stolen_;                               \
	})

static inline int steal_fd(int *slot)
{
	int fd = *slot;

	*slot = -1;
	return fd;
}
