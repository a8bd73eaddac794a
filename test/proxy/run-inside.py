#!/usr/bin/env python3
"""run-inside.py SBX-PROXY SBX-VAULT 1.1|2 [NAME...]: what happens inside TLS that the proxy has opened, on both sides. The clients speak that HTTP. TAP."""
import os
import socket
import ssl
import sys
import threading
import types

import inside
import tap
from hello import TlsServer, client_hello
from inside import Place
from place import Bridge, memory_kib
from secure import Authority, SecureServer, answer, write

inside.program, inside.vault_program, inside.http = sys.argv[1:4]
public = inside.public


def requests_are_judged():
    """Methods and paths count inside TLS; what is denied reaches nobody."""
    with Place(inside.server(), "allow a.test:$PORT method=GET path=/ok/**\n") as place:
        status, text = place.curl(path="/ok/1?key=value")
        assert status == 0 and text.endswith(b"hello"), (status, text)
        _, text = place.curl("-d", "x", path="/ok/1")
        assert b" 403 " in text and b"Blocked by sbx policy: a.test:" in text, text
        _, text = place.curl(path="/other")
        assert b" 403 " in text, text
        notes = place.proxy.notes(3)
        assert [(note["method"], note["path"], note["decision"]) for note in notes] == [
            ("GET", "/ok/1", "allow"), ("POST", "/ok/1", "deny"), ("GET", "/other", "deny")], notes
        assert len(place.server.heads) == 1 and b"GET /ok/1?key=value HTTP/1.1" in place.server.heads[0]


def connections_are_kept():
    """Two requests of one client are two records, on one connection at either side."""
    with Place(inside.server()) as place:
        status, text = place.curl("https://a.test:$/2".replace("$", str(place.server.port)), path="/1")
        assert status == 0 and text.count(b"hello") == 2, (status, text)
        notes = place.proxy.notes(2)
        assert [(note["path"], note["status"], note["protocol"]) for note in notes] == [("/2", 200, "tls"), ("/1", 200, "tls")], notes
        assert place.server.n_connections == 1


def servers_are_verified():
    """Expired, for another name, of an unknown authority, with a TLS that is too old: nothing is sent, and the answer says why."""
    stranger = Authority("stranger")
    cases = {
        "has expired": SecureServer(public.issue("a.test", -1), answer()),
        "is for another name": SecureServer(public.issue("other.test"), answer()),
        "comes from nobody whom this machine trusts": SecureServer(stranger.issue("a.test"), answer()),
        "1.2 at least": SecureServer(public.issue("a.test"), answer(), newest=ssl.TLSVersion.TLSv1_1, oldest=ssl.TLSVersion.TLSv1),
    }
    for why, bad in cases.items():
        with Place(bad) as place:
            _, text = place.curl("-d", "body")
            assert b" 502 " in text and why.encode() in text, (why, text)
            note = place.proxy.notes(1)[0]
            assert why in note["reason"] and note["status"] == 502, note
        assert bad.heads == []
    with Place(inside.server(), store="") as place:
        assert b"comes from nobody" in place.curl()[1]


def distrust_is_told():
    """A client that does not trust the sandbox's authority is one line in the journal."""
    with Place(inside.server()) as place:
        place.trusted = write("public.pem", public.certificate)
        status, text = place.curl()
        assert status == 60, (status, text)
        assert "does not trust" in place.proxy.notes(1)[0]["reason"], place.proxy.journal


def failed_handshakes_are_told():
    """A client whose TLS is too old, and one that ends before there is any, are a line in the journal each."""
    with Place(inside.server()) as place:
        status, text = place.curl("--tls-max", "1.1", "--tlsv1.0", "--ciphers", "ALL:@SECLEVEL=0")
        assert status == 35, (status, text)
        assert ["TLS is malformed" in note["reason"] for note in place.proxy.notes(1)] == [True], place.proxy.journal
        stream = place.proxy.guest.open(place.bridge.authority)
        place.proxy.guest.write(stream, client_hello("a.test"))
        assert place.proxy.guest.wait(lambda: stream.data)
        place.proxy.guest.end(stream)
        assert ["did not come to its end" in note["reason"] for note in place.proxy.notes(2)[1:]] == [True], place.proxy.journal


def other_hosts_are_refused():
    """Host inside is the one that the connection is for; TRACE would show what was added."""
    with Place(inside.server()) as place:
        _, text = place.curl("-H", "Host: b.test")
        assert b" 421 " in text, text
        _, text = place.curl("-X", "TRACE")
        assert b" 405 " in text, text
        assert place.server.heads == []


def heads_continue_and_trailers():
    """HEAD, 100-continue, answers without an end of their own."""
    def handle(connection, head):
        if b"100-continue" in head:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            assert connection.recv(4) == b"body"
        if head.startswith(b"HEAD"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        elif b"/chunks" in head:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\nSet-Cookie: z\r\n\r\n")
        elif b"/until" in head:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
            connection.unwrap()
            return False
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return True

    with Place(inside.server(handle)) as place:
        status, text = place.curl("-I")
        assert status == 0 and b"content-length: 5000" in text.lower(), (status, text)
        status, text = place.curl("-H", "Expect: 100-continue", "-d", "body")
        assert status == 0 and b" 100 " in text and text.endswith(b"ok"), (status, text)
        status, text = place.curl(path="/chunks")
        head, _, rest = text.lower().partition(b"\r\n\r\n")
        assert status == 0 and b"abc" in rest and b"x: y\r\n" in rest, (status, text)
        assert b"trailer: x" in head and b"set-cookie" not in rest, text
        status, text = place.curl(path="/until")
        assert status == 0 and text.endswith(b"until the end"), (status, text)


def broken_off_answers_stay_broken():
    """A server that ends without saying so inside TLS has broken off; the client sees it."""
    def handle(connection, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        connection.close()
        return False

    with Place(inside.server(handle)) as place:
        status, text = place.curl()
        assert status != 0 and b"half" in text, (status, text)


def events_are_not_held_back():
    """Server-sent events: the next one is sent only when the client has told that it has seen the one before."""
    seen = threading.Semaphore(0)

    def handle(connection, head):
        if b"/seen" in head:
            seen.release()
            connection.sendall(b"HTTP/1.1 204 None\r\n\r\n")
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(5):
            event = f"data: {number}\n\n".encode()
            connection.sendall(b"%x\r\n%s\r\n" % (len(event), event))
            assert seen.acquire(timeout=10)
        connection.sendall(b"0\r\n\r\n")

    with Place(inside.server(handle)) as place:
        status, text = place.bridge.run([*place.client(), "events"])
        assert status == 0 and b"5 events" in text, (status, text)


def websocket():
    """An upgrade goes through undisturbed, and from there on bytes do."""
    def handle(connection, head):
        assert b"Upgrade: websocket" in head and b"Sec-WebSocket-Key: abc" in head, head
        connection.sendall(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst")
        while True:
            octets = connection.recv(65536)
            if not octets:
                return False
            connection.sendall(octets[::-1])

    with Place(inside.server(handle)) as place:
        status, text = place.bridge.run([*place.client(), "websocket"])
        assert status == 0 and b"websocket works" in text, (status, text)
        note = place.proxy.notes(1)[0]
        assert (note["status"], note["path"]) == (101, "/socket"), note


def silent_servers():
    """One that accepts and never says a word has a limit: an answer that says so."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with Place(types.SimpleNamespace(port=silent.getsockname()[1])) as place:
            status, text = place.curl()
            assert status == 0 and b" 502 " in text and b"does not come to the end of its TLS handshake" in text, (status, text)
            assert "TLS handshake" in place.proxy.notes(1)[0]["reason"], place.proxy.journal


def renegotiation_is_bounded():
    """A server that wants another handshake again and again, and does not read what it is answered, has a limit."""
    with Place(TlsServer(public.issue("a.test"), 150000)) as place:
        before = memory_kib(place.proxy)
        _, text = place.curl()
        assert b" 502 " in text and b"broke off" in text, text
        assert memory_kib(place.proxy) - before < 5 << 10, memory_kib(place.proxy) - before
        assert place.server.is_ended.wait(10), "the server was left alone"


def broken_off_websockets_bring_all():
    """What a server has said before it breaks off comes; the end is none inside TLS, as it was none there."""
    def handle(connection, head):
        connection.sendall(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst")
        assert connection.recv(5) == b"go on"
        connection.sendall(bytes(4000000))
        return False

    with Place(inside.server(handle)) as place:
        status, text = place.bridge.run([*place.client(), "half"])
        assert status == 0 and b"4000000 bytes, broken off" in text, (status, text)


def revoked_while_open():
    """A policy that denies the host ends what is open inside at once."""
    def handle(connection, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200000)

    with Place(inside.server(handle)) as place:
        place.bridge.then = (150000, lambda: place.proxy.tell("PROXY_POLICY", "deny a.test\n"))
        status, text = place.curl("-o", "/dev/null")
        assert status in (18, 56, 92), (status, text)
        note = place.proxy.notes(1)[0]
        assert (note["decision"], note["reason"]) == ("deny", "the policy has changed"), note


def through_the_explicit_proxy():
    """A client that asks the proxy for a connection gets the same inside."""
    with Place(inside.server(), "allow a.test:$PORT path=/ok\n") as place:
        gateway = Bridge(place.proxy, "gateway.docker.internal:3128")
        for path, wanted in (("/ok", b"hello"), ("/no", b"Blocked by sbx policy")):
            status, text = gateway.run(["curl", "-sS", f"--http{inside.http}", "--cacert", place.trusted, "-x",
                                        f"http://127.0.0.1:{gateway.port}", f"https://a.test:{place.server.port}{path}"])
            assert status == 0 and wanted in text, (status, text)
        assert [(note["via"], note["decision"]) for note in place.proxy.notes(2)] == [("proxy", "allow"), ("proxy", "deny")], place.proxy.journal


def large_bodies():
    """Bodies of many megabytes both ways, without growth."""
    size = 48 << 20

    def handle(connection, head):
        left = size
        while left:
            left -= len(connection.recv(min(left, 65536)))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size >> 16):
            connection.sendall(bytes(65536))

    body = write("body", "x" * 1024)
    os.truncate(body, size)
    with Place(inside.server(handle)) as place:
        before = memory_kib(place.proxy)
        status, text = place.curl("-T", body, "-H", "Expect:", "-o", "/dev/null", "-w", "%{size_download}", limit=60)
        assert status == 0 and text.strip().endswith(str(size).encode()), (status, text[-200:])
        assert memory_kib(place.proxy) - before < 16 << 10, memory_kib(place.proxy) - before


sys.exit(tap.run([value for name, value in list(globals().items())
    if callable(value) and value.__doc__ and value.__module__ == "__main__"], sys.argv[4:]))
