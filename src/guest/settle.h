/* Brings a freshly booted machine to where others may start from. */
#pragma once

/* Waits until the Docker engine answers, then writes out what is held back. */
int settle_run(void);
