/*
 * Fields of a request that ask for another method than its request line does. Many web frameworks obey them,
 * so a request is judged as each of the methods that it may be taken for. Pure.
 */
#pragma once

#include "proxy/http1.h"

enum { OVERRIDE_METHOD_BYTES = 33 };

/*
 * The next such field from head->fields[*at] on: PARSED_OK with its method in upper case, and *at behind it;
 * PARSED_MORE where there are no more; PARSED_BAD where what it holds is no method. *at begins with 0.
 */
enum parsed override_next(const struct http1_head *head, size_t *at, char ret_method[OVERRIDE_METHOD_BYTES]);
