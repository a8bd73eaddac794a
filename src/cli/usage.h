/* What processes of this host use, from /proc. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* Time on a processor since its start. 0 where it is not there. */
uint64_t usage_cpu_ms(pid_t pid);

/*
 * Its share of memory (PSS); of a process that may not be looked into, what it has of its own (RSS without
 * what is shared).
 */
uint64_t usage_memory_bytes(pid_t pid);
