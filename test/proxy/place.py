"""What the proxy has around it: a supervisor at its channel, name servers and servers on the loopback interface."""
import json
import os
import socket
import struct
import subprocess
import threading
import time

from guest import Guest

KINDS = {}


def read_kinds():
    """The numbers of enum chan_kind, out of its header."""
    header = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/wire/chan.h")
    with open(header, encoding="utf-8") as lines:
        text = lines.read().partition("enum chan_kind {")[2].partition("};")[0]
    number = 1
    for line in text.splitlines():
        word = line.strip().partition(",")[0].partition(" ")[0]
        if word.startswith("CHAN_"):
            KINDS[word[5:]] = number
            number += 1


read_kinds()


def memory_file(text):
    fd = os.memfd_create("test")
    os.write(fd, text.encode())
    return fd


class Proxy:
    def __init__(self, program, policy="", sandbox_policy="", dns=None, upstream=None, introduce=True):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel = ours
        self.channel.settimeout(10)
        self.journal = []
        self.applied = []
        self.process = subprocess.Popen(
            [program], preexec_fn=lambda: os.dup2(theirs.fileno(), 3), pass_fds=[3], stdin=subprocess.DEVNULL)
        theirs.close()
        if dns:
            self.tell("PROXY_RESOLVER", f"nameserver 127.0.0.1:{dns.port}\n")
        if upstream:
            self.tell("PROXY_UPSTREAM", upstream)
        self.set_policy(policy)
        self.set_policy(sandbox_policy, layer=1)
        near, far = socket.socketpair()
        self.send("PROXY_PORT", b"box", fd=far.fileno())
        far.close()
        self.guest = Guest(near, introduce)

    @classmethod
    def without_session(cls, program, policy, dns):
        """After the handshake the guest has not said a word."""
        return cls(program, policy, dns=dns, introduce=False)

    def send(self, kind, body=b"", fd=None, number=0, code=0):
        message = struct.pack("=IIII", KINDS[kind], number, code, len(body)) + body
        socket.send_fds(self.channel, [message], [fd] if fd is not None else [])

    def tell(self, kind, text, number=0, code=0):
        fd = memory_file(text)
        self.send(kind, fd=fd, number=number, code=code)
        os.close(fd)

    def receive(self):
        message = self.channel.recv(8192)
        if not message:
            raise EOFError("the proxy has ended")
        kind, number, code, length = struct.unpack("=IIII", message[:16])
        body = message[16 : 16 + length].decode()
        if kind == KINDS["PROXY_NOTE"]:
            self.journal.append(json.loads(body))
        elif kind == KINDS["PROXY_APPLIED"]:
            self.applied.append((number, code, body))

    def set_policy(self, text, layer=0):
        """Gives (0, "") or the error's number and sentence, once the proxy has taken it. None: one that cannot be read."""
        if text is None:
            self.send("PROXY_POLICY", number=7, code=layer)
        else:
            self.tell("PROXY_POLICY", text, number=7, code=layer)
        while not self.applied:
            self.receive()
        return self.applied.pop()[1:]

    def notes(self, count, limit=10.0):
        """Waits for that many lines of the journal."""
        end = time.monotonic() + limit
        while len(self.journal) < count and time.monotonic() < end:
            self.channel.settimeout(max(0.01, end - time.monotonic()))
            try:
                self.receive()
            except TimeoutError:
                break
        return self.journal

    def stop(self):
        """Reads what is still told, too."""
        self.channel.shutdown(socket.SHUT_WR)
        try:
            while True:
                self.receive()
        except EOFError:
            self.channel.close()
        status = self.process.wait(10)
        if status != 0:
            raise AssertionError(f"the proxy ended with {status}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
            self.process.wait()
        else:
            self.stop()


class NameServer:
    """Answers over UDP with the addresses in table: name -> list of addresses, or a function that gives one."""

    def __init__(self, table, ttl=0):
        self.table, self.ttl = table, ttl
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            answer = self.answer(query)
            if answer:
                self.socket.sendto(answer, client)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        (kind,) = struct.unpack(">H", query[at + 1 : at + 3])
        name = ".".join(labels).lower()
        self.asked.append((name, kind))
        found = self.table.get(name)
        if callable(found):
            found = found()
        if found == "silence":
            return None
        records = b""
        count = 0
        for address in found or []:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            if kind == (28 if family == socket.AF_INET6 else 1):
                octets = socket.inet_pton(family, address)
                records += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, self.ttl, len(octets)) + octets
                count += 1
        flags = 0x8180 if found is not None else 0x8183
        return query[:2] + struct.pack(">HHHHH", flags, 1, count, 0, 0) + query[12 : at + 5] + records


class Server:
    """Speaks a script to each connection: what to send at once, then one answer for each head that has come.
    With count, a function that is given what has come, for each of as many as that says."""

    def __init__(self, first=b"", answers=(), then="wait", port=0, count=lambda seen: seen.count(b"\r\n\r\n")):
        self.first, self.answers, self.then, self.count = first, list(answers), then, count
        self.seen = []  # for each connection, what came
        self.changed = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            self.seen.append(bytearray())
            threading.Thread(target=self.serve, args=(connection, self.seen[-1]), daemon=True).start()

    def serve(self, connection, seen):
        answered = 0
        try:
            connection.sendall(self.first)
            while True:
                got = connection.recv(65536)
                if not got:
                    break
                seen += got
                self.changed.set()
                self.changed.clear()
                while answered < self.count(seen) and self.answers:
                    answered += 1
                    connection.sendall(self.answers.pop(0))
                    if not self.answers and self.then == "close":
                        connection.shutdown(socket.SHUT_WR)
                    if not self.answers and self.then == "reset":
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        connection.close()
                        return
        except OSError:
            pass
        connection.close()
