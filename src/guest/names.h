/*
 * The names that programs in here have asked for, and the address that each was given: 198.19.0.1 and up, a
 * part of the network that is set aside for tests and is nobody's (RFC 2544). When all are given away, the
 * one goes that was of no use to anybody for the longest time; one that is held never goes.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

enum { NAMES_MAX = 65534 };

struct names;
struct name;

/* capacity is at most NAMES_MAX. */
int names_new(unsigned capacity, struct names **ret);
void names_free(struct names *names);

/* Gives the address of the name, whatever its case; one that is asked for is of use. -ENOSPC when every name
 * is held. */
int names_add(struct names *names, const char *text, struct in_addr *ret);

/* The name that has the address, or NULL. */
struct name *names_at(const struct names *names, struct in_addr address);

/* Whether it is an address that only names have. */
bool names_covers(struct in_addr address);

/* As it was typed first. */
const char *name_text(const struct name *name);

/* Each hold wants its release. */
void name_hold(struct names *names, struct name *name);
void name_release(struct names *names, struct name *name);
