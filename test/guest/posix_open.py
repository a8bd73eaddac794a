"""Opening and what is open: flags, files without a name, files that lose theirs."""
import errno
import fcntl
import mmap
import os
import shutil
import subprocess

from tap import AT_FDCWD, AT_SYMLINK_FOLLOW, Skip, call, fails, in_child, need_root, read, same, test, true, write


@test("a file is made with the mode that was asked for, less the umask")
def made_with_mode():
    for mask, asked, expected in ((0o022, 0o666, 0o644), (0o077, 0o777, 0o700), (0, 0o666, 0o666), (0o777, 0o777, 0)):
        os.umask(mask)
        fd = os.open(f"f{mask:o}-{asked:o}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, asked)
        same(os.fstat(fd).st_mode & 0o7777, expected, "mode of the open file")
        os.close(fd)
        same(os.stat(f"f{mask:o}-{asked:o}").st_mode & 0o7777, expected, "mode by name")
        os.mkdir(f"d{mask:o}-{asked:o}", asked)
        same(os.stat(f"d{mask:o}-{asked:o}").st_mode & 0o777, expected, "mode of a folder")
        os.chmod(f"d{mask:o}-{asked:o}", 0o700)


@test("O_EXCL refuses what is there, also a link to nowhere")
def exclusive():
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    write("file", "old")
    os.symlink("nowhere", "link")
    os.mkdir("dir")
    for name in ("file", "link", "dir"):
        fails(errno.EEXIST, os.open, name, flags)
    same(read("file"), b"old")
    true(not os.path.lexists("nowhere"), "the link was followed")


@test("O_CREAT follows a link to nowhere and makes the target")
def create_through_link():
    os.symlink("target", "link")
    write("link", "content")
    same(read("target"), b"content")
    true(os.path.islink("link"), "the link was replaced")


@test("O_TRUNC empties and keeps the mode")
def truncating():
    write("file", "much content")
    os.chmod("file", 0o640)
    fd = os.open("file", os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o777)
    same(os.fstat(fd).st_size, 0)
    os.write(fd, b"new")
    os.close(fd)
    same((read("file"), os.stat("file").st_mode & 0o777), (b"new", 0o640))


@test("O_APPEND writes at the end, wherever that is by now")
def appending():
    one = os.open("file", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    two = os.open("file", os.O_WRONLY | os.O_APPEND)
    for i in range(20):
        os.lseek(one, 0, os.SEEK_SET)
        os.write((one, two)[i % 2], b"%02d " % i)
    same(read("file"), b"".join(b"%02d " % i for i in range(20)))
    os.ftruncate(two, 3)
    os.write(one, b"end")
    same(read("file"), b"00 end")
    os.close(one), os.close(two)


@test("two processes that append at once lose nothing")
def appending_at_once():
    children = []
    for who in (b"a", b"b"):
        pid = os.fork()
        if pid == 0:
            fd = os.open("file", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            for i in range(150):
                os.write(fd, who * 9 + b"\n")
            os._exit(0)
        children.append(pid)
    for pid in children:
        same(os.waitpid(pid, 0)[1], 0)
    lines = read("file").splitlines()
    same((len(lines), set(lines)), (300, {b"a" * 9, b"b" * 9}))


@test("O_NOFOLLOW refuses a link")
def not_following():
    write("file")
    os.symlink("file", "link")
    fails(errno.ELOOP, os.open, "link", os.O_RDONLY | os.O_NOFOLLOW)
    fails(errno.ELOOP, os.open, "link", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW)
    os.close(os.open("link", os.O_PATH | os.O_NOFOLLOW))
    fails((errno.ENOTDIR, errno.ELOOP), os.open, "link", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


@test("folders and files are not opened as each other")
def wrong_kinds():
    write("file")
    os.mkdir("dir")
    fails(errno.ENOTDIR, os.open, "file", os.O_RDONLY | os.O_DIRECTORY)
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_TRUNC):
        fails(errno.EISDIR, os.open, "dir", flags)
    fails((errno.EISDIR, errno.ENOTDIR), os.open, "new/", os.O_WRONLY | os.O_CREAT)
    fails(errno.ENOTDIR, os.open, "file/", os.O_RDONLY)
    fails(errno.ENOTDIR, os.open, "file/x", os.O_RDONLY)
    fails(errno.ENOENT, os.open, "no/x", os.O_WRONLY | os.O_CREAT)
    fails(errno.ENOENT, os.open, "no", os.O_RDONLY)
    fd = os.open("dir", os.O_RDONLY)
    fails(errno.EISDIR, os.read, fd, 10)
    fails(errno.EBADF, os.write, fd, b"x")
    os.close(fd)


@test("what is open for one thing only does only that")
def one_way():
    write("file", "text")
    reader, writer = os.open("file", os.O_RDONLY), os.open("file", os.O_WRONLY)
    fails(errno.EBADF, os.write, reader, b"x")
    fails(errno.EBADF, os.read, writer, 1)
    fails((errno.EINVAL, errno.EBADF), os.ftruncate, reader, 0)
    os.pwrite(writer, b"T", 0)
    same(os.pread(reader, 10, 0), b"Text")
    os.close(reader), os.close(writer)


@test("who makes a file that nobody may write still writes it")
def read_only_by_its_maker():
    for mode in (0o444, 0o400, 0):
        fd = os.open(f"object-{mode:o}", os.O_CREAT | os.O_EXCL | os.O_RDWR, mode)
        os.write(fd, b"first ")
        os.write(fd, b"second" * 1000)
        os.fsync(fd)
        same(os.pread(fd, 12, 0), b"first second")
        same(os.fstat(fd).st_mode & 0o7777, mode)
        os.ftruncate(fd, 12)
        os.close(fd)
        same(os.stat(f"object-{mode:o}").st_size, 12)
        if os.geteuid() != 0:
            fails(errno.EACCES, os.open, f"object-{mode:o}", os.O_WRONLY)


@test("taking the rights away while a file is open takes nothing from who has it")
def rights_go_while_open():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"one")
    os.chmod("file", 0)
    os.write(fd, b"two")
    same(os.pread(fd, 10, 0), b"onetwo")
    os.close(fd)
    if os.geteuid() != 0:
        fails(errno.EACCES, os.open, "file", os.O_RDONLY)


@test("root reads and writes what its mode forbids")
def root_may():
    need_root()
    write("file", "secret", 0o600)
    os.chmod("file", 0)
    same(read("file"), b"secret")
    write("file", "changed")
    same((read("file"), os.stat("file").st_mode & 0o777), (b"changed", 0))


@test("somebody else is refused what the mode forbids")
def others_may_not():
    need_root()
    os.chmod(".", 0o755)
    write("file", "secret", 0o600)
    os.mkdir("closed", 0o700)
    write("closed/x")

    def other():
        fails(errno.EACCES, os.open, "file", os.O_RDONLY)
        fails(errno.EACCES, os.open, "closed/x", os.O_RDONLY)
        fails(errno.EACCES, os.open, "new", os.O_CREAT | os.O_WRONLY)
        fails(errno.EACCES, os.unlink, "file")
        fails(errno.EACCES, os.mkdir, "new")
        fails(errno.EPERM, os.chmod, "file", 0o777)
        fails(errno.EPERM, os.chown, "file", 12345, 12345)
        fails((errno.EPERM, errno.EACCES), os.utime, "file", (1, 1))
    in_child(other, uid=12345)


@test("access() tells what open() would do")
def access():
    write("file")
    os.chmod("file", 0o400)
    true(os.access("file", os.R_OK) and not os.access("file", os.X_OK), "0400")
    same(os.access("file", os.W_OK), os.geteuid() == 0)
    os.chmod("file", 0o500)
    true(os.access("file", os.X_OK), "0500")
    same(os.access("none", os.F_OK), False)


@test("a file that was unlinked stays readable and writable for who has it open")
def unlinked():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"content")
    os.unlink("file")
    true(not os.path.exists("file"), "it is still there")
    same(os.pread(fd, 20, 0), b"content")
    os.write(fd, b" more" * 4000)
    same((os.fstat(fd).st_size, os.fstat(fd).st_nlink), (20007, 0))
    os.ftruncate(fd, 4)
    os.fchmod(fd, 0o600)
    os.fsync(fd)
    same((os.pread(fd, 20, 0), os.fstat(fd).st_mode & 0o777), (b"cont", 0o600))
    write("file", "another")
    same((os.pread(fd, 20, 0), read("file")), (b"cont", b"another"))
    os.close(fd)


@test("a file that was unlinked can be mapped and opened again by /proc")
def unlinked_again():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"content")
    os.unlink("file")
    again = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    same(os.read(again, 20), b"content")
    with mmap.mmap(fd, 7, mmap.MAP_SHARED, mmap.PROT_READ) as view:
        same(view[:], b"content")
    os.close(again), os.close(fd)


@test("a file that is open stays the same under another name")
def renamed():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"one")
    os.mkdir("dir")
    os.rename("file", "dir/other")
    os.write(fd, b"two")
    same(read("dir/other"), b"onetwo")
    write("file", "new")
    same(os.pread(fd, 10, 0), b"onetwo")
    os.rename("file", "dir/other")
    same((os.pread(fd, 10, 0), os.fstat(fd).st_nlink, read("dir/other")), (b"onetwo", 0, b"new"))
    os.close(fd)


@test("O_TMPFILE makes a file without a name, and linkat gives it one")
def tmpfile():
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o640)
    os.write(fd, b"content")
    same((os.listdir("."), os.fstat(fd).st_nlink), ([], 0))
    call("linkat", AT_FDCWD, f"/proc/self/fd/{fd}".encode(), AT_FDCWD, b"named", AT_SYMLINK_FOLLOW)
    same((read("named"), os.stat("named").st_mode & 0o777, os.fstat(fd).st_nlink), (b"content", 0o640, 1))
    os.write(fd, b" more")
    same(read("named"), b"content more")
    os.close(fd)
    fd = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_EXCL, 0o600)
    fails(errno.ENOENT, call, "linkat", AT_FDCWD, f"/proc/self/fd/{fd}".encode(), AT_FDCWD, b"no", AT_SYMLINK_FOLLOW)
    os.close(fd)


@test("O_SYNC, O_DSYNC, fsync, fdatasync and syncfs do their work")
def syncing():
    for flag in (os.O_SYNC, os.O_DSYNC):
        fd = os.open("file", os.O_CREAT | os.O_WRONLY | os.O_APPEND | flag)
        os.write(fd, b"x" * 5000)
        os.fsync(fd)
        os.fdatasync(fd)
        call("syncfs", fd)
        os.close(fd)
    same(os.stat("file").st_size, 10000)
    fd = os.open(".", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    fd = os.open("file", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


@test("O_DIRECT works, or is refused when the file is opened")
def direct():
    try:
        fd = os.open("file", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
    except OSError as error:
        same(error.errno, errno.EINVAL)
        return
    with mmap.mmap(-1, 65536) as block:
        block[:] = bytes(range(256)) * 256
        same(os.pwritev(fd, [block], 0), 65536)
        block[:] = bytes(65536)
        same(os.preadv(fd, [block], 0), 65536)
        same(block[:], bytes(range(256)) * 256)
        same(read("file"), bytes(range(256)) * 256, "through the page cache")
        same(os.preadv(fd, [block], 65536), 0)
    os.close(fd)


@test("a folder that is open is used after it was renamed and after it was removed")
def open_folder():
    os.mkdir("dir")
    fd = os.open("dir", os.O_RDONLY | os.O_DIRECTORY)
    os.rename("dir", "moved")
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    same(os.listdir("moved"), ["file"])
    same(os.listdir(fd), ["file"])
    os.unlink("file", dir_fd=fd)
    os.rmdir("moved")
    fails(errno.ENOENT, os.open, "file", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    fails(errno.ENOENT, os.mkdir, "sub", dir_fd=fd)
    same(os.listdir(fd), [])
    os.close(fd)


@test("children and duplicates share the place in a file")
def shared_offset():
    write("file", "0123456789")
    fd = os.open("file", os.O_RDONLY)
    other = os.dup(fd)
    same(os.read(fd, 3), b"012")
    same(os.read(other, 2), b"34")
    in_child(lambda: same(os.read(fd, 2), b"56"))
    same(os.read(fd, 9), b"789")
    os.close(fd), os.close(other)


@test("programs and scripts are executed from it, where the mode says so")
def executing():
    shutil.copy(shutil.which("true"), "program")
    same(subprocess.run(["./program"], check=False).returncode, 0)
    write("script", "#!/bin/sh\necho from-script $0\n", 0o755)
    same(subprocess.run(["./script"], capture_output=True, check=False).stdout, b"from-script ./script\n")
    os.chmod("script", 0o644)
    fails(errno.EACCES, os.execv, "./script", ["./script"])


@test("many files are open at once")
def many_open():
    fds = []
    for i in range(400):
        fd = os.open(f"f{i}", os.O_CREAT | os.O_RDWR)
        os.write(fd, b"%d" % i)
        fds.append(fd)
    for i, fd in enumerate(fds):
        same(os.pread(fd, 9, 0), b"%d" % i)
    for i, fd in enumerate(fds):
        os.unlink(f"f{i}")
        same(os.pread(fd, 9, 0), b"%d" % i)
        os.close(fd)


@test("flags of an open file can be asked for and changed")
def flags():
    fd = os.open("file", os.O_CREAT | os.O_RDWR)
    os.write(fd, b"12345")
    value = fcntl.fcntl(fd, fcntl.F_GETFL)
    true(not value & os.O_APPEND, "it appends already")
    fcntl.fcntl(fd, fcntl.F_SETFL, value | os.O_APPEND)
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, b"6")
    same(read("file"), b"123456")
    fcntl.fcntl(fd, fcntl.F_SETFL, value)
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, b"0")
    same(read("file"), b"023456")
    os.close(fd)


@test("a file of another user's is used by who may")
def other_users_file():
    need_root()
    os.chmod(".", 0o777)

    def make():
        write("theirs", "text", 0o640)
        same((os.stat("theirs").st_uid, os.stat("theirs").st_gid), (4321, 4321))
        os.mkdir("dir", 0o700)
        write("dir/x", "in it")
        os.rename("dir/x", "dir/y")
    in_child(make, uid=4321)
    same((os.stat("theirs").st_uid, os.stat("dir").st_uid, os.stat("dir/y").st_uid), (4321, 4321, 4321))
    in_child(lambda: fails(errno.EACCES, os.open, "theirs", os.O_RDONLY), uid=4322)
    in_child(lambda: same(read("theirs"), b"text"), uid=4321)
    in_child(lambda: write("theirs", "again"), uid=4321)
    same(read("theirs"), b"again")


@test("io_uring or its absence, as libuv asks for it, makes no difference to reading")
def node_reads():
    node = shutil.which("node")
    if not node:
        raise Skip("no node here")
    write("file", "text")
    script = "const fs=require('fs');fs.promises.readFile('file','utf8').then(t=>fs.promises.writeFile('out',t+t))"
    same(subprocess.run([node, "-e", script], check=False).returncode, 0)
    same(read("out"), b"texttext")
