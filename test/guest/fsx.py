#!/usr/bin/env python3
"""fsx.py FOLDER REFERENCE SECONDS SEED: random work on files in FOLDER, each step done with files in REFERENCE too and compared.

Three files are written, mapped, cut, copied into each other, renamed, opened again and removed, through one or two descriptors each.
The bytes of a read, the sizes, and at times the whole files must be the same on both sides. Prints TAP; on a difference also the seed
and the last steps.
"""
import collections
import mmap
import os
import random
import sys
import time

sys.dont_write_bytecode = True
from tap import FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, fallocate  # noqa: E402

N_FILES, SIZE_MAX, PIECE_MAX, STEPS_KEPT, WHOLE_EVERY = 3, 600_000, 140_000, 50, 40


class Difference(Exception):
    pass


class Side:
    """The files on one side: names, and the descriptors that are open, two for each file."""

    def __init__(self, folder):
        self.folder = folder
        self.names = [f"fsx{os.getpid()}-{i}" for i in range(N_FILES)]
        self.fds = [[self.open(i, os.O_CREAT | os.O_TRUNC), self.open(i)] for i in range(N_FILES)]

    def path(self, i):
        return os.path.join(self.folder, self.names[i])

    def open(self, i, flags=0):
        return os.open(self.path(i), os.O_RDWR | flags, 0o644)

    def reopen(self, i, which, flags=0):
        os.close(self.fds[i][which])
        self.fds[i][which] = self.open(i, flags)

    def close(self):
        for pair in self.fds:
            for fd in pair:
                os.close(fd)
        for i in range(N_FILES):
            os.unlink(self.path(i))


# ---- steps: each gets a side and its arguments and gives what is compared; `choose` makes the arguments ----

def read(side, i, which, at, size, _):
    return os.pread(side.fds[i][which], size, at)


def write(side, i, which, at, size, seed):
    return os.pwrite(side.fds[i][which], random.Random(seed).randbytes(size), at)


def append(side, i, _, at, size, seed):
    fd = side.open(i, os.O_APPEND)
    try:
        return os.write(fd, random.Random(seed).randbytes(size))
    finally:
        os.close(fd)


def truncate(side, i, which, at, size, seed):
    if seed % 2:
        os.truncate(side.path(i), at)
    else:
        os.ftruncate(side.fds[i][which], at)


def map_read(side, i, which, at, size, _):
    length = os.fstat(side.fds[i][which]).st_size
    if length == 0:
        return None
    with mmap.mmap(side.fds[i][which], length, mmap.MAP_SHARED, mmap.PROT_READ) as view:
        return view[at:at + size]


def map_write(side, i, which, at, size, seed):
    length = os.fstat(side.fds[i][which]).st_size
    size = min(size, length - at)
    if size <= 0:
        return None
    with mmap.mmap(side.fds[i][which], length) as view:
        view[at:at + size] = random.Random(seed).randbytes(size)
        if seed % 3 == 0:
            view.flush()
    return size


def reserve(side, i, which, at, size, seed):
    fallocate(side.fds[i][which], FALLOC_KEEP_SIZE if seed % 2 else 0, at, size + 1)


def punch(side, i, which, at, size, _):
    fallocate(side.fds[i][which], FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE, at, size + 1)


def copy(side, i, which, at, size, seed):
    """From one file to another; how much one call copies may differ, what is there afterwards may not."""
    into, done = side.fds[(i + 1) % N_FILES][which], 0
    start = seed % SIZE_MAX
    while done < size:
        count = os.copy_file_range(side.fds[i][which], into, size - done, at + done, start + done)
        if count == 0:
            break
        done += count
    return done


def seek(side, i, which, at, size, _):
    os.lseek(side.fds[i][which], at, os.SEEK_SET)
    data = os.read(side.fds[i][which], size)
    return data, os.lseek(side.fds[i][which], 0, os.SEEK_END)


def reopen(side, i, which, at, size, seed):
    side.reopen(i, which, os.O_TRUNC if seed % 20 == 0 else 0)


def rename(side, i, which, at, size, seed):
    """Onto a new name, or onto another file, whose descriptors stay with what they had until they are opened again."""
    if seed % 3:
        old = side.path(i)
        side.names[i] += "r" if len(side.names[i]) < 60 else ""
        os.rename(old, side.path(i))
        return
    other = (i + 1) % N_FILES
    os.rename(side.path(i), side.path(other))
    same = os.pread(side.fds[other][which], size, at)
    os.close(side.open(i, os.O_CREAT | os.O_EXCL))
    for one in (i, other):
        for each in (0, 1):
            side.reopen(one, each)
    return same


def replace(side, i, which, at, size, seed):
    """As editors save: a new file, renamed over the old one."""
    path = side.path(i) + ".new"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, random.Random(seed).randbytes(size))
    os.fsync(fd)
    os.close(fd)
    os.rename(path, side.path(i))
    old = os.pread(side.fds[i][which], size, at)
    side.reopen(i, 0)
    side.reopen(i, 1)
    return old


def drop(side, i, which, at, size, _):
    os.fdatasync(side.fds[i][which])
    os.posix_fadvise(side.fds[i][which], 0, 0, os.POSIX_FADV_DONTNEED)


STEPS = {read: 20, write: 20, append: 8, truncate: 6, map_read: 8, map_write: 8, reserve: 3, punch: 4, copy: 6, seek: 4, reopen: 4,
         rename: 2, replace: 2, drop: 3}


def choose(source):
    step = source.choices(list(STEPS), list(STEPS.values()))[0]
    at = source.randrange(SIZE_MAX)
    if source.random() < 0.3:
        at &= ~4095
    size = source.randrange(PIECE_MAX) if source.random() < 0.5 else source.randrange(5000)
    return step, (source.randrange(N_FILES), source.randrange(2), at, min(size, SIZE_MAX - at), source.randrange(1 << 30))


def outcome(step, side, arguments):
    try:
        return step(side, *arguments)
    except OSError as error:
        return f"errno {error.errno}"


def where(one, two):
    if isinstance(one, bytes) and isinstance(two, bytes):
        at = next((i for i, pair in enumerate(zip(one, two)) if pair[0] != pair[1]), min(len(one), len(two)))
        return f"{len(one)} and {len(two)} bytes, different from {at} on: {one[at:at + 8].hex()} and {two[at:at + 8].hex()}"
    return f"{str(one)[:200]} and {str(two)[:200]}"


def compare(tested, reference, step, arguments):
    got, expected = outcome(step, tested, arguments), outcome(step, reference, arguments)
    if got != expected:
        raise Difference(where(got, expected))
    for i in range(N_FILES):
        sizes = [(os.fstat(side.fds[i][0]).st_size, os.stat(side.path(i)).st_size) for side in (tested, reference)]
        if sizes[0] != sizes[1]:
            raise Difference(f"sizes of file {i}: {sizes}")


def compare_whole(tested, reference):
    for i in range(N_FILES):
        contents = []
        for side in (tested, reference):
            with open(side.path(i), "rb") as file:
                contents.append(file.read())
        if contents[0] != contents[1]:
            raise Difference(f"file {i} as a whole: {where(*contents)}")


def work(tested, reference, seconds, source, done):
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        step, arguments = choose(source)
        done.append(f"{count}: {step.__name__} file {arguments[0]} fd {arguments[1]} at {arguments[2]} size {arguments[3]} "
                    f"seed {arguments[4]}")
        compare(tested, reference, step, arguments)
        count += 1
        if count % WHOLE_EVERY == 0:
            compare_whole(tested, reference)
    compare_whole(tested, reference)
    return count


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    folder, reference, seconds, seed = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    sides = Side(folder), Side(reference)
    done = collections.deque(maxlen=STEPS_KEPT)
    print(f"1..1\n# seed {seed}", flush=True)
    try:
        count = work(*sides, seconds, random.Random(seed), done)
    except Difference as what:
        print("".join(f"# {line}\n" for line in done) + f"# seed {seed}: {what}")
        print("not ok 1 - the files are the same on both sides")
        return 1
    for side in sides:
        side.close()
    print(f"ok 1 - the files are the same on both sides after {count} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
