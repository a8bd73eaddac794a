/*
 * A shared folder inside: mounted as a FUSE file system whose messages a process of its own, which is this
 * program under another name, carries to the host and back.
 */
#pragma once

/* For task.h: what follows from the lines of CONTROL_MOUNT and CONTROL_UMOUNT. */
int share_mount(const char *lines);
int share_umount(const char *lines);

/* How many processes carry messages now. They live until the machine ends. */
unsigned share_carriers(void);
