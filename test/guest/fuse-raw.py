#!/usr/bin/env python3
"""fuse-raw.py PORT [read-only]: as root in the guest, takes a share's port (sbx.share.0, or a descriptor as fd:3) away from the process that
carries its messages, and says to the host what a kernel never would. Prints TAP. The folder is unusable in the guest afterwards.

A reply of the server, whatever it says, or the end of the session is fine; what must not be is that it does something, hangs or dies.
The host looks at the rest: the files around the folder, the memory and descriptors of the server. With `read-only` the folder is one that
is shared for reading and holds a file `file`: then only changes are tried, and each must be refused.
"""
import errno
import os
import select
import stat
import struct
import sys
import time

sys.dont_write_bytecode = True
from fuse_raw import OPCODES, ROOT, Closed, Session, open_port  # noqa: E402
from tap import same, test, true  # noqa: E402
import tap  # noqa: E402

FLOOD, N_READS, FLOOD_LIMIT_S = 100_000, 200, 20
BAD_NAMES = {"empty": b"", "dot": b".", "dot dot": b"..", "a path": b"a/b", "a path upwards": b"../sentinel", "absolute": b"/etc/passwd",
             "only a slash": b"/", "a slash at the end": b"x/", "256 bytes": b"n" * 256, "4 KiB": b"n" * 4096,
             "4 KiB of steps upwards": b"../" * 1365}
session = None


def name_of(text):
    return text + b"\0"


def refused(name, nodeid=ROOT, body=b""):
    code, answer = session.ask(name, nodeid, body)
    true(code != 0, f"{name} of {body[:60]!r} was done: {answer[:40]!r}")
    return code


def alive():
    """Still in step: an answer that belongs to the question."""
    code, answer = session.ask("GETATTR", ROOT, struct.pack("IIQ", 0, 0, 0))
    same(code, 0, "GETATTR of the root")
    same(stat.S_ISDIR(struct.unpack_from("I", answer, 16 + 60)[0]), True, "the root is a folder")


def entry_of(answer):
    return struct.unpack_from("Q", answer)[0]


def made(name, body):
    code, answer = session.ask(name, ROOT, body)
    same(code, 0, name)
    return entry_of(answer)


def mkdir_body(name):
    return struct.pack("II", 0o755, 0) + name_of(name)


def create_body(name, mode=0o644, flags=os.O_RDWR):
    return struct.pack("IIII", flags, stat.S_IFREG | mode, 0, 0) + name_of(name)


def look(name):
    code, answer = session.ask("LOOKUP", ROOT, name_of(name))
    return entry_of(answer) if code == 0 else 0


@test("names that are none are refused in every operation that takes one")
def names():
    folder = made("MKDIR", mkdir_body(b"raw-dir"))
    file = made("CREATE", create_body(b"raw-file"))
    for what, name in BAD_NAMES.items():
        text = name_of(name)
        refused("LOOKUP", ROOT, text)
        refused("LOOKUP", folder, text)
        refused("MKDIR", ROOT, struct.pack("II", 0o755, 0) + text)
        refused("MKNOD", ROOT, struct.pack("IIII", stat.S_IFREG | 0o644, 0, 0, 0) + text)
        refused("CREATE", ROOT, struct.pack("IIII", os.O_RDWR, stat.S_IFREG | 0o644, 0, 0) + text)
        refused("SYMLINK", ROOT, text + name_of(b"target"))
        refused("UNLINK", ROOT, text)
        refused("RMDIR", ROOT, text)
        refused("LINK", ROOT, struct.pack("Q", file) + text)
        refused("RENAME", ROOT, struct.pack("Q", folder) + name_of(b"raw-file") + text)
        refused("RENAME", ROOT, struct.pack("Q", folder) + text + name_of(b"x"))
        refused("RENAME2", ROOT, struct.pack("QII", folder, 0, 0) + name_of(b"raw-file") + text)
        refused("RENAME2", ROOT, struct.pack("QII", folder, 2, 0) + text + name_of(b"raw-dir"))
    true(look(b"raw-file") and look(b"raw-dir"), "what was there is there")


@test("names that do not end are refused, and what follows a name is not taken for more")
def unended():
    refused("LOOKUP", ROOT, b"raw-file")
    refused("LOOKUP", ROOT, b"")
    refused("UNLINK", ROOT, b"raw-file")
    refused("MKDIR", ROOT, struct.pack("II", 0o755, 0) + b"no-end")
    refused("RENAME", ROOT, struct.pack("Q", ROOT) + name_of(b"raw-file"))
    refused("RENAME", ROOT, struct.pack("Q", ROOT) + b"raw-file")
    refused("SYMLINK", ROOT, name_of(b"raw-link") + b"target")
    session.ask("LOOKUP", ROOT, b"raw-file\0/../../sentinel\0")
    session.ask("MKDIR", ROOT, mkdir_body(b"raw-nul\0../../evil"))
    same(look(b"evil"), 0)
    alive()


@test("numbers that the guest was never given mean nothing")
def unknown_numbers():
    for nodeid in (0, 2, 3, 1 << 32, (1 << 63) - 1, (1 << 64) - 1):
        for name, body in (("LOOKUP", name_of(b"raw-file")), ("GETATTR", bytes(16)), ("SETATTR", bytes(88)), ("READLINK", b""),
                           ("OPEN", bytes(8)), ("READ", struct.pack("QQIIQII", 0, 0, 4096, 0, 0, 0, 0)),
                           ("WRITE", struct.pack("QQIIQII", 0, 0, 1, 0, 0, 0, 0) + b"x"), ("MKDIR", mkdir_body(b"evil")),
                           ("CREATE", create_body(b"evil")), ("UNLINK", name_of(b"raw-file")), ("READDIRPLUS", bytes(40)),
                           ("FALLOCATE", bytes(32)), ("LSEEK", bytes(24)), ("STATFS", b"")):
            code, _ = session.ask(name, nodeid, body)
            true(code != 0 or name in ("OPEN",), f"{name} of number {nodeid} was done")
        refused("LINK", ROOT, struct.pack("Q", nodeid) + name_of(b"evil"))
        refused("RENAME", ROOT, struct.pack("Q", nodeid) + name_of(b"raw-file") + name_of(b"evil"))
        refused("COPY_FILE_RANGE", look(b"raw-file"), struct.pack("QQQQQQQ", 0, 0, nodeid, 0, 0, 10, 0))
    for handle in (1, 7, (1 << 64) - 1):
        session.ask("READ", look(b"raw-file"), struct.pack("QQIIQII", handle, 0, 4096, 0, 0, 0, 0))
        session.ask("RELEASE", look(b"raw-file"), struct.pack("QIIQ", handle, 0, 0, 0))
    alive()


@test("links, folders and files are not taken for each other")
def wrong_kinds():
    link = made("SYMLINK", name_of(b"raw-link") + name_of(b"/etc"))
    file, folder = look(b"raw-file"), look(b"raw-dir")
    for nodeid in (link, file):
        refused("LOOKUP", nodeid, name_of(b"passwd"))
        refused("MKDIR", nodeid, mkdir_body(b"evil"))
        refused("CREATE", nodeid, create_body(b"evil"))
        refused("READDIRPLUS", nodeid, struct.pack("QQIIQII", 0, 0, 4096, 0, 0, 0, 0))
        refused("UNLINK", nodeid, name_of(b"passwd"))
    for nodeid in (link, folder):
        refused("READ", nodeid, struct.pack("QQIIQII", 0, 0, 4096, 0, 0, 0, 0))
        refused("WRITE", nodeid, struct.pack("QQIIQII", 0, 0, 1, 0, 0, 0, 0) + b"x")
        refused("SETATTR", nodeid, struct.pack("IIQQ", 8, 0, 0, 5) + bytes(64))
    refused("READLINK", file)
    refused("RENAME", ROOT, struct.pack("Q", folder) + name_of(b"raw-dir") + name_of(b"evil"))
    refused("RMDIR", ROOT, name_of(b"raw-file"))
    refused("UNLINK", ROOT, name_of(b"raw-dir"))
    alive()


@test("devices, FIFOs, sockets and set-user-ID are not made, whatever is asked")
def special():
    for kind in (stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR, stat.S_IFLNK, 0o170000):
        session.ask("MKNOD", ROOT, struct.pack("IIII", kind | 0o666, os.makedev(1, 3), 0, 0) + name_of(b"raw-special"))
        code, answer = session.ask("LOOKUP", ROOT, name_of(b"raw-special"))
        if code == 0 and entry_of(answer):
            mode = struct.unpack_from("I", answer, 40 + 60)[0]
            true(stat.S_ISREG(mode) or stat.S_ISDIR(mode), f"a {mode:o} was made")
            session.ask("UNLINK", ROOT, name_of(b"raw-special"))
            session.ask("RMDIR", ROOT, name_of(b"raw-special"))
    for kind in (stat.S_IFCHR, stat.S_IFLNK, stat.S_IFIFO, 0):
        session.ask("CREATE", ROOT, struct.pack("IIII", os.O_RDWR, kind | 0o6777, 0, 0) + name_of(b"raw-created"))
    made("CREATE", create_body(b"raw-set-id", 0o6755))
    session.ask("SETATTR", look(b"raw-set-id"), struct.pack("IIQQQQQQIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0o106777, 0, 0, 0, 0))
    session.ask("TMPFILE", ROOT, struct.pack("IIII", os.O_RDWR, stat.S_IFREG | 0o6777, 0, 0) + name_of(b"x"))
    alive()


@test("what is forgotten twice, too often or in bulk without end costs nothing")
def forgotten():
    node = made("CREATE", create_body(b"raw-forgotten"))
    for count in (1, 1, 1000, (1 << 64) - 1):
        session.ask("FORGET", node, struct.pack("Q", count))
        session.ask("FORGET", ROOT, struct.pack("Q", count))
    session.ask("FORGET", (1 << 64) - 1, struct.pack("Q", 1))
    session.ask("FORGET", node, b"")
    session.ask("BATCH_FORGET", 0, struct.pack("II", 0xffffffff, 0) + struct.pack("QQ", node, 1))
    session.ask("BATCH_FORGET", 0, struct.pack("II", 1000, 0) + struct.pack("QQ", ROOT, 1) * 10)
    same(session.ask("GETATTR", node, bytes(16))[0], errno.ESTALE)
    true(look(b"raw-forgotten") not in (0, node), "its number is used again")
    alive()


@test("sizes and places beyond every limit are refused")
def sizes():
    file = look(b"raw-file")
    for size, at in ((0xffffffff, 0), (1 << 30, 0), (1, (1 << 63) - 1), (4096, 1 << 63), (4096, (1 << 64) - 1)):
        code, _ = session.ask("WRITE", file, struct.pack("QQIIQII", 0, at, size, 0, 0, 0, 0) + b"some bytes")
        true(code != 0, f"a write of {size} at {at}")
        code, answer = session.ask("READ", file, struct.pack("QQIIQII", 0, at, size, 0, 0, 0, 0))
        true(code != 0 or not answer, f"a read of {size} at {at}")
    for size in (1 << 63, (1 << 64) - 1):
        session.ask("SETATTR", file, struct.pack("IIQQ", 8, 0, 0, size) + bytes(64))
        session.ask("FALLOCATE", file, struct.pack("QQQII", 0, size, size, 0, 0))
        session.ask("FALLOCATE", file, struct.pack("QQQII", 0, 0, size, 3, 0))
        session.ask("LSEEK", file, struct.pack("QQII", 0, size, 3, 0))
        session.ask("COPY_FILE_RANGE", file, struct.pack("QQQQQQQ", 0, size, file, 0, size, size, 0))
        session.ask("COPY_FILE_RANGE", file, struct.pack("QQQQQQQ", 0, 0, file, 0, 5, size, 0xffffffff))
        session.ask("READDIRPLUS", ROOT, struct.pack("QQIIQII", 0, size, 0xffffffff, 0, 0, 0, 0))
        session.ask("SETATTR", file, struct.pack("IIQQQQQQIIII", 0x30, 0, 0, 0, 0, size, size, 0, 0xffffffff, 0xffffffff, 0, 0) + bytes(16))
    for whence in (0, 1, 2, 5, 0xffffffff):
        refused("LSEEK", file, struct.pack("QQII", 0, 0, whence, 0))
    session.ask("GETXATTR", file, struct.pack("II", 0xffffffff, 0) + name_of(b"user.x"))
    session.ask("SETXATTR", file, struct.pack("II", 0xffffffff, 0) + name_of(b"user.x") + b"y")
    alive()


@test("requests that end too early, and opcodes that there are not, are answered and no more")
def truncated():
    known = set(OPCODES.values())
    ends = {OPCODES["DESTROY"], OPCODES["INIT"]}
    for opcode in list(range(0, 60)) + [100, 4096, 0x7fffffff, 0xffffffff]:
        for body in (b"", b"\0", b"x" * 3, bytes(7), b"\xff" * 15, b"\xff" * 40, b"x" * 4096) if opcode not in ends else ():
            code, _ = session.ask(opcode, ROOT, body)
            true(code != 0 or opcode in known, f"opcode {opcode} was done")
    refused("INIT", 0, b"")
    refused("INIT", 0, struct.pack("IIII", 6, 0, 0, 0))
    alive()


@test("ten thousand names that are not there, and as many folders, leave the server small")
def many():
    for i in range(10_000):
        true(look(b"none-%d" % i) == 0, "it is there")
    folder = made("MKDIR", mkdir_body(b"raw-many"))
    for i in range(2000):
        same(session.ask("MKDIR", folder, mkdir_body(b"%d" % i))[0], 0)
        if i % 2:
            same(session.ask("RMDIR", folder, name_of(b"%d" % i))[0], 0)
    alive()


@test("a hundred thousand requests whose answers nobody takes; then all are taken")
def flood():
    first, sent, data, end = session.unique, 0, bytearray(), time.monotonic() + FLOOD_LIMIT_S
    while sent < FLOOD and time.monotonic() < end:
        while len(data) < 32768 and sent < FLOOD:
            data += session.request("LOOKUP", ROOT, name_of(b"raw-file"))
            sent += 1
        if not select.select([], [session.fd], [], 2)[1]:
            break
        del data[:session.write_some(bytes(data), 0)]
    print(f"# {sent} requests until nobody took more")
    done = session.send(bytes(data))
    same(done, len(data), "the rest is taken once answers are")
    for i in range(sent):
        answer = session.message()
        true(answer is not None, f"answer {i} of {sent}")
        same(answer[0] > first, True)
    alive()


@test("large reads whose answers nobody takes do not fill the host's memory")
def flood_of_bytes():
    file = made("CREATE", create_body(b"raw-big"))
    for i in range(8):
        same(session.ask("WRITE", file, struct.pack("QQIIQII", 0, i << 20, 1 << 20, 0, 0, 0, 0) + bytes(1 << 20))[0], 0)
    read = struct.pack("QQIIQII", 0, 0, 1 << 20, 0, 0, 0, 0)
    data = b"".join(session.request("READ", file, read) for _ in range(N_READS))
    sent, end = 0, time.monotonic() + FLOOD_LIMIT_S
    while sent < len(data) and time.monotonic() < end and select.select([], [session.fd], [], 2)[1]:
        sent += session.write_some(data, sent)
    print(f"# {sent} of {len(data)} bytes of requests until nobody took more")
    whole = -(-sent // 80)
    session.send(data[sent:whole * 80])
    for _ in range(whole):
        true(session.message() is not None, "an answer")
    alive()


@test("what is no message ends the session and is not answered")
def nonsense():
    alive()
    try:
        session.send(struct.pack("I", 39) + os.urandom(4096), limit_s=2)
        session.send(session.request("MKDIR", ROOT, mkdir_body(b"raw-after-the-end")), limit_s=1)
        while True:
            answer = session.message(limit_s=1)
            if answer is None:
                break
            true(answer[1] != 0, "something was done")
    except (Closed, OSError):
        pass


def change_nothing():
    """Every operation that changes something, on a folder that is shared for reading."""
    file = look(b"file")
    true(file, "there is a file")
    for name, nodeid, body in (
            ("MKDIR", ROOT, mkdir_body(b"evil")), ("MKNOD", ROOT, struct.pack("IIII", stat.S_IFREG | 0o644, 0, 0, 0) + name_of(b"evil")),
            ("CREATE", ROOT, create_body(b"evil")), ("CREATE", ROOT, create_body(b"file", flags=os.O_RDWR | os.O_TRUNC)),
            ("TMPFILE", ROOT, create_body(b"evil")), ("SYMLINK", ROOT, name_of(b"evil") + name_of(b"x")),
            ("LINK", ROOT, struct.pack("Q", file) + name_of(b"evil")), ("UNLINK", ROOT, name_of(b"file")),
            ("RMDIR", ROOT, name_of(b"file")), ("RENAME", ROOT, struct.pack("Q", ROOT) + name_of(b"file") + name_of(b"evil")),
            ("RENAME2", ROOT, struct.pack("QII", ROOT, 0, 0) + name_of(b"file") + name_of(b"evil")),
            ("WRITE", file, struct.pack("QQIIQII", 0, 0, 4, 0, 0, 0, 0) + b"evil"), ("FALLOCATE", file, struct.pack("QQQII", 0, 0, 100, 0, 0)),
            ("COPY_FILE_RANGE", file, struct.pack("QQQQQQQ", 0, 0, file, 0, 3, 3, 0)),
            ("SETXATTR", file, struct.pack("II", 1, 0) + name_of(b"user.x") + b"y"), ("REMOVEXATTR", file, name_of(b"user.x")),
            *(("SETATTR", file, struct.pack("IIQQ", valid, 0, 0, 1) + bytes(64)) for valid in (1, 2, 4, 8, 0x10, 0x20, 0x1a0))):
        code = refused(name, nodeid, body)
        true(code in (errno.EROFS, errno.EOPNOTSUPP, errno.ENOSYS), f"{name}: {errno.errorcode.get(code, code)}")
    session.ask("OPEN", file, struct.pack("II", os.O_RDWR, 0))
    same(session.ask("READ", file, struct.pack("QQIIQII", 0, 0, 4096, 0, 0, 0, 0))[0], 0)
    alive()


def main():
    global session
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["read-only"]):
        sys.exit(__doc__)
    if len(sys.argv) == 3:
        tap.tests[:] = [("every change is refused", change_nothing)]
    session = Session(open_port(sys.argv[1]))
    session.begin(is_new=sys.argv[1].startswith("fd:"))
    return tap.run("/tmp")


if __name__ == "__main__":
    sys.exit(main())
