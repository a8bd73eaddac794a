"""The guest's end of a share's port, without the kernel's FUSE in between: whoever uses this says what he likes."""
import errno
import glob
import os
import select
import signal
import struct
import time

ANSWER_LIMIT_S = 30
DATA, HELLO, NONCE_BYTES = 1, 2, 16
ROOT = 1
OPCODES = {name: number for number, name in (
    (1, "LOOKUP"), (2, "FORGET"), (3, "GETATTR"), (4, "SETATTR"), (5, "READLINK"), (6, "SYMLINK"), (8, "MKNOD"), (9, "MKDIR"),
    (10, "UNLINK"), (11, "RMDIR"), (12, "RENAME"), (13, "LINK"), (14, "OPEN"), (15, "READ"), (16, "WRITE"), (17, "STATFS"),
    (18, "RELEASE"), (20, "FSYNC"), (21, "SETXATTR"), (22, "GETXATTR"), (23, "LISTXATTR"), (24, "REMOVEXATTR"), (25, "FLUSH"),
    (26, "INIT"), (27, "OPENDIR"), (28, "READDIR"), (29, "RELEASEDIR"), (30, "FSYNCDIR"), (34, "ACCESS"), (35, "CREATE"),
    (36, "INTERRUPT"), (38, "DESTROY"), (42, "BATCH_FORGET"), (43, "FALLOCATE"), (44, "READDIRPLUS"), (45, "RENAME2"),
    (46, "LSEEK"), (47, "COPY_FILE_RANGE"), (51, "TMPFILE"))}
WITHOUT_ANSWER = (OPCODES["FORGET"], OPCODES["BATCH_FORGET"], OPCODES["INTERRUPT"])


class Closed(Exception):
    """The server has ended this session."""


def free_port(name):
    """Ends the process that carries the port's messages. Gives the device."""
    with open(f"/run/sbx/{name}", encoding="utf-8") as file:
        pid, folder = file.read().split(" ", 1)
    relay = os.pidfd_open(int(pid))
    signal.pidfd_send_signal(relay, signal.SIGKILL)
    if not select.select([relay], [], [], ANSWER_LIMIT_S)[0]:
        raise TimeoutError(f"process {pid} of {folder} does not end")
    for path in glob.glob("/sys/class/virtio-ports/*/name"):
        with open(path, encoding="utf-8") as file:
            if file.read().strip() == name:
                return os.path.join("/dev", os.path.basename(os.path.dirname(path)))
    raise FileNotFoundError(name)


def open_port(where):
    """A port's name, or fd:NUMBER. A port is free a moment after the process that had it is gone."""
    if where.startswith("fd:"):
        fd = int(where[3:])
        os.set_blocking(fd, False)
        return fd
    device, end = free_port(where), time.monotonic() + ANSWER_LIMIT_S
    while True:
        try:
            return os.open(device, os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > end:
                raise
            os.sched_yield()


class Session:
    def __init__(self, fd):
        self.fd = fd
        self.raw, self.stream = bytearray(), bytearray()
        self.unique = 1
        self.n_sessions = 0

    # ---- bytes ----

    def send(self, data, limit_s=ANSWER_LIMIT_S):
        """Gives how much could be written; answers are taken meanwhile."""
        done, end = 0, time.monotonic() + limit_s
        while done < len(data):
            readable, writable, _ = select.select([self.fd], [self.fd], [], max(end - time.monotonic(), 0))
            if not readable and not writable:
                break
            if readable:
                self.receive()
            if writable:
                done += self.write_some(data, done)
        return done

    def write_some(self, data, start):
        """What is less than a page is taken by a port as it is, or not at all."""
        try:
            return os.write(self.fd, data[start:start + 32768])
        except BlockingIOError:
            return 0

    def receive(self):
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return
        if not data:
            raise Closed("the host's end is closed")
        self.raw += data
        while self.take_packet():
            pass

    def take_packet(self):
        """Cuts one packet off; a greeting is answered, and what came before it is void."""
        raw = self.raw
        padding = len(raw) - len(raw.lstrip(b"\0"))
        del raw[:padding]
        if raw[:1] == bytes([DATA]) and len(raw) >= 3:
            length = raw[1] << 8 | raw[2]
            if len(raw) < 3 + length:
                return False
            self.stream += raw[3:3 + length]
            del raw[:3 + length]
            return True
        if raw[:1] == bytes([HELLO]) and len(raw) >= 2 + NONCE_BYTES:
            nonce = bytes(raw[2:2 + NONCE_BYTES])
            del raw[:2 + NONCE_BYTES]
            self.stream.clear()
            self.n_sessions += 1
            self.send(nonce + b"\1")
            return True
        if raw and raw[0] not in (DATA, HELLO):
            del raw[:1]
            return True
        return False

    # ---- messages ----

    def message(self, limit_s=ANSWER_LIMIT_S):
        """The next one of the host: number, error and body. None where none comes."""
        end = time.monotonic() + limit_s
        while True:
            if len(self.stream) >= 16:
                length, error, unique = struct.unpack("IiQ", self.stream[:16])
                if len(self.stream) >= length:
                    body = bytes(self.stream[16:length])
                    del self.stream[:length]
                    return unique, error, body
            if not select.select([self.fd], [], [], max(end - time.monotonic(), 0))[0]:
                return None
            self.receive()

    def request(self, name, nodeid=ROOT, body=b"", length=None, uid=0):
        """The bytes of a request; a name that is not known is an opcode."""
        self.unique += 2
        opcode = OPCODES.get(name, name)
        head = struct.pack("IIQQIIIHH", 40 + len(body) if length is None else length, opcode, self.unique, nodeid, uid, uid, 1, 0, 0)
        return head + body

    def ask(self, name, nodeid=ROOT, body=b"", uid=0):
        """Gives the error, as a positive errno, and the answer's body."""
        message = self.request(name, nodeid, body, uid=uid)
        if self.send(message) < len(message):
            raise TimeoutError(f"{name} is not taken")
        if OPCODES.get(name, name) in WITHOUT_ANSWER:
            return 0, b""
        while True:
            answer = self.message()
            if answer is None:
                raise TimeoutError(f"{name} is not answered")
            if answer[0] == self.unique:
                return -answer[1], answer[2]

    def begin(self, is_new):
        """A new session begins with a greeting; one that another process has left goes on between two messages."""
        end = time.monotonic() + ANSWER_LIMIT_S
        while is_new and self.n_sessions == 0:
            if not select.select([self.fd], [], [], max(end - time.monotonic(), 0))[0]:
                raise TimeoutError("no greeting")
            self.receive()
        error, _ = self.ask("INIT", 0, struct.pack("IIIIII10I", 7, 38, 131072, 0xffffffff, 0xffffffff, 0, *[0] * 10))
        if error:
            raise OSError(error, "INIT")
