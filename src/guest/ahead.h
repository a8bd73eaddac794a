/*
 * Reading ahead in folders: who looks for one file of a folder often looks for its neighbours next. One
 * message tells of many of them, so the folder is read, on a thread of its own, and the kernel knows them
 * before it is asked.
 */
#pragma once

#include <stdint.h>

struct ahead;

int ahead_new(int root, struct ahead **ret);

/* The kernel has asked for a name in that folder. */
void ahead_looked(struct ahead *ahead, uint64_t dir);
