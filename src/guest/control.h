/* The requests of the control port (wire/control.h). */
#pragma once

#include "guest/guest.h"

/* Serves the control port. Takes fd; the port is the guest's and freed with port_free(). */
int control_new(struct guest *guest, int fd);
