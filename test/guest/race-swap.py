#!/usr/bin/env python3
"""race-swap.py FOLDER OUTSIDE ROUNDS: tries to reach OUTSIDE, a folder of the host that is not shared, by exchanging a folder with a
link to it while others work in it. Prints TAP. OUTSIDE holds a file `sentinel`; it must not be there in the guest (so this is not for
a local folder). Whether OUTSIDE is untouched is for the host to see: this side sees only what it can read.
"""
import os
import sys

sys.dont_write_bytecode = True
import tap  # noqa: E402
from tap import RENAME_EXCHANGE, renameat2, test, true, write  # noqa: E402

INSIDE = b"inside"
outside, n_rounds = "", 0


def readers(stop):
    """What is read by the name that stands in both places."""
    count = 0
    while not stop():
        for name in ("place/sentinel", "place/sub/sentinel", "place/sub/../sentinel"):
            try:
                text = tap.read(name)
            except OSError:
                continue
            true(text == INSIDE, f"{name} was {text[:50]!r}")
            count += 1
    return count


def writers(stop):
    count = 0
    while not stop():
        for step in (lambda: write(f"place/evil-{os.getpid()}", "evil"), lambda: os.unlink(f"place/evil-{os.getpid()}"),
                     lambda: os.mkdir("place/evil-dir"), lambda: os.rmdir("place/evil-dir"),
                     lambda: os.symlink("x", "place/evil-link"), lambda: os.unlink("place/evil-link"),
                     lambda: os.link("other", "place/evil-hard"), lambda: os.unlink("place/evil-hard"),
                     lambda: os.rename("moved", "place/moved"), lambda: os.rename("place/moved", "moved"),
                     lambda: os.chmod("place/sentinel", 0o600), lambda: os.truncate("place/sentinel", len(INSIDE)),
                     lambda: os.utime("place/sentinel")):
            try:
                step()
                count += 1
            except OSError:
                pass
    return count


def listers(stop):
    count = 0
    while not stop():
        try:
            names = set(os.listdir("place"))
            fd = os.open("place", os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            true("only-outside" not in names and "only-outside" not in os.listdir(fd), "the outside was listed")
            os.close(os.open("sentinel", os.O_RDONLY, dir_fd=fd))
            count += 1
        except OSError:
            pass
        finally:
            os.close(fd)
    return count


def start(work):
    """A process that works until the file `stop` is there. Gives its number and where its count will be."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            count = work(lambda: os.path.exists("stop"))
            os.write(writer, f"{work.__name__} {count}".encode())
            os._exit(0)
        except BaseException as error:
            os.write(writer, str(error).encode()[:1000])
            os._exit(1)
    os.close(writer)
    return pid, reader


def race(link, step):
    os.makedirs("place/sub")
    write("place/sentinel", INSIDE)
    write("place/sub/sentinel", INSIDE)
    write("other", INSIDE)
    write("moved", INSIDE)
    os.symlink(link, "link")
    children = [start(work) for work in (readers, writers, listers)]
    for i in range(n_rounds):
        step(i)
    write("stop")
    for pid, reader in children:
        status = os.waitpid(pid, 0)[1]
        text = os.read(reader, 1000).decode(errors="replace")
        os.close(reader)
        true(status == 0, text)
        print(f"# {text}")


def exchange(_):
    renameat2("place", "link", RENAME_EXCHANGE)


def back_and_forth(i):
    """By two renames, with nothing there in between."""
    try:
        os.rename("place", "aside")
        os.rename("link", "place")
        os.rename("place", "link")
        os.rename("aside", "place")
    except OSError:
        if i == 0:
            raise


def remade(_):
    """The link is made anew each time, the folder moved deeper."""
    os.rename("place", "other-place")
    os.symlink(outside, "place")
    os.unlink("place")
    os.rename("other-place", "place")


@test("an absolute link is exchanged with a folder")
def absolute():
    race(outside, exchange)


@test("a relative link upwards is exchanged with a folder")
def upwards():
    race("../" * 20 + outside.lstrip("/"), exchange)


@test("a folder is renamed away and a link put in its place")
def renamed():
    race(outside, back_and_forth)


@test("a link is made where a folder was")
def made_anew():
    race("../" * 20 + outside.lstrip("/"), remade)


@test("a folder in which somebody stands is moved about")
def moved_about():
    os.makedirs("a/b/c/d")
    os.makedirs("x/y")
    write("a/b/c/d/sentinel", INSIDE)
    fd = os.open("a/b/c/d", os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(n_rounds // 10):
        os.rename("a/b/c", "x/y/c")
        for path in ("../" * 10 + outside.lstrip("/") + "/sentinel", "../../../sentinel"):
            try:
                os.close(os.open(path, os.O_RDONLY, dir_fd=fd))
                true(False, f"{path} was opened")
            except OSError:
                pass
        os.close(os.open("sentinel", os.O_RDONLY, dir_fd=fd))
        os.rename("x/y/c", "a/b/c")
    os.close(fd)


def main():
    global outside, n_rounds
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    outside, n_rounds = sys.argv[2], int(sys.argv[3])
    if os.path.exists(outside):
        sys.exit(f"{outside} is there: this is not a guest, or it is shared")
    return tap.run(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
