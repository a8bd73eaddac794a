/*
 * What a role may still do, given up in named steps at the top of its main. Used by every role.
 */
#pragma once

#include "base/err.h"
