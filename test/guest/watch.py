#!/usr/bin/env python3
"""watch.py FOLDER: prints what inotify says of the folder (not of what is below its subfolders), a line each: the time in
milliseconds, the kind of event, the name, and how many bytes the file now has, -1 if none. "ready" comes first. Ends when its input
does.
"""
import ctypes
import os
import select
import struct
import sys
import time

KINDS = {0x2: "modify", 0x4: "attrib", 0x8: "close-write", 0x40: "moved-from", 0x80: "moved-to", 0x100: "create", 0x200: "delete"}
libc = ctypes.CDLL(None, use_errno=True)


def say(*words):
    print(time.time_ns() // 1_000_000, *words, flush=True)


def size_of(path):
    try:
        with open(path, "rb") as file:
            return len(file.read())
    except OSError:
        return -1


def tell(folder, data):
    while data:
        _, mask, _, length = struct.unpack("iIII", data[:16])
        name = data[16:16 + length].rstrip(b"\0").decode(errors="backslashreplace")
        for bit, kind in KINDS.items():
            if mask & bit:
                say(kind, name or ".", size_of(os.path.join(folder, name)) if name else 0)
        data = data[16 + length:]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    if libc.inotify_add_watch(fd, os.fsencode(sys.argv[1]), sum(KINDS)) < 0:
        sys.exit(f"cannot watch {sys.argv[1]}: {os.strerror(ctypes.get_errno())}")
    os.listdir(sys.argv[1])
    say("ready")
    while True:
        ready = select.select([fd, 0], [], [])[0]
        if fd in ready:
            tell(sys.argv[1], os.read(fd, 65536))
        if 0 in ready and not os.read(0, 4096):
            return


if __name__ == "__main__":
    main()
