"""Waiting for what another side does in a folder: woken by the kernel's events, with a limit, never by the clock alone.

Where a share's changes raise no events, looking again after SOON seconds makes up for it.
"""
import ctypes
import os
import select
import time

CREATE_MODIFY_MOVE_DELETE = 0x2 | 0x4 | 0x8 | 0xc0 | 0x300
SOON = 0.25
libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    def __init__(self, *folders):
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        for folder in folders:
            if libc.inotify_add_watch(self.fd, os.fsencode(folder), CREATE_MODIFY_MOVE_DELETE) < 0:
                raise OSError(ctypes.get_errno(), f"cannot watch {folder}")

    def until(self, question, limit_s, what):
        """Gives the answer as soon as it is true."""
        end = time.monotonic() + limit_s
        while True:
            answer = question()
            if answer:
                return answer
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{what}: not seen within {limit_s} seconds")
            if select.select([self.fd], [], [], min(left, SOON))[0]:
                os.read(self.fd, 65536)
