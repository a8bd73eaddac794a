#!/usr/bin/env python3
"""stress-two-sided.py FOLDER host|guest ROUNDS: both sides work in one folder at once; start one program on each. Prints TAP.

Each side makes, writes, renames and removes files under its own name and waits until it sees that the other has done the same;
both append lines to one file, take one lock by O_EXCL, and commit to one repository. The wait for the other side has a limit.
"""
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
from changes import Watch  # noqa: E402
import tap  # noqa: E402
from tap import read, same, test, true, write  # noqa: E402

LIMIT_S, START_LIMIT_S, LOCK_LIMIT_S = 60, 120, 60
SIDES = ("host", "guest")
folder, me, other, n_rounds, watch = "", "", "", 0, None


def path(*parts):
    return os.path.join(folder, *parts)


def content(side, number):
    """What that side writes in that round: of a size and bytes that both know."""
    source = random.Random(f"{side} {number}")
    return source.randbytes(source.randrange(1, 60_000)) + b"end"


def holds(name, expected):
    try:
        return read(path(name)) == expected
    except FileNotFoundError:
        return False


def wait(question, what):
    return watch.until(question, LIMIT_S, what)


def meet(name, limit_s=LIMIT_S):
    """Both sides have come this far; what a side did before is done when the other goes on."""
    write(path("meet", f"{name}-{me}"), "here")
    watch.until(lambda: os.path.exists(path("meet", f"{name}-{other}")), limit_s, f"the other side, at {name}")


@test("files that one side makes are seen by the other, with what is in them")
def made():
    meet("made", START_LIMIT_S)
    for i in range(n_rounds):
        write(path(f"{me}-{i}"), content(me, i))
        wait(lambda i=i: holds(f"{other}-{i}", content(other, i)), f"{other}-{i}")


@test("files that one side writes over in place are seen changed by the other")
def changed():
    meet("changed")
    for i in range(n_rounds):
        fd = os.open(path(f"{me}-{i}"), os.O_RDWR)
        os.pwrite(fd, content(me, i + 1000), 0)
        os.ftruncate(fd, len(content(me, i + 1000)))
        os.close(fd)
        wait(lambda i=i: holds(f"{other}-{i}", content(other, i + 1000)), f"{other}-{i} as changed")


@test("files that one side replaces by renaming are seen replaced, by who has read them before too")
def replaced():
    meet("replaced")
    name = path(f"{me}-replaced")
    for i in range(n_rounds):
        write(name + ".new", content(me, i + 2000))
        os.rename(name + ".new", name)
        wait(lambda i=i: holds(f"{other}-replaced", content(other, i + 2000)), f"{other}-replaced {i}")
        meet(f"replaced-{i}")


@test("names that one side moves between folders are gone and there")
def moved():
    meet("moved")
    os.makedirs(path(f"{me}-dir", "deep"), exist_ok=True)
    wait(lambda: os.path.isdir(path(f"{other}-dir", "deep")), "the other side's folder")
    for i in range(n_rounds):
        os.rename(path(f"{me}-{i}"), path(f"{me}-dir", "deep", f"{i}"))
    for i in range(n_rounds):
        wait(lambda i=i: os.path.exists(path(f"{other}-dir", "deep", f"{i}")) and not os.path.exists(path(f"{other}-{i}")),
             f"{other}-{i} as moved")
        true(holds(os.path.join(f"{other}-dir", "deep", f"{i}"), content(other, i + 1000)), "its content")
    meet("moved-files")
    os.rename(path(f"{me}-dir"), path(f"{me}-folder"))
    wait(lambda: os.path.isdir(path(f"{other}-folder")) and not os.path.exists(path(f"{other}-dir")), "a folder as renamed")
    same(sorted(os.listdir(path(f"{other}-folder", "deep"))), sorted(str(i) for i in range(n_rounds)))


@test("what one side removes is gone for the other")
def removed():
    meet("removed")
    for i in range(n_rounds):
        os.unlink(path(f"{me}-folder", "deep", f"{i}"))
        wait(lambda i=i: not os.path.exists(path(f"{other}-folder", "deep", f"{i}")), f"{other}-folder/deep/{i} as removed")
    same(os.listdir(path(f"{me}-folder", "deep")), [])
    meet("all-removed")
    wait(lambda: os.listdir(path(f"{other}-folder", "deep")) == [], "an empty folder")


@test("both sides append to one file, and no line is lost")
def appended():
    meet("append")
    fd = os.open(path("log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for i in range(n_rounds * 20):
        os.write(fd, f"{me} {i}\n".encode())
    os.close(fd)
    meet("appended")
    expected = sorted(f"{side} {i}" for side in SIDES for i in range(n_rounds * 20))
    wait(lambda: sorted(read(path("log")).decode(errors="replace").splitlines()) == expected, "all lines, whole")


@test("one lock that is made by O_EXCL is had by one side at a time")
def locked():
    meet("lock")
    for _ in range(n_rounds):
        def take():
            try:
                os.close(os.open(path("lock"), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                return True
            except FileExistsError:
                return False
        wait(take, "the lock")
        try:
            number = int(read(path("counter")) or b"0")
        except FileNotFoundError:
            number = 0
        write(path("counter.new"), f"{number + 1}")
        os.rename(path("counter.new"), path("counter"))
        os.unlink(path("lock"))
    meet("unlocked")
    wait(lambda: holds("counter", b"%d" % (2 * n_rounds)), "every count")


@test("one name that both replace always holds a whole content of one of them")
def contended():
    meet("contend")
    whole = {bytes(side[:1], "ascii") * 30_000 for side in SIDES}
    for i in range(n_rounds * 5):
        write(path(f"shared-{me}"), bytes(me[:1], "ascii") * 30_000)
        os.rename(path(f"shared-{me}"), path("shared"))
        true(read(path("shared")) in whole, f"half a file in round {i}")
    meet("contended")


def git(*arguments, may_fail=False):
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    for role in ("AUTHOR", "COMMITTER"):
        env[f"GIT_{role}_NAME"], env[f"GIT_{role}_EMAIL"] = me, me + "@test"
    command = ["git", "-c", "safe.directory=*", "-c", "gc.auto=0", "-C", path("work"), *arguments]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    true(may_fail or done.returncode == 0, f"git {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done


def git_locked(*arguments):
    """Again while the other side holds one of the repository's locks, or has moved the branch on meanwhile."""
    passing = ("index.lock", "HEAD.lock", "cannot lock ref", "Unable to create", "main.lock", "nothing to commit", "nothing added")

    def attempt():
        done = git(*arguments, may_fail=True)
        if done.returncode == 0:
            return True
        true(any(word in done.stdout + done.stderr for word in passing), f"git {arguments}: {done.stdout}{done.stderr}")
        # The other side's commit has taken the file along.
        return "nothing to commit" in done.stdout or "nothing added" in done.stdout
    Watch(path("work", ".git")).until(attempt, LOCK_LIMIT_S, f"git {arguments}")


@test("both sides commit to one repository")
def committed():
    if me == "host":
        os.makedirs(path("work"))
        git("init", "-q", "-b", "main")
        git("commit", "-q", "--allow-empty", "-m", "first")
    meet("repository")
    wait(lambda: os.path.exists(path("work", ".git", "refs", "heads", "main")), "the repository")
    for i in range(n_rounds):
        write(path("work", f"{me}-{i}"), content(me, i))
        git_locked("add", f"{me}-{i}")
        git_locked("commit", "-q", "-m", f"{me} {i}")
    meet("committed")
    git("fsck", "--strict")
    same(git("status", "--porcelain").stdout, "")
    names = git("ls-files").stdout.splitlines()
    same(sorted(names), sorted(f"{side}-{i}" for side in SIDES for i in range(n_rounds)))
    write(path("meet", f"head-{me}"), git("rev-parse", "HEAD").stdout)
    meet("heads")
    same(read(path("meet", f"head-{other}")).decode(), git("rev-parse", "HEAD").stdout)
    meet("end")


def main():
    global folder, me, other, n_rounds, watch
    if len(sys.argv) != 4 or sys.argv[2] not in SIDES:
        sys.exit(__doc__)
    folder, me, n_rounds = os.path.abspath(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    other = SIDES[1 - SIDES.index(me)]
    os.makedirs(path("meet"), exist_ok=True)
    watch = Watch(folder, path("meet"))
    os.umask(0)
    return tap.run(folder)


if __name__ == "__main__":
    sys.exit(main())
