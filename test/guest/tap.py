"""What the test programs of this folder share: tests that print TAP, and the system calls that Python has no function for.

A test is a function with @test("what it shows"); it runs in an empty folder of its own, which is the current one, and fails by an
exception. `Skip` says why it cannot be run here.
"""
import ctypes
import errno
import os
import shutil
import signal
import sys
import time
import traceback

LIMIT_S, SLOW_S = 300, 2
AT_FDCWD, AT_EMPTY_PATH, AT_SYMLINK_FOLLOW = -100, 0x1000, 0x400
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_COLLAPSE, FALLOC_ZERO = 1, 2, 8, 16
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
libc.mmap.restype = ctypes.c_void_p
tests = []


class Skip(Exception):
    pass


def test(what):
    def add(function):
        tests.append((what, function))
        return function
    return add


def same(got, expected, what="value"):
    if got != expected:
        raise AssertionError(f"{what}: got {str(got)[:300]!r}, expected {str(expected)[:300]!r}")


def true(value, what):
    if not value:
        raise AssertionError(what)


def fails(code, function, *arguments, **named):
    """The call fails with that errno, or one of those."""
    codes = code if isinstance(code, tuple) else (code,)
    try:
        result = function(*arguments, **named)
    except OSError as error:
        if error.errno not in codes:
            wanted = "/".join(errno.errorcode[one] for one in codes)
            name = errno.errorcode.get(error.errno, error.errno)
            raise AssertionError(f"{function.__name__}: {name} instead of {wanted}") from None
        return
    raise AssertionError(f"{function.__name__}{arguments!r:.100} gave {result!r:.100} instead of {errno.errorcode[codes[0]]}")


def call(name, *arguments):
    """A function of the C library that gives -1 and errno."""
    result = getattr(libc, name)(*arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def renameat2(old, new, flags):
    return call("renameat2", AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags)


def fallocate(fd, mode, offset, length):
    return call("fallocate", fd, mode, offset, length)


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


def utimensat(path, atime, mtime):
    """Each time is a pair of seconds and nanoseconds."""
    times = (Timespec * 2)(Timespec(*atime), Timespec(*mtime))
    return call("utimensat", AT_FDCWD, os.fsencode(path), times, 0)


def write(path, content=b"", mode=0o644):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        view = memoryview(content if isinstance(content, bytes) else content.encode())
        while view:
            view = view[os.write(fd, view):]
    finally:
        os.close(fd)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def in_child(function, uid=None):
    """Runs it in another process, as another user where one is named; what fails there fails here."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            function()
        except BaseException:
            os.write(writer, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        text = pipe.read().decode(errors="replace")
    os.waitpid(pid, 0)
    if text:
        raise AssertionError("in another process: " + text)


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def _too_long(_number, _frame):
    raise TimeoutError(f"not done after {LIMIT_S} seconds")


def _one(number, what, function, folder):
    os.mkdir(folder)
    os.chdir(folder)
    mask, began = os.umask(0o022), time.monotonic()
    signal.alarm(LIMIT_S)
    try:
        function()
        print(f"ok {number} - {what}", flush=True)
        return True
    except Skip as why:
        print(f"ok {number} - {what} # SKIP {why}", flush=True)
        return True
    except Exception:
        print(f"not ok {number} - {what}")
        print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()[-12:]), flush=True, end="")
        return False
    finally:
        signal.alarm(0)
        os.umask(mask)
        os.chdir("/")
        shutil.rmtree(os.fsencode(folder), ignore_errors=True)
        if time.monotonic() - began > SLOW_S:
            print(f"# that took {time.monotonic() - began:.1f} seconds")


def run(folder, only=""):
    """Runs all tests whose description holds that word. Gives the exit status."""
    signal.signal(signal.SIGALRM, _too_long)
    chosen = [one for one in tests if only in one[0]]
    base = os.path.join(os.path.abspath(folder), f"t{os.getpid()}-")
    n_failed = 0
    print(f"1..{len(chosen)}")
    for i, (what, function) in enumerate(chosen):
        n_failed += not _one(i + 1, what, function, base + str(i))
        if os.path.exists(base + str(i)):
            n_failed += 1
            print(f"# {base}{i} could not be removed: {os.listdir(base + str(i))[:5]}")
    print(f"# {len(chosen) - n_failed} of {len(chosen)} passed", flush=True)
    return 1 if n_failed or not chosen else 0


def main_folder(usage):
    if len(sys.argv) < 2 or not os.path.isdir(sys.argv[1]):
        sys.exit(usage)
    return sys.argv[1]
