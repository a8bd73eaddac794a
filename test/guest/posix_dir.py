"""Listing folders, also while they change, and being told of changes."""
import ctypes
import os
import select
import shutil
import struct
import subprocess

from tap import call, libc, read, same, test, true, write

MANY = 5000
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.opendir.argtypes = [ctypes.c_char_p]
libc.telldir.restype = ctypes.c_long
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
for one in (libc.readdir, libc.telldir, libc.rewinddir, libc.closedir):
    one.argtypes = [ctypes.c_void_p]


def read_entry(folder):
    """Name and kind of the next entry, None at the end."""
    entry = libc.readdir(folder)
    if not entry:
        return None
    return ctypes.string_at(entry + 19), ctypes.string_at(entry + 18, 1)[0]


def rest_of(folder):
    names = []
    entry = read_entry(folder)
    while entry:
        names.append(entry[0])
        entry = read_entry(folder)
    return [name for name in names if name not in (b".", b"..")]


def fill(count):
    for i in range(count):
        os.close(os.open(f"entry-{i:05}", os.O_CREAT | os.O_WRONLY))


@test("a folder of 5000 entries is listed whole, without duplicates, and emptied while it is being listed")
def many():
    fill(MANY)
    expected = [f"entry-{i:05}" for i in range(MANY)]
    same(sorted(os.listdir(".")), expected)
    os.unlink("entry-02500")
    write("new")
    same(sorted(os.listdir(".")), sorted(set(expected) - {"entry-02500"} | {"new"}), "after a change")
    with os.scandir(".") as entries:
        for entry in entries:
            os.unlink(entry.name)
    same(os.listdir("."), [])


@test("a tree is removed by rm -r")
def removing():
    os.makedirs("tree/a/b")
    for i in range(100):
        os.mkdir(f"tree/a/b/d{i}")
        write(f"tree/a/b/d{i}/file")
    same(subprocess.run(["rm", "-r", "tree"], check=False).returncode, 0)
    same(os.path.exists("tree"), False)


@test("what is neither made nor removed meanwhile is listed exactly once")
def changing():
    fill(400)
    seen = []
    with os.scandir(".") as entries:
        for i, entry in enumerate(entries):
            seen.append(entry.name)
            write(f"made-{i:05}")
            if i % 2:
                os.unlink(f"made-{i - 1:05}")
            if i > 4000:
                break
    stayed = [name for name in seen if name.startswith("entry-")]
    same((len(stayed), len(set(stayed))), (400, 400))
    same(len(seen), len(set(seen)), "duplicates")


@test("telldir and seekdir find places again")
def places():
    fill(700)
    folder = libc.opendir(b".")
    marks = {}
    names = []
    for i in range(702):
        if i % 100 == 7:
            marks[libc.telldir(folder)] = i
        names.append(read_entry(folder)[0])
    same(read_entry(folder), None)
    for mark, at in reversed(marks.items()):
        libc.seekdir(folder, mark)
        same([read_entry(folder)[0] for _ in range(5)], names[at:at + 5], f"from place {at}")
    libc.seekdir(folder, next(iter(marks)))
    same(len(rest_of(folder)), 702 - 7 - sum(name in (b".", b"..") for name in names[7:]))
    libc.rewinddir(folder)
    same(len(rest_of(folder)), 700)
    write("late")
    libc.rewinddir(folder)
    true(b"late" in rest_of(folder), "rewinddir shows what is new")
    libc.closedir(folder)


@test("entries tell their kinds and numbers, and . and .. are there")
def kinds():
    write("file")
    os.mkdir("dir")
    os.symlink("file", "link")
    folder = libc.opendir(b".")
    found = {}
    entry = read_entry(folder)
    while entry:
        found[entry[0]] = entry[1]
        entry = read_entry(folder)
    libc.closedir(folder)
    same(sorted(found), [b".", b"..", b"dir", b"file", b"link"])
    same((found[b"dir"], found[b"file"], found[b"link"], found[b"."]), (4, 8, 10, 4))


@test("a change in a folder that is listed over and over shows every time")
def fresh():
    os.mkdir("dir")
    for i in range(30):
        write(f"dir/{i}")
        same(len(os.listdir("dir")), i + 1)
        same(f"{i}" in os.listdir("dir"), True)
    for i in range(30):
        os.rename(f"dir/{i}", f"dir/renamed-{i}")
        same((f"{i}" in os.listdir("dir"), len(os.listdir("dir"))), (False, 30))
    for i in range(30):
        os.unlink(f"dir/renamed-{i}")
        same(len(os.listdir("dir")), 29 - i)


@test("a tree is copied, packed, unpacked and compared")
def tree():
    for i in range(20):
        os.makedirs(f"tree/d{i}/sub")
        for j in range(6):
            write(f"tree/d{i}/sub/f{j}", os.urandom(j * 37), 0o600 + j % 8)
        os.symlink(f"sub/f{i % 6}", f"tree/d{i}/link")
    shutil.copytree("tree", "copy", symlinks=True)
    same(subprocess.run(["diff", "-r", "--no-dereference", "tree", "copy"], check=False).returncode, 0)
    same(subprocess.run("tar -cf t.tar tree && mkdir out && tar -C out -xpf t.tar", shell=True, check=False).returncode, 0)
    same(subprocess.run(["diff", "-r", "--no-dereference", "tree", "out/tree"], check=False).returncode, 0)
    for i in range(20):
        for j in range(6):
            same(os.stat(f"out/tree/d{i}/sub/f{j}").st_mode, os.stat(f"tree/d{i}/sub/f{j}").st_mode)


EVENTS = {0x2: "modify", 0x4: "attrib", 0x8: "close-write", 0x40: "moved-from", 0x80: "moved-to", 0x100: "create",
          0x200: "delete", 0x400: "delete-self", 0x20: "open"}


def drain(fd):
    """The events that are there, as pairs of kind and name."""
    events = []
    while select.select([fd], [], [], 0)[0]:
        data = os.read(fd, 65536)
        while data:
            _, mask, _, length = struct.unpack("iIII", data[:16])
            name = data[16:16 + length].rstrip(b"\0").decode()
            events += [(kind, name) for bit, kind in EVENTS.items() if mask & bit]
            data = data[16 + length:]
    return events


@test("inotify tells of one's own changes")
def watching():
    fd = call("inotify_init1", 0o4000)
    call("inotify_add_watch", fd, b".", 0x2 | 0x4 | 0x8 | 0xc0 | 0x300)
    write("file", "text")
    os.chmod("file", 0o600)
    os.rename("file", "moved")
    os.mkdir("dir")
    os.unlink("moved")
    os.rmdir("dir")
    events = drain(fd)
    for wanted in (("create", "file"), ("modify", "file"), ("close-write", "file"), ("attrib", "file"), ("moved-from", "file"),
                   ("moved-to", "moved"), ("create", "dir"), ("delete", "moved"), ("delete", "dir")):
        true(wanted in events, f"{wanted} is missing in {events}")
    os.close(fd)


@test("a watched file tells when it is changed by another name, and when it goes")
def watching_file():
    write("file", "text")
    os.link("file", "other")
    fd = call("inotify_init1", 0o4000)
    call("inotify_add_watch", fd, b"file", 0x2 | 0x4 | 0x400)
    write("other", "changed")
    true(("modify", "") in drain(fd), "modify")
    os.unlink("other")
    os.unlink("file")
    true(("delete-self", "") in drain(fd), "delete-self")
    os.close(fd)


@test("git works: init, add, commit, branch, merge, gc, fsck, status")
def git():
    if not shutil.which("git"):
        return
    env = dict(os.environ, HOME=os.getcwd(), GIT_CONFIG_NOSYSTEM="1", GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@b",
               GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@b")

    def run(command, expected=""):
        done = subprocess.run(["git", "-C", "work"] + command.split(), env=env, capture_output=True, text=True, check=False)
        true(done.returncode == 0, f"git {command}: {done.stdout}{done.stderr}")
        if expected:
            true(expected in done.stdout, f"git {command}: {done.stdout}")
    os.mkdir("work")
    run("init -q -b main")
    for i in range(30):
        write(f"work/f{i}", f"content {i}\n" * 50)
    run("add .")
    run("commit -q -m first")
    run("checkout -q -b side")
    write("work/f3", "changed\n")
    run("commit -q -a -m second")
    run("checkout -q main")
    write("work/f4", "changed too\n")
    run("commit -q -a -m third")
    run("merge -q side -m merged")
    same((read("work/f3"), read("work/f4")), (b"changed\n", b"changed too\n"))
    run("gc -q")
    run("fsck --strict")
    run("worktree add -q ../linked side")
    run("worktree remove ../linked")
    run("log --oneline", "merged")
    write("work/f5", "dirty\n")
    run("status --porcelain", "M f5")
    run("stash -q")
    run("stash pop -q")
    run("reset -q --hard")
    run("clean -fdxq")
