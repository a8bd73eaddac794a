/* Makes the machine quiet before it is saved. */
#pragma once

/* Writes out what is held back, and freezes every process but this one and PID 1. What takes too long is
 * passed over: the machine is saved all the same. Returns 0. */
int quiesce_run(void);
