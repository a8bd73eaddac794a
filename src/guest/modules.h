/* Kernel modules. */
#pragma once

#include "base/err.h"

/* Loads what the initramfs brings, in the order of /modules/order. */
int modules_load(struct err *err);
