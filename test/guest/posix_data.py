"""What is in files: sizes, holes, copies, mappings, locks."""
import ctypes
import errno
import fcntl
import mmap
import os
import select
import struct

from tap import (FALLOC_COLLAPSE, FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO, Skip, call, fails, fallocate, in_child, read, same,
                 test, true, write)

MIB = 1 << 20


def pattern(size, seed=7):
    return bytes((i * 31 + seed + (i >> 8)) & 255 for i in range(4099)) * (size // 4099 + 1)


@test("reads and writes of any size, at any place")
def any_size():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    expected = bytearray()
    for i, size in enumerate((1, 511, 4096, 4097, 65535, 131072, 131073, MIB, 3 * MIB + 5)):
        piece = pattern(size, i)[:size]
        same(os.write(fd, piece), size)
        expected += piece
    same(os.fstat(fd).st_size, len(expected))
    same(os.pread(fd, len(expected) + 10, 0) == expected, True, "all in one read")
    for at, size in ((0, 1), (4095, 2), (511, 8192), (MIB - 1, MIB + 2), (len(expected) - 3, 100), (len(expected), 5)):
        same(os.pread(fd, size, at) == expected[at:at + size], True, f"{size} bytes at {at}")
    os.pwrite(fd, b"middle", 100000)
    expected[100000:100006] = b"middle"
    os.close(fd)
    same(read("file") == bytes(expected), True, "opened again")


@test("vectored reads and writes")
def vectors():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    pieces = [pattern(size)[:size] for size in (1, 5000, 3, 70000, 0, 9)]
    same(os.writev(fd, pieces), sum(map(len, pieces)))
    buffers = [bytearray(60000), bytearray(20000)]
    same(os.preadv(fd, buffers, 0), sum(map(len, pieces)))
    same((bytes(buffers[0]) + bytes(buffers[1]))[:75013] == b"".join(pieces), True)
    os.close(fd)


@test("truncate makes shorter and longer, and what was cut is gone")
def truncating():
    write("file", pattern(20000)[:20000])
    os.truncate("file", 5000)
    os.truncate("file", 30000)
    same(read("file") == pattern(5000)[:5000] + bytes(25000), True, "zeros where it was cut")
    fd = os.open("file", os.O_RDWR)
    os.ftruncate(fd, 0)
    same(os.fstat(fd).st_size, 0)
    os.pwrite(fd, b"x", 9999)
    same(read("file"), bytes(9999) + b"x")
    os.close(fd)
    fails(errno.EINVAL, os.truncate, "file", -1)
    os.mkdir("dir")
    fails(errno.EISDIR, os.truncate, "dir", 0)
    fails(errno.ENOENT, os.truncate, "no", 0)


@test("the size of an open file follows at once, for everybody")
def size_follows():
    one, two = os.open("file", os.O_CREAT | os.O_RDWR), os.open("file", os.O_RDWR)
    for size in (10, 100000, 3):
        os.ftruncate(one, size)
        same((os.fstat(two).st_size, os.stat("file").st_size, len(os.pread(two, 200000, 0))), (size, size, size))
        os.pwrite(two, b"end", size)
        same((os.fstat(one).st_size, os.pread(one, 5, size)), (size + 3, b"end"))
    os.close(one), os.close(two)


@test("fallocate reserves, keeps the size, punches holes and zeroes")
def allocating():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    fallocate(fd, 0, 0, 100000)
    same(os.fstat(fd).st_size, 100000)
    fallocate(fd, FALLOC_KEEP_SIZE, 0, MIB)
    same(os.fstat(fd).st_size, 100000)
    os.pwrite(fd, pattern(100000)[:100000], 0)
    fallocate(fd, FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE, 10000, 20000)
    expected = bytearray(pattern(100000)[:100000])
    expected[10000:30000] = bytes(20000)
    same(os.pread(fd, 100000, 0) == expected, True, "a hole reads as zeros")
    try:
        fallocate(fd, FALLOC_ZERO, 50000, 1000)
        expected[50000:51000] = bytes(1000)
    except OSError as error:
        same(error.errno, errno.EOPNOTSUPP)
    same(os.pread(fd, 100000, 0) == expected, True, "zeroes")
    try:
        fallocate(fd, FALLOC_COLLAPSE, 0, 8192)
        del expected[:8192]
    except OSError as error:
        same(error.errno in (errno.EOPNOTSUPP, errno.EINVAL), True)
    same(os.pread(fd, 200000, 0) == expected, True, "collapsed, or refused")
    os.posix_fallocate(fd, 0, 200000)
    same(os.fstat(fd).st_size, 200000)
    os.close(fd)


@test("holes are found, and cost nothing")
def holes():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 64 * MIB)
    os.pwrite(fd, b"data", 32 * MIB)
    at = os.lseek(fd, 0, os.SEEK_DATA)
    true(32 * MIB - 65536 <= at <= 32 * MIB, f"data at {at}")
    hole = os.lseek(fd, at, os.SEEK_HOLE)
    true(32 * MIB < hole <= 33 * MIB, f"hole at {hole}")
    same(os.lseek(fd, 0, os.SEEK_HOLE), 0)
    fails(errno.ENXIO, os.lseek, fd, 64 * MIB, os.SEEK_DATA)
    fails(errno.ENXIO, os.lseek, fd, 40 * MIB, os.SEEK_DATA)
    true(os.fstat(fd).st_blocks * 512 < 4 * MIB, "the holes take room")
    os.close(fd)


@test("files of more than 4 GiB")
def huge():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    for gib in (1, 3, 5):
        os.pwrite(fd, b"at %d GiB" % gib, gib << 30)
    same(os.stat("file").st_size, (5 << 30) + 8)
    for gib in (1, 3, 5):
        same(os.pread(fd, 8, gib << 30), b"at %d GiB" % gib)
    same(os.pread(fd, 4, (4 << 30) - 2), bytes(4))
    same(os.lseek(fd, -8, os.SEEK_END), 5 << 30)
    same(os.read(fd, 100), b"at 5 GiB")
    os.ftruncate(fd, (5 << 30) + 2)
    same(os.pread(fd, 8, 5 << 30), b"at")
    os.close(fd)
    fails((errno.EFBIG, errno.EINVAL), os.truncate, "file", (1 << 63) - 1)


@test("copy_file_range copies, within a file too")
def copying():
    write("from", pattern(3 * MIB)[:3 * MIB])
    one, two = os.open("from", os.O_RDWR), os.open("to", os.O_CREAT | os.O_RDWR)
    done = 0
    while done < 3 * MIB:
        count = os.copy_file_range(one, two, 3 * MIB - done)
        true(count > 0, "nothing was copied")
        done += count
    same(read("to") == read("from"), True, "content")
    same(os.copy_file_range(one, two, 100), 0, "at the end")
    same(os.copy_file_range(one, two, 10, 5, 0), 10)
    same(os.pread(two, 10, 0), pattern(100)[5:15])
    same(os.copy_file_range(one, one, 100, 0, 3 * MIB), 100)
    same(os.pread(one, 100, 3 * MIB), pattern(100)[:100])
    fails(errno.EINVAL, os.copy_file_range, one, one, 100, 0, 50)
    os.close(one), os.close(two)


@test("what was just written is copied, also what a mapping has changed")
def copying_fresh():
    one, two = os.open("from", os.O_CREAT | os.O_RDWR), os.open("to", os.O_CREAT | os.O_RDWR)
    os.write(two, b"old" * 3000)
    os.pread(two, 9000, 0)
    os.write(one, b"new" * 3000)
    with mmap.mmap(one, 9000) as view:
        view[0:3] = b"MAP"
        same(os.copy_file_range(one, two, 9000, 0, 0), 9000)
    same(os.pread(two, 9000, 0), b"MAP" + b"new" * 2999)
    os.close(one), os.close(two)


@test("sendfile and splice")
def sending():
    write("from", pattern(200000)[:200000])
    one, two = os.open("from", os.O_RDONLY), os.open("to", os.O_CREAT | os.O_RDWR)
    done = 0
    while done < 200000:
        done += os.sendfile(two, one, done, 200000 - done)
    same(read("to") == read("from"), True, "sendfile")
    reader, writer = os.pipe()
    same(call("splice", one, ctypes.byref(ctypes.c_int64(0)), writer, None, 4096, 0), 4096)
    same(call("splice", reader, None, two, ctypes.byref(ctypes.c_int64(200000)), 4096, 0), 4096)
    same(os.pread(two, 5000, 200000), pattern(4096)[:4096])
    for fd in (one, two, reader, writer):
        os.close(fd)


@test("a mapping shows what is written, and what it changes is read")
def mapping():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    os.write(fd, pattern(20000)[:20000])
    with mmap.mmap(fd, 20000) as view:
        same(view[:] == pattern(20000)[:20000], True, "as written")
        os.pwrite(fd, b"written", 5000)
        same(view[5000:5007], b"written")
        view[10000:10006] = b"mapped"
        same(os.pread(fd, 6, 10000), b"mapped")
        other = os.open("file", os.O_RDONLY)
        same(os.pread(other, 6, 10000), b"mapped")
        os.close(other)
        view.flush()
    os.close(fd)
    same(read("file")[10000:10006], b"mapped")


@test("what a mapping has changed stays when it is gone, without a flush")
def mapping_gone():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    os.ftruncate(fd, 3 * 4096)
    view = mmap.mmap(fd, 3 * 4096)
    view[4096:4100] = b"kept"
    view.close()
    os.fsync(fd)
    os.close(fd)
    fd = os.open("file", os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    same(os.pread(fd, 4, 4096), b"kept")
    os.close(fd)


@test("a mapping is shared between processes; a private one is not")
def mapping_shared():
    write("file", b"a" * 4096)
    fd = os.open("file", os.O_RDWR)
    with mmap.mmap(fd, 4096) as view, mmap.mmap(fd, 4096, mmap.MAP_PRIVATE) as own:
        own[0:3] = b"own"

        def other():
            with mmap.mmap(fd, 4096) as theirs:
                theirs[10:16] = b"shared"
        in_child(other)
        same((view[0:3], view[10:16], own[0:3]), (b"aaa", b"shared", b"own"))
    os.close(fd)


@test("a mapping follows when the file is made shorter and longer again")
def mapping_truncated():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"x" * 8192)
    with mmap.mmap(fd, 8192) as view:
        os.ftruncate(fd, 100)
        same(view[0:200], b"x" * 100 + bytes(100))
        os.ftruncate(fd, 8192)
        same(view[4096:], bytes(4096))
    os.close(fd)


@test("flock keeps other processes out")
def flocks():
    write("file")
    fd = os.open("file", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)

    def refused():
        other = os.open("file", os.O_RDWR)
        fails(errno.EWOULDBLOCK, fcntl.flock, other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fails(errno.EWOULDBLOCK, fcntl.flock, other, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def shared():
        other = os.open("file", os.O_RDONLY)
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fails(errno.EWOULDBLOCK, fcntl.flock, other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    in_child(refused)
    fcntl.flock(fd, fcntl.LOCK_SH)
    in_child(shared)
    os.close(fd)
    fd = os.open("file", os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)


@test("fcntl locks are kept for ranges and processes")
def ranges():
    write("file", "0123456789")
    fd = os.open("file", os.O_RDWR)
    fcntl.lockf(fd, fcntl.LOCK_EX, 4, 0)

    def other():
        theirs = os.open("file", os.O_RDWR)
        fails((errno.EACCES, errno.EAGAIN), fcntl.lockf, theirs, fcntl.LOCK_EX | fcntl.LOCK_NB, 2, 3)
        fcntl.lockf(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB, 2, 4)
        found = fcntl.fcntl(theirs, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 2, 0))
        same(struct.unpack("hhqqi4x", found)[4], os.getppid(), "who holds it")
    in_child(other)
    os.close(fd)
    in_child(lambda: fcntl.lockf(os.open("file", os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB))


@test("a lock that is waited for is given")
def waiting():
    write("file")
    fd = os.open("file", os.O_RDWR)
    fcntl.lockf(fd, fcntl.LOCK_EX)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        theirs = os.open("file", os.O_RDWR)
        os.write(writer, b"w")
        fcntl.lockf(theirs, fcntl.LOCK_EX)
        os.write(writer, b"g")
        os._exit(0)
    same(os.read(reader, 1), b"w")
    same(select.select([reader], [], [], 0.2)[0], [], "given too early")
    fcntl.lockf(fd, fcntl.LOCK_UN)
    same(os.read(reader, 1), b"g")
    same(os.waitpid(pid, 0)[1], 0)
    for one in (fd, reader, writer):
        os.close(one)


@test("open file description locks and leases do not break anything")
def other_locks():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    fcntl.fcntl(fd, 37, lock)
    other = os.open("file", os.O_RDWR)
    fails((errno.EACCES, errno.EAGAIN), fcntl.fcntl, other, 37, lock)
    os.close(fd)
    fcntl.fcntl(other, 37, lock)
    os.close(other)


@test("SQLite works in it: rollback journal, and WAL with its shared memory")
def sqlite():
    try:
        import sqlite3
    except ImportError:
        raise Skip("no sqlite3 here") from None
    for mode in ("delete", "wal"):
        one, two = sqlite3.connect(f"{mode}.db", timeout=30), sqlite3.connect(f"{mode}.db", timeout=30)
        same(one.execute(f"pragma journal_mode={mode}").fetchone()[0], mode)
        one.execute("create table t(n integer, text text)")
        for i in range(200):
            (one, two)[i % 2].execute("insert into t values(?, ?)", (i, "x" * i))
            (one, two)[i % 2].commit()
        same(two.execute("select count(*), sum(n) from t").fetchone(), (200, 19900))
        same(one.execute("pragma integrity_check").fetchone()[0], "ok")
        one.close(), two.close()
        again = sqlite3.connect(f"{mode}.db")
        same(again.execute("select count(*) from t").fetchone()[0], 200)
        again.close()


@test("pages that the cache has dropped come back as they were")
def dropped():
    write("file", pattern(5 * MIB)[:5 * MIB])
    fd = os.open("file", os.O_RDONLY)
    os.fsync(fd)
    for _ in range(3):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        same(os.pread(fd, 5 * MIB, 0) == pattern(5 * MIB)[:5 * MIB], True)
    call("readahead", fd, ctypes.c_int64(0), ctypes.c_size_t(5 * MIB))
    os.close(fd)
