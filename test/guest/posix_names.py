"""Names: folders, links, renames, and what may stand in a name."""
import errno
import os
import socket
import stat

from posix_place import differs
from tap import RENAME_EXCHANGE, RENAME_NOREPLACE, fails, in_child, need_root, read, renameat2, same, test, true, write


@test("mkdir and rmdir say what is wrong")
def folders():
    os.mkdir("dir")
    write("file")
    os.symlink("nowhere", "link")
    for name in ("dir", "file", "link", "."):
        fails(errno.EEXIST, os.mkdir, name)
    fails(errno.ENOENT, os.mkdir, "no/dir")
    fails(errno.ENOTDIR, os.mkdir, "file/dir")
    write("dir/x")
    fails(errno.ENOTEMPTY, os.rmdir, "dir")
    os.unlink("dir/x")
    fails(errno.ENOTDIR, os.rmdir, "file")
    fails(errno.ENOTDIR, os.rmdir, "link")
    fails(errno.ENOENT, os.rmdir, "no")
    fails(errno.EINVAL, os.rmdir, "dir/.")
    fails((errno.ENOTEMPTY, errno.EINVAL), os.rmdir, "dir/..")
    os.rmdir("dir/")
    true(not os.path.exists("dir"), "it is still there")


@test("unlink says what is wrong")
def unlinking():
    os.mkdir("dir")
    write("file")
    os.symlink("file", "link")
    fails(errno.EISDIR, os.unlink, "dir")
    fails(errno.ENOENT, os.unlink, "no")
    fails(errno.ENOTDIR, os.unlink, "file/x")
    fails(errno.ENOTDIR, os.unlink, "file/")
    os.unlink("link")
    true(os.path.exists("file") and not os.path.lexists("link"), "the link's target went instead")
    os.unlink("file")
    fails(errno.ENOENT, os.stat, "file")


@test("names of 255 bytes are made, of 256 refused")
def long_names():
    longest, longer = "n" * 255, "n" * 256
    write(longest, "text")
    same(read(longest), b"text")
    same(os.listdir("."), [longest])
    os.rename(longest, "short")
    os.rename("short", longest)
    os.link(longest, "m" * 255)
    os.unlink(longest)
    os.mkdir(longest)
    os.symlink("x", "s" * 255)
    for function in (os.mkdir, os.unlink, os.rmdir, os.stat, os.readlink):
        fails(errno.ENAMETOOLONG, function, longer)
    fails(errno.ENAMETOOLONG, os.open, longer, os.O_CREAT | os.O_WRONLY)
    fails(errno.ENAMETOOLONG, os.rename, "m" * 255, longer)
    fails(errno.ENAMETOOLONG, os.link, "m" * 255, longer)
    fails(errno.ENAMETOOLONG, os.symlink, "x", longer)


@test("names hold any bytes but a slash")
def any_bytes():
    names = [b"n%c" % byte for byte in range(1, 256) if byte != ord("/")]
    names += [b"\xff\xfe\x80", b"a\nb", b" lead", b"trail ", b"-rf", b"*?[", b"..a", b"...", b"\xc3\x28", "é".encode(),
              "e\u0301".encode(), "日本語".encode(), b"%2e%2e", b"con", b"a:b", b"back\\slash", b"\x1b[31m"]
    for name in names:
        write(name, name)
    same(sorted(os.listdir(b".")), sorted(set(names)))
    for name in names:
        same(read(name), name)
        os.rename(name, name + b"-renamed")
        same(os.readlink(_link_to(name)), name)
    for name in os.listdir(b"."):
        os.unlink(name)
    same(os.listdir(b"."), [])


def _link_to(target):
    path = b"link-" + target
    os.symlink(target, path)
    return path


@test("upper and lower case are different")
def case():
    for name in ("name", "Name", "NAME"):
        write(name, name)
    same(sorted(os.listdir(".")), ["NAME", "Name", "name"])
    os.rename("name", "NaMe")
    same(read("NAME"), b"NAME")


@test("paths may be as long as PATH_MAX, and folders deeper than that")
def deep():
    name, depth = "d" * 250, 0
    try:
        while depth < 20:
            os.mkdir(name)
            os.chdir(name)
            depth += 1
    except OSError as error:
        same((error.errno, differs("no-deeper-than-a-path")), (errno.ENAMETOOLONG, True))
    true(depth >= 15, f"{depth} folders")
    write("b", "deep down")
    os.rename("b", "c")
    same(read("c"), b"deep down")
    for _ in range(depth):
        os.chdir("..")
    path = "/".join([name] * 15)
    true(len(path) < 4096 and os.path.isdir(path), "a long path")
    fails(errno.ENAMETOOLONG, os.stat, "/".join([name] * 17))
    os.makedirs("/".join(["x"] * 60))
    write("/".join(["x"] * 60) + "/file", "far")
    same(read("/".join(["x"] * 60) + "/file"), b"far")


@test("a rename replaces a file at once, and moves between folders")
def rename_files():
    write("old", "old")
    write("new", "new")
    number = os.stat("new").st_ino
    os.rename("new", "old")
    same((read("old"), os.stat("old").st_ino, os.listdir(".")), (b"new", number, ["old"]))
    os.makedirs("a/b")
    os.rename("old", "a/b/moved")
    same((read("a/b/moved"), os.stat("a/b/moved").st_ino), (b"new", number))
    os.rename("a/b/moved", "a/b/moved")
    same(read("a/b/moved"), b"new")
    os.link("a/b/moved", "a/linked")
    os.rename("a/b/moved", "a/linked")
    true(os.path.exists("a/b/moved"), "two names of one file: rename does nothing")


@test("a rename of folders goes by the rules")
def rename_folders():
    os.makedirs("dir/sub")
    os.mkdir("empty")
    os.makedirs("full/x")
    write("file")
    fails(errno.EINVAL, os.rename, "dir", "dir/sub/dir")
    fails(errno.EINVAL, os.rename, "dir", "dir/new")
    fails(errno.ENOTEMPTY, os.rename, "dir", "full")
    fails((errno.ENOTEMPTY, errno.EEXIST), os.rename, "dir/sub", "dir")
    fails(errno.ENOTDIR, os.rename, "dir", "file")
    fails(errno.EISDIR, os.rename, "file", "dir")
    fails(errno.ENOENT, os.rename, "no", "x")
    fails(errno.ENOENT, os.rename, "file", "no/x")
    fails(errno.ENOTDIR, os.rename, "file", "file/x")
    fails((errno.EBUSY, errno.EINVAL), os.rename, ".", "x")
    os.rename("dir", "empty")
    same((os.path.isdir("empty/sub"), os.path.exists("dir")), (True, False))
    os.rename("empty/", "again")
    write("again/sub/y", "content")
    os.rename("again/sub", "full/sub")
    same(read("full/sub/y"), b"content")
    same(os.stat("full/sub/..").st_ino, os.stat("full").st_ino, "..")


@test("RENAME_NOREPLACE refuses, RENAME_EXCHANGE exchanges")
def rename_flags():
    write("one", "1")
    write("two", "2")
    os.mkdir("dir")
    write("dir/in", "in")
    fails(errno.EEXIST, renameat2, "one", "two", RENAME_NOREPLACE)
    fails(errno.EEXIST, renameat2, "one", "dir", RENAME_NOREPLACE)
    renameat2("one", "three", RENAME_NOREPLACE)
    renameat2("two", "three", RENAME_EXCHANGE)
    same((read("two"), read("three")), (b"1", b"2"))
    renameat2("two", "dir", RENAME_EXCHANGE)
    same((read("dir"), read("two/in")), (b"1", b"in"))
    fails(errno.ENOENT, renameat2, "two", "none", RENAME_EXCHANGE)
    fails(errno.EINVAL, renameat2, "two", "dir", RENAME_EXCHANGE | RENAME_NOREPLACE)


@test("a file under two names is one file")
def hard_links():
    write("one", "text")
    os.link("one", "two")
    os.mkdir("dir")
    os.link("two", "dir/three")
    one, three = os.stat("one"), os.stat("dir/three")
    same((one.st_ino, one.st_nlink), (three.st_ino, 3))
    write("dir/three", "changed")
    same((read("one"), read("two")), (b"changed", b"changed"))
    os.unlink("one")
    same((read("two"), os.stat("two").st_nlink), (b"changed", 2))
    os.chmod("two", 0o600)
    same(os.stat("dir/three").st_mode & 0o777, 0o600)
    fails(errno.EEXIST, os.link, "two", "dir/three")
    fails(errno.EPERM, os.link, "dir", "dir2")
    fails(errno.ENOENT, os.link, "no", "x")
    os.symlink("two", "soft")
    if differs("links-stay-single"):
        fails(errno.EPERM, os.link, "soft", "soft2", follow_symlinks=False)
    else:
        os.link("soft", "soft2", follow_symlinks=False)
        true(os.path.islink("soft2"), "the link itself gets a second name")


@test("symbolic links hold any text and lead where they say")
def symlinks():
    longest = "t" * 4095
    for target in ("file", "../up", "/absolute/path", "", longest[:255], longest, "a b\nc", "/etc/passwd"):
        if target == "":
            fails(errno.ENOENT, os.symlink, target, "empty")
            continue
        os.symlink(target, "link")
        same(os.readlink("link"), target)
        same(os.lstat("link").st_size, len(target))
        true(stat.S_ISLNK(os.lstat("link").st_mode), "kind")
        os.unlink("link")
    fails(errno.ENAMETOOLONG, os.symlink, "t" * 4096, "link")
    write("file", "text")
    fails(errno.EINVAL, os.readlink, "file")
    fails(errno.EEXIST, os.symlink, "x", "file")
    os.symlink(os.path.abspath("file"), "absolute")
    os.symlink("file", "relative")
    same((read("absolute"), read("relative")), (b"text", b"text"))
    os.symlink("nowhere", "dangling")
    fails(errno.ENOENT, os.stat, "dangling")
    os.mkdir("dir")
    os.symlink("dir", "to-dir")
    write("to-dir/in")
    same(os.listdir("dir"), ["in"])
    os.rename("relative", "dir/relative")
    same(os.readlink("dir/relative"), "file")


@test("links that lead round in circles end with ELOOP")
def loops():
    os.symlink("two", "one")
    os.symlink("one", "two")
    os.symlink("self", "self")
    for name in ("one", "self"):
        fails(errno.ELOOP, os.stat, name)
        fails(errno.ELOOP, os.open, name, os.O_RDONLY)
        fails(errno.ELOOP, os.open, name + "/x", os.O_CREAT | os.O_WRONLY)
    write("file", "text")
    os.symlink("file", "l0")
    for i in range(50):
        os.symlink(f"l{i}", f"l{i + 1}")
    same(read("l39"), b"text")
    fails(errno.ELOOP, os.stat, "l45")


@test("devices, FIFOs and sockets")
def special_files():
    kinds = [("fifo", stat.S_IFIFO)] + ([("char", stat.S_IFCHR), ("block", stat.S_IFBLK)] if os.geteuid() == 0 else [])
    for name, kind in kinds:
        if differs("no-special-files"):
            fails(errno.EPERM, os.mknod, name, kind | 0o600, os.makedev(1, 3))
            true(not os.path.lexists(name), "it was made all the same")
        else:
            os.mknod(name, kind | 0o600, os.makedev(1, 3))
            same(stat.S_IFMT(os.lstat(name).st_mode), kind)
    with socket.socket(socket.AF_UNIX) as server:
        if differs("no-special-files"):
            fails(errno.EPERM, server.bind, "socket")
        else:
            server.bind("socket")
    os.mknod("regular", stat.S_IFREG | 0o640)
    same(os.lstat("regular").st_mode, stat.S_IFREG | 0o640)
    fails(errno.EEXIST, os.mknod, "regular", stat.S_IFREG | 0o640)


@test("the sticky bit keeps others from removing")
def sticky():
    need_root()
    os.chmod(".", 0o1777)
    write("file")
    in_child(lambda: fails(errno.EPERM, os.unlink, "file"), uid=12345)
    in_child(lambda: fails(errno.EPERM, os.rename, "file", "x"), uid=12345)
    in_child(lambda: (write("own"), os.unlink("own")), uid=12345)


@test("st_nlink counts names and subfolders")
def link_counts():
    os.mkdir("dir")
    same(os.stat("dir").st_nlink, 2)
    os.mkdir("dir/a")
    os.mkdir("dir/b")
    write("dir/file")
    same(os.stat("dir").st_nlink, 4)
    os.rename("dir/a", "a")
    same(os.stat("dir").st_nlink, 3)
    os.rmdir("dir/b")
    same(os.stat("dir").st_nlink, 2)
    fd = os.open("dir/file", os.O_RDONLY)
    same(os.fstat(fd).st_nlink, 1)
    os.link("dir/file", "second")
    same((os.fstat(fd).st_nlink, os.stat("second").st_nlink), (2, 2))
    os.unlink("dir/file")
    os.unlink("second")
    same(os.fstat(fd).st_nlink, 0)
    os.close(fd)


@test("a name that was just removed can be used for another kind at once")
def reuse():
    for i in range(8):
        write("x", str(i))
        same(read("x"), str(i).encode())
        os.unlink("x")
        fails(errno.ENOENT, os.stat, "x")
        os.mkdir("x")
        write("x/in")
        fails(errno.EISDIR, os.open, "x", os.O_WRONLY)
        os.unlink("x/in")
        os.rmdir("x")
        os.symlink(str(i), "x")
        same(os.readlink("x"), str(i))
        os.unlink("x")


@test("the current folder survives its own renaming, and its removal is noticed")
def current_folder():
    top = os.getcwd()
    os.makedirs("a/b")
    os.chdir("a/b")
    os.rename(top + "/a", top + "/c")
    same(os.getcwd(), top + "/c/b")
    write("here", "x")
    same(read(top + "/c/b/here"), b"x")
    os.unlink("here")
    os.rmdir(top + "/c/b")
    fails(errno.ENOENT, os.getcwd)
    fails(errno.ENOENT, os.open, "new", os.O_CREAT | os.O_WRONLY)
    os.chdir(top)
