"""What is said about files: modes, owners, times, extended attributes, room."""
import ctypes
import errno
import os
import shutil
import stat
import subprocess
import time

from posix_place import differs
from tap import UTIME_NOW, UTIME_OMIT, Skip, call, fails, in_child, need_root, read, same, test, true, utimensat, write


@test("chmod sets all permission bits, and the sticky bit of folders")
def modes():
    write("file")
    os.mkdir("dir")
    for mode in list(range(0, 0o1000, 0o111)) + [0o640, 0o755, 0o124, 0o421]:
        os.chmod("file", mode)
        same(os.stat("file").st_mode, stat.S_IFREG | mode)
        os.chmod("dir", mode | 0o700)
        same(os.stat("dir").st_mode, stat.S_IFDIR | mode | 0o700)
    os.chmod("dir", 0o1777)
    same(os.stat("dir").st_mode & 0o7777, 0o1777)
    fd = os.open("file", os.O_RDONLY)
    os.fchmod(fd, 0o604)
    same((os.fstat(fd).st_mode & 0o7777, os.stat("file").st_mode & 0o7777), (0o604, 0o604))
    os.close(fd)
    fails(errno.ENOENT, os.chmod, "no", 0o600)


@test("set-user-ID and set-group-ID")
def set_id():
    expected = 0o755 if differs("no-set-id") else 0o6755
    write("file")
    os.chmod("file", 0o6755)
    same(os.stat("file").st_mode & 0o7777, expected, "chmod")
    os.umask(0)
    os.close(os.open("made", os.O_CREAT | os.O_WRONLY, 0o6755))
    same(os.stat("made").st_mode & 0o7777, expected, "open")
    os.mknod("node", stat.S_IFREG | 0o6755)
    same(os.stat("node").st_mode & 0o7777, expected, "mknod")
    os.mkdir("dir")
    os.chmod("dir", 0o2755)
    same(os.stat("dir").st_mode & 0o2000, 0 if differs("no-set-id") else 0o2000, "folder")


@test("a write by somebody else takes set-user-ID away")
def set_id_goes():
    need_root()
    os.chmod(".", 0o755)
    write("file")
    os.chmod("file", 0o4777)
    in_child(lambda: write("file", "changed"), uid=12345)
    same(os.stat("file").st_mode & 0o7777, 0o777)


@test("chown shows what was set, and what others make is theirs")
def owners():
    need_root()
    write("file", "text")
    os.mkdir("dir")
    os.symlink("file", "link")
    for uid, gid in ((999, 999), (0, 0), (1000, 1000), (65534, 5), (70000, 2000000000)):
        os.chown("file", uid, gid)
        os.chown("dir", uid, gid)
        same((os.stat("file").st_uid, os.stat("file").st_gid), (uid, gid))
        same((os.stat("dir").st_uid, os.stat("dir").st_gid), (uid, gid))
    os.chown("file", 7, -1)
    os.chown("file", -1, 8)
    same((os.stat("file").st_uid, os.stat("file").st_gid), (7, 8))
    os.lchown("link", 0, 0)
    os.rename("file", "dir/moved")
    same((os.stat("dir/moved").st_uid, os.stat("dir/moved").st_gid), (7, 8))
    fd = os.open("dir/moved", os.O_RDONLY)
    os.fchown(fd, 11, 12)
    same((os.fstat(fd).st_uid, os.stat("dir/moved").st_gid), (11, 12))
    os.close(fd)
    same(read("dir/moved"), b"text")


@test("chown takes set-user-ID away")
def owner_and_set_id():
    need_root()
    write("file")
    os.chmod("file", 0o755)
    os.chown("file", 999, 999)
    same(os.stat("file").st_mode & 0o7777, 0o755)
    os.chmod("file", 0o4755)
    os.chown("file", 1000, 1000)
    same(os.stat("file").st_mode & 0o7777, 0o755)


@test("what was given to another user is theirs to change")
def given():
    need_root()
    os.chmod(".", 0o755)
    os.mkdir("data")
    os.chown("data", 999, 999)
    os.chmod("data", 0o700)

    def other():
        write("data/file", "by 999", 0o600)
        os.mkdir("data/sub", 0o700)
        write("data/sub/x", "deep", 0o400)
        os.chmod("data/file", 0o640)
        os.utime("data/file", (1, 1))
        os.rename("data/file", "data/sub/file")
        same(read("data/sub/file"), b"by 999")
        os.chmod("data/sub/x", 0)
        fails(errno.EACCES, os.open, "data/sub/x", os.O_RDONLY)
    in_child(other, uid=999)
    same((os.stat("data/sub/file").st_uid, os.stat("data/sub").st_gid), (999, 999))
    in_child(lambda: fails(errno.EACCES, os.listdir, "data"), uid=1000)


@test("times are set and read to the nanosecond")
def times():
    write("file")
    os.mkdir("dir")
    os.symlink("file", "link")
    for name in ("file", "dir"):
        utimensat(name, (1000000001, 123456789), (1500000000, 987654321))
        info = os.stat(name)
        same((info.st_atime_ns, info.st_mtime_ns), (1000000001123456789, 1500000000987654321))
    utimensat("file", (5, UTIME_OMIT), (1600000000, 1))
    same((os.stat("file").st_atime_ns, os.stat("file").st_mtime_ns), (1000000001123456789, 1600000000000000001))
    utimensat("file", (1700000000, 999999999), (5, UTIME_OMIT))
    same((os.stat("file").st_atime_ns, os.stat("file").st_mtime_ns), (1700000000999999999, 1600000000000000001))
    before = time.time()
    utimensat("file", (0, UTIME_NOW), (0, UTIME_NOW))
    true(before - 2 <= os.stat("file").st_mtime <= time.time() + 2, "now")
    os.utime("link", ns=(7, 8000000001), follow_symlinks=False)
    same((os.lstat("link").st_mtime_ns, os.stat("file").st_mtime > 1e9), (8000000001, True))
    fd = os.open("file", os.O_RDONLY)
    os.utime(fd, ns=(3000000003, 4000000004))
    same((os.fstat(fd).st_mtime_ns, os.stat("file").st_mtime_ns), (4000000004, 4000000004))
    os.close(fd)
    utimensat("file", (-5, 1), (1 << 33, 7))
    true(os.stat("file").st_mtime_ns == (1 << 33) * 10**9 + 7 and os.stat("file").st_atime_ns == -4999999999, "far away")
    fails(errno.EINVAL, utimensat, "file", (1, 2000000000), (1, 1))


def _old(name):
    os.utime(name, ns=(10**18, 10**18))
    return os.stat(name)


@test("what changes a file changes its times, and nothing else does")
def changed_times():
    write("file", "text")
    fd = os.open("file", os.O_RDWR)
    before = _old("file")
    os.pread(fd, 4, 0)
    same(os.stat("file").st_mtime_ns, before.st_mtime_ns, "a read")
    os.pwrite(fd, b"x", 0)
    true(os.stat("file").st_mtime_ns > before.st_mtime_ns, "a write")
    _old("file")
    os.ftruncate(fd, 2)
    true(os.stat("file").st_mtime_ns > before.st_mtime_ns, "a truncation")
    before = _old("file")
    os.chmod("file", 0o600)
    same(os.stat("file").st_mtime_ns, before.st_mtime_ns, "a chmod")
    true(os.stat("file").st_ctime_ns >= before.st_ctime_ns, "ctime of a chmod")
    os.rename("file", "moved")
    same(os.stat("moved").st_mtime_ns, before.st_mtime_ns, "a rename")
    os.close(fd)


@test("what changes a folder's names changes its times")
def folder_times():
    os.mkdir("dir")
    os.mkdir("other")
    write("outside")

    def changes(what, function, *names):
        for name in names:
            _old(name)
        function()
        for name in names:
            true(os.stat(name).st_mtime_ns > 10**18, f"{what}: mtime of {name}")
            true(os.stat(name).st_ctime > 10**9 + 1, f"{what}: ctime of {name}")
    changes("create", lambda: write("dir/file"), "dir")
    changes("mkdir", lambda: os.mkdir("dir/sub"), "dir")
    changes("symlink", lambda: os.symlink("x", "dir/link"), "dir")
    changes("link", lambda: os.link("outside", "dir/hard"), "dir")
    changes("rename", lambda: os.rename("dir/file", "dir/renamed"), "dir")
    changes("rename across", lambda: os.rename("dir/renamed", "other/file"), "dir", "other")
    changes("unlink", lambda: os.unlink("dir/link"), "dir")
    changes("rmdir", lambda: os.rmdir("dir/sub"), "dir")
    _old("dir")
    write("dir/hard", "content only")
    same(os.stat("dir").st_mtime_ns, 10**18, "a write inside")


@test("the time of access does not go back, and reading works without it")
def access_time():
    write("file", "text")
    os.utime("file", ns=(10**18, 2 * 10**18))
    read("file")
    true(os.stat("file").st_atime_ns >= 10**18, "atime")
    same(os.stat("file").st_mtime_ns, 2 * 10**18)


@test("user.* attributes are set, read, listed and removed")
def attributes():
    write("file")
    os.mkdir("dir")
    for path in ("file", "dir"):
        same([name for name in os.listxattr(path) if name.startswith("user.")], [])
        os.setxattr(path, "user.one", b"value")
        os.setxattr(path, "user.empty", b"")
        os.setxattr(path, "user.\xff".encode("latin-1"), bytes(range(256)))
        same(os.getxattr(path, "user.one"), b"value")
        same(os.getxattr(path, "user.empty"), b"")
        same(os.getxattr(path, b"user.\xff"), bytes(range(256)))
        same(sorted(os.fsencode(name) for name in os.listxattr(path) if name.startswith("user.")),
             [b"user.empty", b"user.one", b"user.\xff"])
        fails(errno.EEXIST, os.setxattr, path, "user.one", b"x", os.XATTR_CREATE)
        fails(errno.ENODATA, os.setxattr, path, "user.new", b"x", os.XATTR_REPLACE)
        os.setxattr(path, "user.one", b"again", os.XATTR_REPLACE)
        same(os.getxattr(path, "user.one"), b"again")
        os.removexattr(path, "user.one")
        fails(errno.ENODATA, os.getxattr, path, "user.one")
        fails(errno.ENODATA, os.removexattr, path, "user.one")
    fd = os.open("file", os.O_RDONLY)
    os.setxattr(fd, "user.fd", b"1")
    same(os.getxattr("file", "user.fd"), b"1")
    os.close(fd)
    os.rename("file", "moved")
    same(os.getxattr("moved", "user.fd"), b"1")


@test("attributes of the wrong size are refused with the right error")
def attribute_sizes():
    write("file")
    os.setxattr("file", "user.some", b"x" * 1000)
    same(len(os.getxattr("file", "user.some")), 1000)
    space = ctypes.create_string_buffer(2000)
    same(call("getxattr", b"file", b"user.some", None, 0), 1000)
    fails(errno.ERANGE, call, "getxattr", b"file", b"user.some", space, 999)
    same(call("getxattr", b"file", b"user.some", space, 1000), 1000)
    fails(errno.ERANGE, call, "listxattr", b"file", space, 3)
    fails((errno.ERANGE, errno.E2BIG, errno.ENOSPC), os.setxattr, "file", "user.big", b"x" * 65537)
    fails((errno.ERANGE, errno.ENAMETOOLONG), os.setxattr, "file", "user." + "n" * 256, b"x")
    os.setxattr("file", "user." + "n" * 250, b"long name")
    same(os.getxattr("file", "user." + "n" * 250), b"long name")


@test("attributes outside user.*")
def other_attributes():
    write("file")
    refused = (errno.EOPNOTSUPP, errno.EPERM, errno.EINVAL)
    if differs("user-xattrs-only"):
        for name in ("security.capability", "trusted.x", "system.posix_acl_access", "security.x", "user.sbx.owner"):
            fails(refused, os.setxattr, "file", name, b"\x01\x00\x00\x02" + bytes(16))
        same(os.listxattr("file"), [])
        fails((errno.ENODATA, errno.EOPNOTSUPP), os.getxattr, "file", "security.capability")
    fails(refused, os.setxattr, "file", "nonsense", b"x")
    os.symlink("file", "link")
    fails(refused, os.setxattr, "link", "user.x", b"x", follow_symlinks=False)


@test("statfs tells room, and names of 255 bytes")
def room():
    info = os.statvfs(".")
    true(info.f_bsize >= 512 and info.f_blocks > 0 and info.f_bavail <= info.f_blocks, str(info))
    same(info.f_namemax, 255)
    fd = os.open("file", os.O_CREAT | os.O_WRONLY)
    same(os.fstatvfs(fd).f_namemax, 255)
    os.close(fd)


@test("st_blocks, st_blksize and st_dev make sense")
def numbers():
    write("file", b"x" * 100000)
    fd = os.open("file", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    info = os.stat("file")
    true(info.st_blksize >= 512 and info.st_blocks * 512 >= 98304, str(info))
    same((info.st_dev, info.st_size), (os.stat(".").st_dev, 100000))
    os.mkdir("dir")
    same(len({os.stat(name).st_ino for name in (".", "file", "dir")}), 3)
    same(next(entry.inode() for entry in os.scandir(".") if entry.name == "file"), info.st_ino)


@test("birth times, where they are known")
def born():
    if not shutil.which("stat"):
        raise Skip("no stat here")
    write("file")
    out = subprocess.run(["stat", "-c", "%W", "file"], capture_output=True, check=False).stdout
    true(int(out) == 0 or abs(int(out) - time.time()) < 3600, f"born at {out}")
