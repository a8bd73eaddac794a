#!/usr/bin/env python3
"""run-http2.py SBX-PROXY SBX-VAULT [NAME...]: HTTP/2 at both sides, with the programs of nghttp2 and clients that misbehave. TAP."""
import os
import socket
import ssl
import subprocess
import sys
import threading

import guest as h2
import inside
import secure
import tap
from hello import TlsClient
from inside import Place
from place import Reader, memory_kib
from secure import write

inside.program, inside.vault_program = sys.argv[1:3]
inside.http = "2"
GRPC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "grpc-echo.py")
KEY, HOLDER = "sk-true-0123456789abcdefghij", "sk-proj-placeholder0123456789"


class Nghttpd:
    """A server that speaks HTTP/2 only, and tells what it gets."""

    def __init__(self, *more):
        pem = inside.public.issue("a.test")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            ["nghttpd", "-v", "-a", "127.0.0.1", "-d", secure.folder.name, *more, str(self.port), pem, pem],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        first = self.process.stdout.readline()
        assert b"listen" in first, first
        self.reader = Reader(self.process.stdout)

    @property
    def told(self):
        return self.reader.text

    def stop(self):
        self.process.kill()
        self.process.wait()


class Grpc:
    """A real gRPC server."""

    def __init__(self):
        pem = inside.public.issue("a.test")
        self.process = subprocess.Popen([GRPC, "serve", pem, pem], stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()


class Stopping(Place):
    """A place whose server is a process."""

    def __exit__(self, *rest):
        try:
            super().__exit__(*rest)
        finally:
            self.server.stop()


class Both(Stopping):
    def __init__(self, *more, rules="allow a.test:$PORT\ninspect a.test:$PORT\n"):
        super().__init__(Nghttpd(*more), rules)

    def raw(self, octets, what):
        """A client of bytes, in a program of its own. Gives what came back."""
        return self.bridge.run([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "h2-raw.py"),
                                str(self.bridge.port), "a.test", str(self.server.port), self.trusted, what, write("raw", octets.hex())], 40)


write("hello", "hello from afar\n")


def both_sides():
    """A request and its answer; the journal has it."""
    with Both() as place:
        status, text = place.curl(path="/hello?x=y")
        assert status == 0 and text.startswith(b"HTTP/2 200") and text.endswith(b"hello from afar\n"), (status, text)
        note = place.proxy.notes(1)[0]
        assert (note["method"], note["path"], note["status"]) == ("GET", "/hello", 200), note
        status, text = place.curl("-I", path="/hello")
        assert status == 0 and b"content-length: 16" in text, (status, text)
        status, text = place.curl(path="/none")
        assert status == 0 and b"HTTP/2 404" in text, (status, text)


def one_connection_for_all():
    """The requests of one client share one connection to the server."""
    with Both() as place:
        url = f"https://a.test:{place.server.port}/hello"
        status, text = place.curl(*[url] * 20, "--parallel", path="/hello")
        assert status == 0 and text.count(b"hello from afar") == 21, (status, text)
        assert n_connections(place) == 1, place.server.told


def http1_clients():
    """What a client says in HTTP/1 is said to a server that speaks HTTP/2 only, and its answers are HTTP/1 again."""
    with Both("--echo-upload", "--trailer", "x-sum: 7") as place:
        url = f"https://a.test:{place.server.port}"
        status, text = place.curl("--http1.1", f"{url}/none", f"{url}/hello", path="/hello")
        assert status == 0 and text.count(b"HTTP/1.1 200 OK\r\n") == 2 and text.count(b"hello from afar") == 2, text
        assert b"HTTP/1.1 404 Not Found\r\n" in text, text
        status, text = place.curl("--http1.1", "-I", path="/hello")
        assert status == 0 and b"content-length: 16" in text.lower() and b"chunked" not in text.lower(), (status, text)
        body = write("body", "b" * 300000)
        for how in (["-T", body], ["-T", body, "-H", "Transfer-Encoding: chunked"], ["--data-binary", f"@{body}"]):
            status, text = place.curl("--http1.1", *how, path="/echo")
            head, _, rest = text.partition(b"HTTP/1.1 200 OK")[2].partition(b"\r\n\r\n")
            assert status == 0 and rest.count(b"b") == 300000 and b"x-sum: 7" in rest, (status, how, text[:500], text[-200:])
        status, text = place.curl("--http1.0", path="/hello")
        assert status == 0 and b"hello from afar" in text and b"chunked" not in text.lower(), (status, text)
        assert {(note["path"], note["status"]) for note in place.proxy.notes(8)} == {
            ("/hello", 200), ("/none", 404), ("/echo", 200)}, place.proxy.journal


def n_connections(place):
    assert place.server.reader.has(b"recv (stream_id")
    return len({line.partition(b"]")[0] for line in place.server.told.splitlines() if b"recv (stream_id" in line})


def connections_outlive_clients():
    """Clients that follow one another share one connection to the server, whichever HTTP they speak; not when what it was made by has changed."""
    with Both() as place:
        for number, version in enumerate(("--http2", "--http1.1", "--http2")):
            status, text = place.curl(version, path="/hello")
            assert status == 0 and b"hello from afar" in text, (number, status, text)
        assert n_connections(place) == 1, place.server.told
        place.proxy.tell("PROXY_STORE", "")
        status, text = place.curl(path="/hello")
        assert b"502" in text and b"comes from nobody" in text, (status, text)


class Leaving:
    """A server that answers one request a connection, and at the second does what it is told to: with a frame, or the connection's end."""

    def __init__(self, last):
        self.last, self.n_connections = last, 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(inside.public.issue("a.test"))
        self.context.set_alpn_protocols(["h2"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            self.n_connections += 1
            threading.Thread(target=self.serve, args=(self.context.wrap_socket(connection, server_side=True),), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            stream.read(len(h2.PREFACE))
            connection.sendall(h2.frame(h2.SETTINGS, 0, 0))
            while head := stream.read(9):
                stream.read(int.from_bytes(head[:3], "big"))
                number = int.from_bytes(head[5:9], "big")
                if head[3] not in (h2.HEADERS, h2.DATA) or not head[4] & h2.END_STREAM:
                    continue
                if number > 1:
                    connection.sendall(self.last)
                    return
                connection.sendall(h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, number, b"\x88"))


def servers_that_leave():
    """A kept connection that ends when it is used again: what may be asked twice is, on another, and nothing else."""
    goaway = h2.frame(h2.GOAWAY, 0, 0, (1).to_bytes(4, "big") + bytes(4))
    for last, more, wanted in ((goaway, [], b" 200"), (goaway, ["-X", "DELETE"], b" 200"), (b"", [], b" 200"),
                               (b"", ["-X", "DELETE"], b" 502"), (goaway, ["-d", "body"], b" 502")):
        for version in ("--http2", "--http1.1"):
            with Place(Leaving(last)) as place:
                assert b" 200" in place.curl(version)[1]
                status, text = place.curl(version, *more)
                assert wanted in text.partition(b"\r\n")[0], (last, more, version, status, text)
                assert place.server.n_connections == (2 if b"200" in wanted else 1), place.server.n_connections


def http1_servers_that_leave():
    """A kept connection of HTTP/1 that ends when a new client's stream is to use it: another one is asked."""
    def handle(connection, head):
        if connection in seen:
            return False
        seen.append(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    seen = []
    with Place(inside.server(handle)) as place:
        for _ in range(2):
            status, text = place.curl()
            assert status == 0 and b" 200" in text, (status, text)
        assert b" 502" in place.curl("-X", "POST")[1].partition(b"\r\n")[0], text
        assert len(seen) == place.server.n_connections == 2, place.server.n_connections


def changes_reach_kept_clients():
    """What connections are made by counts for a client that has one, too."""
    with Both() as place:
        client = TlsClient(place.proxy.guest, f"a.test:{place.server.port}", "a.test", "http/1.1")
        for wanted in (b" 200 ", b" 502 "):
            client.write(f"GET /hello HTTP/1.1\r\nHost: a.test:{place.server.port}\r\n\r\n".encode())
            text = client.read()
            assert wanted in text.partition(b"\r\n")[0], text
            while wanted == b" 200 " and b"hello from afar" not in text:
                text += client.read()
            place.proxy.tell("PROXY_STORE", "")
            place.proxy.set_policy(place.rules("allow a.test:$PORT\ninspect a.test:$PORT\n"))


def clients_that_stop_reading():
    """Many large answers that nobody takes hold back none of the others on the same connection, and no more than their windows."""
    os.truncate(write("large", "x"), 64 << 20)
    with Both() as place:
        authority = f"a.test:{place.server.port}"
        before = memory_kib(place.proxy)
        for _ in range(20):
            client = TlsClient(place.proxy.guest, authority, "a.test", "http/1.1")
            client.write(f"GET /large HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
            client.read()
            client.stream.hold = True
        status, text = place.curl(path="/hello")
        assert status == 0 and b"hello from afar" in text, (status, text)
        assert n_connections(place) == 1
        assert memory_kib(place.proxy) - before < 32 << 10, memory_kib(place.proxy) - before


def judged_one_by_one():
    """Streams of one session are judged each for itself."""
    with Both(rules="allow a.test:$PORT path=/hello\n") as place:
        url = f"https://a.test:{place.server.port}"
        status, text = place.curl(f"{url}/other", f"{url}/hello", path="/hello")
        assert text.count(b"hello from afar") == 2 and b"HTTP/2 403" in text and b"Blocked by sbx policy" in text, text
        assert b"/other" not in place.server.told


def trailers():
    """What comes behind an answer gets through, as gRPC needs it, and "te"; what comes behind a request is judged by nobody, and does not."""
    with Both("--echo-upload", "--trailer", "grpc-status: 0") as place:
        body = write("body", "b" * 100000)
        text = place.bridge.run(["nghttp", "-v", "--no-verify", "-H", f":authority: a.test:{place.server.port}", "-H", "te: trailers",
                                 "-d", body, "--trailer", "x-client: yes", f"https://127.0.0.1:{place.bridge.port}/echo"])[1]
        assert b"grpc-status: 0" in text, text[-2000:]
        assert place.server.reader.has(b"te: trailers") and b"x-client: yes" not in place.server.told, place.server.told[-2000:]


def grpc():
    """Calls and streams of real gRPC, both ways at once, with their trailers and failures."""
    server = Grpc()
    with Stopping(server) as place:
        status, text = place.bridge.run([GRPC, "ask", str(place.bridge.port), f"a.test:{server.port}", place.trusted], 40)
        assert status == 0 and b"gRPC works" in text, (status, text.decode())
        assert [note["path"] for note in place.proxy.notes(3)] == ["/test.Echo/One", "/test.Echo/Fail", "/test.Echo/Chat"]


def the_key_is_put_in():
    """On a stream too, and nothing else that could be one."""
    with Both(rules="allow a.test:$PORT\n") as place:
        described = place.vault.feed(f"service openai\nheader Authorization: Bearer %s\nhost a.test:{place.server.port}\n"
                                     f"placeholder {HOLDER}\nvalue {KEY}\n")
        place.proxy.tell("PROXY_SECRETS", described)
        status, _ = place.curl("-H", f"Authorization: Bearer {HOLDER}", "-H", "X-Api-Key: theirs", path="/hello")
        assert status == 0 and place.server.reader.has(f"authorization: Bearer {KEY}".encode()), place.server.told
        assert b"theirs" not in place.server.told and HOLDER.encode() not in place.server.told
        assert place.proxy.notes(1)[0]["credential"] == "openai"


def keys_are_in_no_table():
    """What holds a credential is sent so that neither side's session remembers it, under whatever name."""
    with Both(rules="allow a.test:$PORT\n") as place:
        described = place.vault.feed(f"service anthropic\nheader X-Api-Key: %s\nhost a.test:{place.server.port}\n"
                                     f"placeholder {HOLDER}\nvalue {KEY}\n")
        place.proxy.tell("PROXY_SECRETS", described)
        status, _ = place.curl("-H", f"X-Api-Key: {HOLDER}", path="/hello")
        assert status == 0 and place.server.reader.has(f"sensitive) x-api-key: {KEY}".encode()), place.server.told


def large_bodies():
    """Both ways, without growth."""
    size = 32 << 20
    body = write("large", "x")
    os.truncate(body, size)
    with Both("--echo-upload") as place:
        before = memory_kib(place.proxy)
        status, text = place.curl("-T", body, "-o", "/dev/null", "-w", "%{size_download}", path="/echo", limit=60)
        assert status == 0 and text.strip().endswith(str(size).encode()), (status, text[-200:])
        assert memory_kib(place.proxy) - before < 16 << 10, memory_kib(place.proxy) - before


def server_goes_away():
    """A server that is gone in the middle: an answer that says so, and another connection for the next request."""
    with Both() as place:
        assert place.curl(path="/hello")[0] == 0
        place.server.stop()
        status, text = place.curl(path="/hello")
        assert b"HTTP/2 502" in text, (status, text)


def fields(*pairs):
    """Without compression, each with a name of its own."""
    return b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in pairs)


def misleading_heads():
    """What two programs could read in two ways is refused, and never reaches the server."""
    with Both() as place:
        authority = f"a.test:{place.server.port}".encode()
        usual = ((b":method", b"GET"), (b":scheme", b"https"), (b":authority", authority), (b":path", b"/hello"))
        bad = {
            "another host": usual + ((b"host", b"b.test"),),
            "another authority": usual[:2] + ((b":authority", b"b.test"), usual[3]),
            "plain http": (usual[0], (b":scheme", b"http")) + usual[2:],
            "a blank in the path": usual[:3] + ((b":path", b"/a HTTP/1.1"),),
            "a line's end in a value": usual + ((b"x", b"a\r\nb: c"),),
            "transfer-encoding": usual + ((b"transfer-encoding", b"chunked"),),
            "connection": usual + ((b"connection", b"close"),),
            "two paths": usual + ((b":path", b"/x"),),
            "no path": usual[:3],
            "a connect": ((b":method", b"CONNECT"), (b":authority", authority)),
            "two lengths": usual + ((b"content-length", b"1"), (b"content-length", b"2")),
        }
        for what, pairs in bad.items():
            frames = h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, 1, fields(*pairs))
            _, text = place.raw(frames, "one")
            assert b"status 200" not in text and b"ended" in text, (what, text)
        _, text = place.raw(h2.frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, 1, fields(*usual)), "one")
        assert b"status 200" in text, text
        assert place.server.reader.has(b"recv HEADERS") and place.server.told.count(b"recv HEADERS") == 1, place.server.told.decode()


def floods():
    """Rapid resets, continuations without end, heads that grow when they are read: the session ends, the proxy does not."""
    with Both() as place:
        authority = f"a.test:{place.server.port}".encode()
        usual = fields((b":method", b"GET"), (b":scheme", b"https"), (b":authority", authority), (b":path", b"/hello"))
        before = memory_kib(place.proxy)
        resets = b"".join(h2.frame(h2.HEADERS, 5, number, usual) + h2.frame(h2.RST_STREAM, 0, number, b"\0\0\0\x08")
                          for number in range(1, 8000, 2))
        continuations = h2.frame(h2.HEADERS, 1, 1, usual) + h2.frame(9, 0, 1, fields((b"x", b"y" * 100))) * 20000
        # One large field in the table, and then a thousand times its number.
        bomb = h2.frame(h2.HEADERS, 5, 1, usual + b"\x40\x01x\x7f\x81\x1e" + b"z" * 4000 + b"\xbe" * 12000)
        for what, octets in (("resets", resets), ("continuations", continuations), ("bomb", bomb)):
            _, text = place.raw(octets, "flood")
            assert b"ended" in text, (what, text)
        assert memory_kib(place.proxy) - before < 16 << 10, memory_kib(place.proxy) - before
        status, text = place.curl(path="/hello")
        assert status == 0 and b"hello from afar" in text, (status, text)


def streams_of_all_sessions():
    """A thousand requests at once, however many sessions they come in; the others may be asked again."""
    with Place(inside.server(lambda *_: threading.Event().wait())) as place:
        authority = f"a.test:{place.server.port}"
        usual = fields((b":method", b"GET"), (b":scheme", b"https"), (b":authority", authority.encode()), (b":path", b"/"))
        requests = h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0) + b"".join(h2.frame(h2.HEADERS, 5, number, usual) for number in range(1, 201, 2))
        clients = [TlsClient(place.proxy.guest, authority, "a.test", "h2") for _ in range(11)]
        for client in clients:
            client.write(requests)
        refused = h2.frame(h2.RST_STREAM, 0, 199, b"\0\0\0\x07")
        text = b""
        while refused not in text:
            text += clients[-1].read()


sys.exit(tap.run([value for name, value in list(globals().items())
    if callable(value) and value.__doc__ and value.__module__ == "__main__" and name not in ("Nghttpd", "Grpc", "Stopping", "Both", "Leaving", "fields", "n_connections")], sys.argv[3:]))
