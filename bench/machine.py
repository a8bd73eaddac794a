"""A machine of the benchmarks: the template's system, what is to be compared, and a port for commands."""
import array
import fcntl
import json
import os
import pathlib
import re
import resource
import select
import socket
import struct
import subprocess
import time

MEMORY_MIB = 4096
DISK_BYTES = 24 << 30
HIGH_FD = 64  # above those that are given fixed numbers
BOOT_LIMIT_S, GRACE_S, STEP_S = 180, 60, 0.05
TAIL_BYTES = 2000  # of a log, where something went wrong
FILES_MAX = 1 << 19  # what a session has in the usual distributions; containers and CI often have less
VIRTIOFSD = ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"]
LOCAL, OURS, THEIRS = "/bench/local", "/mnt/share", "/mnt/virtiofs"
TRACE, MARK = "/sys/kernel/tracing/events/fuse/fuse_request_send", "that-is-all"
FUSE_HEADER, OPCODE = pathlib.Path("/usr/include/linux/fuse.h"), re.compile(r"^\s+FUSE_(\w+)\s+= (\d+),", re.MULTILINE)
SOURCE = pathlib.Path(__file__).resolve().parent.parent


class Lost(Exception):
    """The machine does not answer any more."""


def find_virtiofsd():
    """The program, and a sentence where it cannot be used."""
    found = next((path for path in VIRTIOFSD if os.access(path, os.X_OK)), None)
    if not found:
        return None, "there is no virtiofsd"
    return (found, None) if os.geteuid() == 0 else (None, "virtiofsd needs root")


def raise_files_limit():
    """virtiofsd keeps a descriptor for each file that the guest remembers. Returns what there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, max(FILES_MAX, hard)))
    except (PermissionError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def channel_kind(name):
    """A number of the channel between a supervisor and its roles."""
    text = re.sub(r"/\*.*?\*/", "", (SOURCE / "src/wire/chan.h").read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"\bCHAN_\w+", text[text.index("enum chan_kind") :]).index(name) + 1


def cpio_entry(name, mode, data=b"", device=(0, 0)):
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def make_initramfs(path, init, modules):
    entries = [cpio_entry(name, 0o40755) for name in ("dev", "proc", "sys")]
    entries.append(cpio_entry("dev/console", 0o20600, device=(5, 1)))
    entries.append(cpio_entry("init", 0o100755, init.read_bytes()))
    entries.append(cpio_entry("TRAILER!!!", 0))
    path.write_bytes(b"".join(entries) + modules.read_bytes())


def accelerator(build):
    """As sandboxes have it (engine/qemu-args.c): KVM where it is worth it. QEMU's arguments, the kernel's, the ports'."""
    told = subprocess.run([build / "sbx", "diagnose", "--json"], check=False, stdout=subprocess.PIPE, text=True).stdout
    if any(row["check"] == "virtualisation" and row["status"] == "ok" for row in json.loads(told)):
        return ["-accel", "kvm", "-cpu", "host,svm=off,vmx=off"], "", ""
    cpu = ["-accel", "tcg,thread=single,tb-size=64", "-cpu", "max,svm=off,la57=off,erms=off,smap=off,pku=off"]
    kernel = " mitigations=off clearcpuid=cx16 init_on_alloc=0 hardened_usercopy=off randomize_kstack_offset=off lsm=landlock,yama"
    return cpu, kernel, ",ioeventfd=off"


class Machine:
    def __init__(self, build, template, work):
        self.build, self.template, self.work = build, template, work
        self.processes = []
        self.pids = {}
        self.port = self.channel = None

    # ---- starting ----

    def start(self, name, arguments, fds=(), **options):
        log = open(self.work / f"{name}.log", "wb")  # pylint: disable=consider-using-with
        process = subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL, pass_fds=fds, **options)
        log.close()
        self.processes.append(process)
        self.pids[name] = process.pid
        return process

    def serve_ours(self, folder, port):
        """sbx-share finds its channel and the folder at fixed descriptors, and is sent the port."""
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, HIGH_FD) for fd in (theirs.fileno(), root)]
        place = "exec 3<&{0} 4<&{1} {0}<&- {1}<&-; exec \"$0\" rw".format(*high)
        self.start("share", ["bash", "-c", place, self.build / "sbx-share"], high)
        for fd in (*high, root):
            os.close(fd)
        theirs.close()
        message = struct.pack("=4I", channel_kind("CHAN_SHARE_PORT"), 0, 0, 0)
        passed = array.array("i", [port.fileno()])
        self.channel.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])
        port.close()

    def serve_theirs(self, program, folder):
        path = self.work / "virtiofs.sock"
        options = f"source={folder},cache=auto,sandbox=namespace,xattr"
        process = self.start("virtiofsd", [program, f"--socket-path={path}", "-o", options])
        end = time.monotonic() + GRACE_S
        while not path.exists():
            if process.poll() is not None or time.monotonic() > end:
                raise Lost(self.tail("virtiofsd.log"))
            time.sleep(STEP_S)
        return path

    def boot(self, disk, number, port_name, port, devices=()):
        """With that port of the host's beside the one for commands, and more of QEMU's arguments."""
        make_initramfs(self.work / "initramfs", self.build / "bench/bench-init", self.template / "modules.cpio")
        self.port, theirs = socket.socketpair()
        accel, append, ports = accelerator(self.build)
        arguments = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", *accel]
        arguments += ["-name", "bench,debug-threads=on", "-smp", "1", "-m", str(MEMORY_MIB)]
        arguments += ["-machine", "q35,memory-backend=ram,usb=off,smbus=off,sata=off,vmport=off,i8042=off"]
        arguments += ["-object", f"memory-backend-memfd,id=ram,size={MEMORY_MIB}M,share=on"]
        arguments += ["-kernel", self.template / "kernel", "-initrd", self.work / "initramfs"]
        arguments += ["-append", "console=ttyS0 quiet panic=-1" + append]
        arguments += ["-chardev", f"file,id=console,path={self.work}/console", "-device", "isa-serial,chardev=console"]
        for name, path, how in (
            ("base", self.template / "base.img", "read-only=on"),
            ("disk", disk, "discard=unmap,detect-zeroes=unmap"),
        ):
            arguments += ["-blockdev", f"driver=file,node-name={name}-file,filename={path},locking=off,"
                          f"read-only={'on' if name == 'base' else 'off'},discard=unmap,aio=threads"]
            arguments += ["-blockdev", f"driver=raw,node-name={name},file={name}-file,{how}"]
            arguments += ["-device", f"virtio-blk-pci,drive={name},serial={name}"]
        arguments += ["-object", "rng-builtin,id=entropy", "-device", "virtio-rng-pci,rng=entropy"]
        arguments += ["-device", "virtio-serial-pci,id=ports,max_ports=31" + ports]
        for at, called, fd in ((1, "bench.commands", theirs), (number, port_name, port)):
            arguments += ["-chardev", f"socket,id=port{at},fd={fd.fileno()}"]
            arguments += ["-device", f"virtserialport,bus=ports.0,nr={at},name={called},chardev=port{at}"]
        self.start("qemu", [*arguments, *devices], (theirs.fileno(), port.fileno()))
        theirs.close()
        port.close()
        if self.read_line(BOOT_LIMIT_S) != "ready":
            raise Lost("the machine did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.kill()
            process.wait()

    # ---- asking ----

    def read_line(self, limit_s):
        end = time.monotonic() + limit_s
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self.port], [], [], max(0, end - time.monotonic()))[0]:
                raise Lost(f"no answer in {limit_s} s")
            more = self.port.recv(4096)
            if not more:
                raise Lost(f"the machine is gone: {self.tail('qemu.log')}{self.tail('console')}")
            line += more
        return line.decode().strip()

    def run(self, command, limit_s=120, as_root=False):
        """Milliseconds by the machine's clock, and the exit status: -1 when it was ended for its limit."""
        return self.ask("r" if as_root else "a", command, limit_s)

    def make_network(self):
        if self.ask("n", "network", BOOT_LIMIT_S)[1] != 0:
            raise Lost(f"there is no network: {self.tail('console')}")

    def ask(self, what, command, limit_s):
        self.port.sendall(f"{what}{limit_s} {command}\n".encode())
        taken_us, status = self.read_line(limit_s + GRACE_S).split()
        return int(taken_us) / 1000, int(status)

    def must(self, command, limit_s=120, as_root=False):
        status = self.run(command, limit_s, as_root)[1]
        if status != 0:
            raise Lost(f"'{command}' ended with {status}: {self.tail('console')}")

    def tail(self, name):
        return (self.work / name).read_text(encoding="utf-8", errors="replace")[-TAIL_BYTES:]

    def console(self):
        return (self.work / "console").read_text(encoding="utf-8", errors="replace")

    def mount(self, has_theirs):
        body = f"port sbx.share.0\\ntarget {OURS}\\nmode rw\\nkind dir"
        self.must(f"/sbx-guest mount \"$(printf '{body}')\"", as_root=True)
        self.must(f"stat {OURS}/repo >/dev/null", as_root=True)
        if has_theirs:
            self.must(f"mkdir -p {THEIRS} && mount -t virtiofs virtiofs {THEIRS}", as_root=True)

    # ---- counting ----

    def count_messages(self, is_on):
        """Has the guest's kernel count what it asks of both servers, by opcode."""
        self.must(f"echo '{'' if is_on else '!'}hist:keys=opcode' >{TRACE}/trigger", as_root=True)

    def counted(self):
        """{opcode's name: how often}, since counting began."""
        begin = len(self.console())
        self.must(f"cat {TRACE}/hist >/dev/console; echo {MARK} >/dev/console", as_root=True)
        end = time.monotonic() + GRACE_S
        while MARK not in (told := self.console()[begin:]):
            if time.monotonic() > end:
                raise Lost("the console stands still")
            time.sleep(STEP_S)
        header = FUSE_HEADER.read_text(encoding="utf-8")
        header = header[header.index("enum fuse_opcode") : header.index("enum fuse_notify_code")]
        names = {int(number): name for name, number in OPCODE.findall(header)}
        counts = re.findall(r"opcode: +(\d+) *\} hitcount: +(\d+)", told)
        return {names.get(int(opcode), opcode): int(count) for opcode, count in counts}
