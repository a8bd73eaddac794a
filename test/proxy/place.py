"""What the proxy has around it: a supervisor at its channel, name servers and servers on the loopback interface."""
import json
import os
import select
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


def memory_kib(proxy, what="VmRSS"):
    with open(f"/proc/{proxy.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what))


class Vault:
    """The vault, and the authority that it was given or has made."""

    def __init__(self, program, authority=b"", name="sbx box"):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel = ours
        self.channel.settimeout(10)
        self.process = subprocess.Popen(
            [program], preexec_fn=lambda: os.dup2(theirs.fileno(), 3), pass_fds=[3], stdin=subprocess.DEVNULL)
        theirs.close()
        file = memory_file(authority.decode())
        assert self.ask("VAULT_CA", name.encode(), file) == 0
        self.authority = os.pread(file, 65536, 0)
        os.close(file)
        file = memory_file("")
        assert self.ask("VAULT_CERTIFICATE", b"", file) == 0
        self.certificate = os.pread(file, 65536, 0).decode()
        os.close(file)

    def ask(self, kind, body, fd):
        """Gives the errno value of the answer."""
        socket.send_fds(self.channel, [struct.pack("=IIII", KINDS[kind], 5, 0, len(body)) + body], [fd])
        answer, number, code, _ = struct.unpack("=IIII", self.channel.recv(8192)[:16])
        assert (answer, number) == (KINDS["VAULT_DONE"], 5), (answer, number)
        return code

    def feed(self, text):
        """Bindings, as a store sends them (wire/secret.h). Gives what there is then, without values."""
        reading, writing = os.pipe()
        os.write(writing, text.encode() + b"end\n")
        socket.send_fds(self.channel, [struct.pack("=IIII", KINDS["VAULT_FEED"], 6, 0, 0)], [reading])
        os.close(reading)
        message, files, _, _ = socket.recv_fds(self.channel, 8192, 1)
        assert struct.unpack("=I", message[:4])[0] == KINDS["VAULT_SECRETS"], message
        described = os.pread(files[0], 1 << 20, 0).decode()
        os.close(files[0])
        answer, _, code, _ = struct.unpack("=IIII", self.channel.recv(8192)[:16])
        assert (answer, code) == (KINDS["VAULT_DONE"], 0), code
        os.close(writing)
        return described

    def connect(self, proxy):
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        assert self.ask("VAULT_PROXY", b"", near.fileno()) == 0
        proxy.send("PROXY_VAULT", fd=far.fileno())
        near.close()
        far.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.channel.close()
        status = self.process.wait(10)
        assert kind or status == 0, f"the vault ended with {status}"


class Proxy:
    def __init__(self, program, policy="", sandbox_policy="", dns=None, upstream=None, introduce=True, vault=None, store=None,
                 make_guest=Guest):
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
        if store is not None:
            self.tell("PROXY_STORE", store)
        if vault:
            vault.connect(self)
        self.set_policy(policy)
        self.set_policy(sandbox_policy, layer=1)
        near, far = socket.socketpair()
        self.send("PROXY_PORT", b"box", fd=far.fileno())
        far.close()
        self.guest = make_guest(near, introduce)

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
            self.journal += [json.loads(line) for line in body.splitlines()]
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


class Bridge:
    """A listening socket for programs of this machine: what they say goes to the proxy as if the guest had said it."""

    def __init__(self, proxy, authority):
        self.proxy, self.authority = proxy, authority.encode()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        self.n_passed = 0
        self.then = None  # (COUNT, FUNCTION): called once that many bytes have been passed to programs

    def run(self, argv, limit=20, stdin=None):
        """Runs the program to its end. Gives its status and what it has written, both outputs together."""
        process = subprocess.Popen(argv, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        reader = Reader(process.stdout)
        end = time.monotonic() + limit
        while reader.is_alive() and time.monotonic() < end:
            self.turn(process.stdout)
        if reader.is_alive():
            process.kill()
        reader.join()
        for connection, stream in self.pairs:
            connection.close()
            if not stream.ended and not stream.reset:
                self.proxy.guest.cancel(stream)
        self.pairs = []
        return process.wait(), reader.text

    def turn(self, output):
        guest = self.proxy.guest
        ready = select.select([self.listener, guest.port] + [pair[0] for pair in self.pairs if not pair[0].done], [], [], 0.05)[0]
        if self.listener in ready:
            connection = Connection(self.listener.accept()[0])
            self.pairs.append((connection, guest.open(self.authority)))
        if guest.port in ready:
            guest.pump(0)
        for connection, stream in self.pairs:
            if connection in ready:
                self.take(connection, stream)
            if stream.data:
                connection.send(stream.data)
                self.n_passed += len(stream.data)
                stream.data = b""
            if stream.ended or stream.reset:
                connection.close(stream.reset)
        if self.then and self.n_passed >= self.then[0]:
            then, self.then = self.then[1], None
            then()

    def take(self, connection, stream):
        try:
            octets = connection.socket.recv(65536)
        except OSError:
            octets = b""
        if octets:
            self.proxy.guest.write(stream, octets)
        else:
            connection.done = True
            if not stream.ended:
                self.proxy.guest.end(stream)


class Connection:
    def __init__(self, connected):
        self.socket = connected
        self.done = False

    def fileno(self):
        return self.socket.fileno()

    def send(self, octets):
        try:
            self.socket.sendall(octets)
        except OSError:
            self.done = True

    def close(self, reset=False):
        if self.socket.fileno() >= 0:
            if reset:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.close()
        self.done = True


class Reader(threading.Thread):
    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.text = stream, b""
        self.news = threading.Condition()
        self.start()

    def run(self):
        for octets in iter(lambda: self.stream.read1(65536), b""):
            with self.news:
                self.text += octets
                self.news.notify_all()

    def has(self, octets, limit=10.0):
        """Waits until that has been said."""
        with self.news:
            return self.news.wait_for(lambda: octets in self.text, limit)
