#!/usr/bin/env python3
"""run-live.py SBX-PROXY [NAME...]: what takes time, many connections, or more than one step. TAP."""
import os
import resource
import socket
import struct
import sys
import threading
import time

import guest as h2
import tap
from place import NameServer, Proxy, Server, memory_kib

program = sys.argv[1]
NAMES = {"a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"]}
LOCAL = "allow 127.0.0.0/8\nallow 127.0.0.0/8:1-65535\nallow 127.0.0.0/8:1-65535 tcp\n"
NO_CONTENT = b"HTTP/1.1 204 None\r\n\r\n"


def get(port, path="/", name="a.test"):
    return f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\n\r\n".encode()


def policy_change_between_requests():
    """A kept connection: the next request is judged by the policy of its moment."""
    server = Server(answers=[NO_CONTENT] * 3)
    with Proxy(program, f"allow a.test:{server.port}\n" + LOCAL, dns=NameServer(NAMES)) as proxy:
        stream = proxy.guest.open(f"a.test:{server.port}".encode())
        proxy.guest.write(stream, get(server.port))
        assert proxy.guest.wait(lambda: stream.data == NO_CONTENT), stream.data
        assert proxy.set_policy(LOCAL) == (0, "")
        proxy.guest.write(stream, get(server.port, "/2"))
        assert proxy.guest.finish(stream) and b"403 Forbidden" in stream.data, stream.data
        assert [note["decision"] for note in proxy.notes(2)] == ["allow", "deny"]
    assert b"/2" not in b"".join(map(bytes, server.seen))


def policy_change_closes_open_connections():
    """Revoked: an open connection ends at once, and the journal says so; others go on."""
    server = Server(first=b"hello")
    rules = f"allow a.test:{server.port} tcp\n"
    with Proxy(program, rules + f"allow b.test:{server.port} tcp\n" + LOCAL, dns=NameServer(NAMES)) as proxy:
        gone, kept = (proxy.guest.open(f"{name}.test:{server.port}".encode()) for name in "ab")
        assert proxy.guest.wait(lambda: gone.data and kept.data)
        begin = time.monotonic()
        assert proxy.set_policy(f"deny a.test\nallow b.test:{server.port} tcp\n" + LOCAL) == (0, "")
        assert proxy.guest.finish(gone, 1) and gone.reset
        took = time.monotonic() - begin
        assert took < 0.1, f"it took {took:.3f} s"
        note = proxy.notes(1)[0]
        assert (note["host"], note["decision"], note["reason"]) == ("a.test", "deny", "the policy has changed")
        assert not kept.reset and not kept.ended


def policy_change_counts_for_addresses():
    """The address of an open connection is judged again too."""
    server = Server(first=b"hello")
    rules = f"allow a.test:{server.port} tcp\n"
    with Proxy(program, rules + LOCAL, dns=NameServer(NAMES)) as proxy:
        stream = proxy.guest.open(f"a.test:{server.port}".encode())
        assert proxy.guest.wait(lambda: stream.data)
        proxy.set_policy(rules)
        assert proxy.guest.finish(stream, 1) and stream.reset


def bad_policy_changes_nothing():
    """A bad line is named, and what held before still does, open connections included."""
    server = Server(first=b"hello")
    rules = f"allow a.test:{server.port} tcp\n" + LOCAL
    with Proxy(program, rules, dns=NameServer(NAMES)) as proxy:
        stream = proxy.guest.open(f"a.test:{server.port}".encode())
        assert proxy.guest.wait(lambda: stream.data)
        code, why = proxy.set_policy("allow b.test\nalow c.test\n")
        assert code != 0 and why.startswith("the rules for all sandboxes, line 2: "), (code, why)
        stream = proxy.guest.open(f"a.test:{server.port}".encode())
        assert proxy.guest.wait(lambda: stream.data)


def no_policy_denies_everything():
    """Before there is a policy, nothing is allowed."""
    with Proxy(program, "", dns=NameServer(NAMES)) as proxy:
        stream = proxy.guest.open(b"a.test:80")
        proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert proxy.guest.finish(stream) and b"403" in stream.data


def bad_policy_at_the_start():
    """Rules that were never read might deny anything: whatever the others allow is denied until they come."""
    server = Server(answers=[NO_CONTENT])
    rules = f"allow a.test:{server.port}\n" + LOCAL
    for layers in ((rules, "deny\n"), ("deny\n", rules)):
        with Proxy(program, *layers, dns=NameServer(NAMES)) as proxy:
            stream = proxy.guest.open(f"a.test:{server.port}".encode())
            proxy.guest.write(stream, get(server.port))
            assert proxy.guest.finish(stream) and b"the rules cannot be read" in stream.data, stream.data
            proxy.set_policy("", layer=layers.index("deny\n"))
            stream = proxy.guest.open(f"a.test:{server.port}".encode())
            proxy.guest.write(stream, get(server.port))
            assert proxy.guest.wait(lambda: stream.data == NO_CONTENT), stream.data
            server.answers = [NO_CONTENT]


def policy_is_lost():
    """Rules that cannot be read any more: everything is denied, what is open ends, until they can be read again."""
    server = Server(first=b"hello")
    rules = f"allow a.test:{server.port} tcp\n" + LOCAL
    for lost in (0, 1):
        with Proxy(program, rules, dns=NameServer(NAMES)) as proxy:
            stream = proxy.guest.open(f"a.test:{server.port}".encode())
            assert proxy.guest.wait(lambda: stream.data)
            assert proxy.set_policy(None, layer=lost) == (0, "")
            assert proxy.guest.finish(stream, 1) and stream.reset
            assert proxy.set_policy("deny b.test\n", layer=1 - lost) == (0, "")
            proxy.set_policy((rules, "")[1 - lost], layer=1 - lost)
            stream = proxy.guest.open(f"a.test:{server.port}".encode())
            proxy.guest.write(stream, get(server.port))
            assert proxy.guest.finish(stream) and b"the rules cannot be read" in stream.data, stream.data
            assert proxy.set_policy((rules, "")[lost], layer=lost) == (0, "")
            stream = proxy.guest.open(f"a.test:{server.port}".encode())
            assert proxy.guest.wait(lambda: stream.data == b"hello"), stream.data


def layers_deny_beats_allow():
    """What one layer denies, the other cannot allow."""
    with Proxy(program, "deny a.test\n", "allow a.test\n", dns=NameServer(NAMES)) as proxy:
        stream = proxy.guest.open(b"a.test:80")
        proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert proxy.guest.finish(stream) and b"deny a.test" in stream.data


def denied_names_are_not_asked_for():
    """Case 41: no query leaves for a name that no rule allows."""
    dns = NameServer(NAMES)
    with Proxy(program, "allow a.test\n", dns=dns) as proxy:
        for name in (b"c2VjcmV0.evil.test", b"a.test.evil.test", b"x.a.test"):
            stream = proxy.guest.open(name + b":80")
            proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: " + name + b"\r\n\r\n")
            assert proxy.guest.finish(stream)
    assert dns.asked == [], dns.asked


def rebinding():
    """Case 40: each connection goes to the addresses of its own answer, all of them judged."""
    answers = [["127.0.0.1"], ["169.254.169.254"], ["10.0.0.1", "127.0.0.1"]]
    dns = NameServer({"a.test": lambda: answers[0]})
    server = Server(answers=[NO_CONTENT] * 9)
    with Proxy(program, f"allow a.test:{server.port}\n" + LOCAL, dns=dns) as proxy:
        for wanted in (b"204", b"403", b"204"):
            stream = proxy.guest.open(f"a.test:{server.port}".encode())
            proxy.guest.write(stream, get(server.port))
            proxy.guest.end(stream)
            assert proxy.guest.finish(stream) and wanted in stream.data, (wanted, stream.data)
            answers.pop(0)


def answers_are_kept():
    """A name is not asked for again while its answer holds; its addresses are judged each time, and new settings begin anew."""
    server = Server(answers=[NO_CONTENT] * 9)
    rules = f"allow a.test:{server.port}\n"
    for ttl, asked in ((0, 2), (30, 1), (1 << 31, 2)):  # the last is no sound number: RFC 2181, 8
        dns = NameServer(NAMES, ttl)
        with Proxy(program, rules + LOCAL, dns=dns) as proxy:
            for wanted in b"204", b"204", b"403":
                if wanted == b"403":
                    proxy.set_policy(rules)
                stream = proxy.guest.open(f"a.test:{server.port}".encode())
                proxy.guest.write(stream, get(server.port))
                proxy.guest.end(stream)
                assert proxy.guest.finish(stream) and wanted in stream.data, (ttl, stream.data)
            before = [kind for _, kind in dns.asked].count(1)
            assert before == asked + (asked > 1), (ttl, dns.asked)
            proxy.tell("PROXY_RESOLVER", f"nameserver 127.0.0.1:{dns.port}\n")
            proxy.set_policy(rules)  # which is answered
            stream = proxy.guest.open(f"a.test:{server.port}".encode())
            proxy.guest.write(stream, get(server.port))
            assert proxy.guest.finish(stream)
            assert [kind for _, kind in dns.asked].count(1) == before + 1, (ttl, dns.asked)


def resolver_is_silent():
    """A resolver that hangs: the connection fails in time, and says why; others go on meanwhile."""
    dns = NameServer({"a.test": ["127.0.0.1"], "b.test": ["silence"], "hang.test": "silence"})
    server = Server(answers=[NO_CONTENT])
    with Proxy(program, f"allow hang.test\nallow a.test:{server.port}\n" + LOCAL, dns=dns) as proxy:
        hanging = proxy.guest.open(b"hang.test:80")
        proxy.guest.write(hanging, b"GET / HTTP/1.1\r\nHost: hang.test\r\n\r\n")
        stream = proxy.guest.open(f"a.test:{server.port}".encode())
        proxy.guest.write(stream, get(server.port))
        assert proxy.guest.wait(lambda: stream.data == NO_CONTENT, 2)
        assert proxy.guest.finish(hanging, 15) and b"502" in hanging.data, hanging.data


def resolver_lies():
    """Answers that are cut off, garbage, of another question or name, or endless: none of them leads anywhere, and nothing breaks."""
    lies = [
        lambda answer: b"",
        lambda answer: b"\xff" * 600,
        lambda answer: answer[:-3],
        lambda answer: bytes([answer[0] ^ 1]) + answer[1:],
        lambda answer: answer[:13] + b"X" + answer[14:],
        lambda answer: answer[:6] + b"\xff\xff" + answer[8:],
        lambda answer: answer[:12] + b"\xc0\x0c" * 200,  # a name that points to itself
    ]
    names = [f"lie{number}.test" for number in range(len(lies))]
    dns = NameServer({**NAMES, **{name: ["127.0.0.1"] for name in names}})
    whole = dns.answer
    dns.answer = lambda query: lies[query[16] - ord("0")](whole(query)) if query[13:16] == b"lie" else whole(query)
    server = Server(answers=[NO_CONTENT] * 9)
    with Proxy(program, f"allow *.test:{server.port}\n" + LOCAL, dns=dns) as proxy:
        lied_to = []
        for name in names:
            lied_to.append(proxy.guest.open(f"{name}:{server.port}".encode()))
            proxy.guest.write(lied_to[-1], get(server.port, name=name))
        stream = proxy.guest.open(f"a.test:{server.port}".encode())
        proxy.guest.write(stream, get(server.port))
        assert proxy.guest.wait(lambda: stream.data == NO_CONTENT), stream.data
        for number, stream in enumerate(lied_to):
            assert proxy.guest.finish(stream, 15) and b"502" in stream.data, (number, stream.data)
    assert not any(b"lie" in seen for seen in server.seen), server.seen


def many_addresses():
    """A name with more addresses than anybody needs: a few are tried, and memory does not grow."""
    dns = NameServer({"a.test": [f"127.0.1.{n}" for n in range(1, 255)]})
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with Proxy(program, f"allow a.test:{port}\n" + LOCAL, dns=dns) as proxy:
        stream = proxy.guest.open(f"a.test:{port}".encode())
        proxy.guest.write(stream, get(port))
        assert proxy.guest.finish(stream) and b"502" in stream.data, stream.data


def nobody_answers():
    """A server that takes no connection: it is given up in time, said so, and revoked meanwhile like any other."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for client in first, second:  # what follows finds the queue full
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        rules = f"allow a.test:{port}\nallow b.test:{port}\n" + LOCAL
        with Proxy(program, rules, dns=NameServer(NAMES)) as proxy:
            begin = time.monotonic()
            waiting, revoked = (proxy.guest.open(f"{name}.test:{port}".encode()) for name in "ab")
            proxy.guest.write(waiting, get(port))
            proxy.guest.write(revoked, get(port, name="b.test"))
            assert not proxy.guest.wait(lambda: revoked.ended, 0.5)
            proxy.set_policy("deny b.test\n" + rules)
            assert proxy.guest.finish(revoked, 1), "it was not revoked"
            assert proxy.guest.finish(waiting, 15) and b"nobody answered in time" in waiting.data, waiting.data
            assert time.monotonic() - begin < 13


def endless_head():
    """Requests whose heads have no end, in one field or many, are refused at a limit."""
    for more in (b"x" * 70000, b"A: b\r\n" * 12000):
        with Proxy(program, "allow a.test\n", dns=NameServer(NAMES)) as proxy:
            stream = proxy.guest.open(b"a.test:80")
            proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: a.test\r\nX: " + more)
            assert proxy.guest.finish(stream) and b"400 Bad Request" in stream.data, (stream.data, stream.reset)


def other_family_is_late():
    """The addresses of one family do not wait for a server that never answers for the other."""
    dns = NameServer(NAMES)
    whole = dns.answer
    dns.answer = lambda query: None if query[-3] == 28 else whole(query)
    server = Server(answers=[NO_CONTENT])
    with Proxy(program, f"allow a.test:{server.port}\n" + LOCAL, dns=dns) as proxy:
        begin = time.monotonic()
        stream = proxy.guest.open(f"a.test:{server.port}".encode())
        proxy.guest.write(stream, get(server.port))
        assert proxy.guest.wait(lambda: stream.data == NO_CONTENT)
        assert time.monotonic() - begin < 1


def resolver_changes():
    """New settings hold from then on."""
    old, new = NameServer({}), NameServer(NAMES)
    server = Server(answers=[NO_CONTENT])
    with Proxy(program, f"allow a.test:{server.port}\n" + LOCAL, dns=old) as proxy:
        for dns, wanted in ((old, b"502"), (new, b"204")):
            proxy.tell("PROXY_RESOLVER", f"nameserver 127.0.0.1:{dns.port}\n")
            proxy.set_policy(f"allow a.test:{server.port}\n" + LOCAL)  # which is answered
            stream = proxy.guest.open(f"a.test:{server.port}".encode())
            proxy.guest.write(stream, get(server.port))
            proxy.guest.end(stream)
            assert proxy.guest.finish(stream) and wanted in stream.data, stream.data


def connection_refused():
    """A server that is not there is said at once."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with Proxy(program, f"allow a.test:{port}\n" + LOCAL, dns=NameServer(NAMES)) as proxy:
        stream = proxy.guest.open(f"a.test:{port}".encode())
        proxy.guest.write(stream, get(port))
        assert proxy.guest.finish(stream, 2) and b"the connection was refused" in stream.data, stream.data
        assert proxy.notes(1)[0]["status"] == 502


def next_address_is_tried():
    """Happy eyeballs: an address that refuses or is silent costs a moment."""
    dns = NameServer({"a.test": ["127.0.0.2", "127.0.0.1"]})
    server = Server(answers=[NO_CONTENT])
    with Proxy(program, f"allow a.test:{server.port}\n" + LOCAL, dns=dns) as proxy:
        stream = proxy.guest.open(f"a.test:{server.port}".encode())
        proxy.guest.write(stream, get(server.port))
        assert proxy.guest.wait(lambda: stream.data == NO_CONTENT), stream.data
        proxy.guest.cancel(stream)
        assert proxy.notes(1)[0]["address"] == "127.0.0.1"


def host_proxy():
    """The host's own proxy is asked by name, with its credentials; what no_proxy names is not."""
    server = Server(answers=[b"HTTP/1.1 200 Go\r\n\r\n", NO_CONTENT])
    settings = f"http_proxy=http://me:pw@127.0.0.1:{server.port}\nno_proxy=b.test\n"
    dns = NameServer(NAMES)
    with Proxy(program, "allow far.test\nallow b.test\n" + LOCAL, dns=dns, upstream=settings) as proxy:
        stream = proxy.guest.open(b"far.test:80")
        proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: far.test\r\n\r\n")
        assert proxy.guest.wait(lambda: stream.data == NO_CONTENT), stream.data
        assert bytes(server.seen[0]) == (b"CONNECT far.test:80 HTTP/1.1\r\nHost: far.test:80\r\n"
            b"Proxy-Authorization: Basic bWU6cHc=\r\n\r\nGET / HTTP/1.1\r\nHost: far.test\r\n\r\n"), server.seen
        assert dns.asked == []
        stream = proxy.guest.open(b"169.254.169.254:80")
        proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n")
        assert proxy.guest.finish(stream) and b"403" in stream.data
        stream = proxy.guest.open(b"b.test:80")
        proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n")
        proxy.guest.end(stream)
        assert proxy.guest.finish(stream) and dns.asked
    assert len(server.seen) == 1


def host_proxy_refuses():
    """A host's proxy that says no."""
    server = Server(answers=[b"HTTP/1.1 407 Who?\r\n\r\n"])
    with Proxy(program, "allow far.test\n", dns=NameServer({}), upstream=f"http_proxy=127.0.0.1:{server.port}\n") as proxy:
        stream = proxy.guest.open(b"far.test:80")
        proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: far.test\r\n\r\n")
        assert proxy.guest.finish(stream) and b"502" in stream.data and b"HTTP proxy" in stream.data, stream.data


def host_proxy_hangs_up():
    """A host's proxy that goes in the middle of its answer is not waited for."""
    for then in ("close", "reset"):
        server = Server(answers=[b"HTTP/1.1 200 G"], then=then)
        with Proxy(program, "allow far.test\n", dns=NameServer({}), upstream=f"http_proxy=127.0.0.1:{server.port}\n") as proxy:
            stream = proxy.guest.open(b"far.test:80")
            proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: far.test\r\n\r\n")
            assert proxy.guest.finish(stream, 3) and b"502" in stream.data and b"HTTP proxy" in stream.data, (then, stream.data)


def host_proxy_is_silent():
    """A host's proxy that accepts and never says a word has a limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        upstream = f"http_proxy=127.0.0.1:{silent.getsockname()[1]}\n"
        with Proxy(program, "allow far.test\n", dns=NameServer({}), upstream=upstream) as proxy:
            stream = proxy.guest.open(b"far.test:80")
            proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: far.test\r\n\r\n")
            assert proxy.guest.finish(stream, 13) and b"502" in stream.data and b"nobody answered in time" in stream.data, stream.data


def half_close():
    """Each side ends for itself: what comes after the guest's end still arrives."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with Proxy(program, f"allow a.test:{port} tcp\n" + LOCAL, dns=NameServer(NAMES)) as proxy:
        stream = proxy.guest.open(f"a.test:{port}".encode())
        proxy.guest.write(stream, b"question")
        proxy.guest.end(stream)
        connection, _ = listener.accept()
        got = b""
        while len(got) < 8:
            got += connection.recv(100)
        assert connection.recv(100) == b""
        connection.sendall(b"answer")
        assert proxy.guest.wait(lambda: stream.data == b"answer") and not stream.ended
        connection.close()
        assert proxy.guest.finish(stream) and stream.ended
        note = proxy.notes(1)[0]
        assert (note["bytes_in"], note["bytes_out"]) == (8, 6), note


def answer_before_the_end():
    """A server that answers and closes before it has read everything is heard."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve():
        connection, _ = listener.accept()
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        connection.close()

    threading.Thread(target=serve, daemon=True).start()
    with Proxy(program, f"allow a.test:{port}\n" + LOCAL, dns=NameServer(NAMES)) as proxy:
        stream = proxy.guest.open(f"a.test:{port}".encode())
        head = f"POST / HTTP/1.1\r\nHost: a.test:{port}\r\nContent-Length: 100000000\r\n\r\n"
        proxy.guest.write(stream, head.encode())
        for _ in range(100):
            if stream.ended or not proxy.guest.write(stream, b"x" * 65536):
                break
        assert proxy.guest.finish(stream) and stream.data.endswith(b"\r\n\r\nno"), (stream.data, stream.reset)


def stalled_streams_stop_nobody():
    """Servers that do not read, and guests that do not: the others go on, and memory is bounded."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    deaf = listener.getsockname()[1]
    talker = Server(first=b"x" * (4 << 20))
    server = Server(answers=[NO_CONTENT])
    rules = f"allow a.test:{deaf} tcp\nallow a.test:{talker.port} tcp\nallow a.test:{server.port}\n" + LOCAL
    with Proxy(program, rules, dns=NameServer(NAMES)) as proxy:
        for _ in range(100):
            stream = proxy.guest.open(f"a.test:{deaf}".encode())
            stream.window = 256 << 10
            proxy.guest.write(stream, b"y" * (256 << 10))
            proxy.guest.open(f"a.test:{talker.port}".encode(), hold=True)
        stream = proxy.guest.open(f"a.test:{server.port}".encode())
        proxy.guest.write(stream, get(server.port))
        assert proxy.guest.wait(lambda: stream.data == NO_CONTENT, 10), stream.data
        assert memory_kib(proxy) < 100 << 10, memory_kib(proxy)


def ten_thousand_connections():
    """As many connections as there may be, and memory is bounded."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with Proxy(program, "allow a.test\n", dns=NameServer(NAMES)) as proxy:
        before = memory_kib(proxy)
        streams = []
        for _ in range(10000):
            streams.append(proxy.guest.open(b"a.test:80"))
            proxy.guest.write(streams[-1], b"GET / HTTP/1.1\r\n")
        assert proxy.guest.wait(lambda: streams[-1].status == 200, 20), "the last one has no answer"
        assert not any(stream.reset for stream in streams)
        grown = memory_kib(proxy) - before
        assert grown < 100 << 10, f"{grown} KiB"
        # One more breaks the protocol: the limit was announced.
        proxy.guest.open(b"a.test:80")
        assert proxy.guest.wait(lambda: proxy.guest.n_hellos > 1), "no new handshake"
        works(proxy)
        print(f"# {grown // 10000 + 1} KiB for each of 10,000 connections in the middle of their heads")


def rapid_reset():
    """Case 46: a guest that opens and resets without end is told to go away, and begins again."""
    with Proxy(program, "allow a.test\n", dns=NameServer(NAMES)) as proxy:
        hellos = proxy.guest.n_hellos
        for _ in range(200):
            if proxy.guest.n_hellos > hellos:
                break
            for _ in range(100):
                proxy.guest.cancel(proxy.guest.open(b"a.test:80"))
            while proxy.guest.n_hellos == hellos and proxy.guest.pump(0):
                pass
        assert proxy.guest.wait(lambda: proxy.guest.n_hellos > hellos), "no new handshake"
        works(proxy)


def works(proxy):
    """The session goes on: after a new handshake, too."""
    proxy.guest.introduce()
    stream = proxy.guest.open(b"denied.test:80")
    proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: denied.test\r\n\r\n")
    assert proxy.guest.finish(stream) and b"403" in stream.data


def garbage_on_the_port():
    """A guest that replaced our program: whatever it says, there is a new handshake, and no harm."""
    connect = h2.literal(2, b"CONNECT") + h2.literal(1, b"a.test:80")
    hostile = {
        "HTTP/1": b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n" * 10,
        "zeros": b"\0" * 100000,
        "a long frame": h2.PREFACE + b"\xff\xff\xff\0\0\0\0\0\0" + b"x" * 100,
        "data on no stream": h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0) + h2.frame(h2.DATA, 0, 7, b"x"),
        "a stream of the server": h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0) + h2.frame(h2.HEADERS, 4, 2, connect),
        "too large a window": h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0)
            + h2.frame(h2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 2,
        "headers that cannot be read": h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0) + h2.frame(h2.HEADERS, 4, 1, b"\xff" * 100),
    }
    for what, octets in hostile.items():
        with Proxy.without_session(program, "allow a.test\n", dns=NameServer(NAMES)) as proxy:
            hellos = proxy.guest.n_hellos
            proxy.guest.send(octets)
            assert proxy.guest.wait(lambda: proxy.guest.n_hellos > hellos), what
            works(proxy)


def a_hello_is_lost():
    """A program that ends with a HELLO unread: the next one breaks the session that it does not know, and gets another."""
    with Proxy(program, "allow a.test\n", dns=NameServer(NAMES)) as proxy:
        hellos = proxy.guest.n_hellos
        proxy.guest.hears_hellos = False
        proxy.guest.send(b"\xff" * 1000)
        while proxy.guest.pump(0.2):
            pass
        proxy.guest.hears_hellos = True
        proxy.guest.send(b"\xff" * 24000)
        assert proxy.guest.wait(lambda: proxy.guest.n_hellos > hellos, 5), "no new handshake"
        works(proxy)


def garbage_without_end():
    """A guest that writes and never reads: the handshakes that it does not take need no memory."""
    with Proxy(program, "allow a.test\n", dns=NameServer(NAMES)) as proxy:
        before = memory_kib(proxy)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            proxy.guest.send(b"\xff" * 65536)
        assert memory_kib(proxy) - before < 4096, memory_kib(proxy) - before


def name_goes_elsewhere():
    """A name that its person sends elsewhere goes there, if the policy allows the name; and no longer than it is said."""
    server = Server(answers=[NO_CONTENT] * 4)
    elsewhere = f"a.test:80=127.0.0.1:{server.port},b.test:80=127.0.0.1:{server.port}"
    dns = NameServer({})
    rules = "allow a.test:80\n"
    with Proxy(program, rules, dns=dns) as proxy:
        proxy.tell("PROXY_REDIRECT", elsewhere)
        # Its answer says that what was told before it has been taken too.
        proxy.set_policy(rules)
        for name, wanted in (("a.test", b"204"), ("b.test", b"403")):
            stream = proxy.guest.open(f"{name}:80".encode())
            proxy.guest.write(stream, f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            assert proxy.guest.finish(stream) and wanted in stream.data, (name, stream.data)
        assert dns.asked == [], dns.asked
        kept = proxy.guest.open(b"a.test:80")
        proxy.guest.write(kept, b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert proxy.guest.wait(lambda: b"204" in kept.data)
        proxy.tell("PROXY_REDIRECT", elsewhere)
        proxy.set_policy(rules)
        assert not kept.ended and not kept.reset, "what has not changed ends nothing"
        proxy.tell("PROXY_REDIRECT", "nonsense")
        proxy.tell("PROXY_REDIRECT", "")
        proxy.set_policy(rules)
        assert proxy.guest.finish(kept), "a connection to where the name went before lives on"
        stream = proxy.guest.open(b"a.test:80")
        proxy.guest.write(stream, b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert proxy.guest.finish(stream) and b"502" in stream.data, stream.data
        assert [note["decision"] for note in proxy.notes(4)][:2] == ["allow", "deny"]


def pseudo_header_injection():
    """Case 46: an authority with a line's end, a second one, a path beside CONNECT: the stream is refused."""
    bad = [
        h2.literal(2, b"CONNECT") + h2.literal(1, b"a.test:80\r\nx: y"),
        h2.literal(2, b"CONNECT") + h2.literal(1, b"a.test:80") * 2,
        h2.literal(2, b"CONNECT") + h2.literal(1, b"a.test:80") + h2.literal(4, b"/"),
        h2.literal(2, b"GET") + h2.literal(1, b"a.test:80") + h2.literal(4, b"/") + h2.literal(6, b"http"),
        h2.literal(2, b"CONNECT"),
    ]
    with Proxy(program, "allow a.test\n", dns=NameServer(NAMES)) as proxy:
        for block in bad:
            stream = h2.Stream(proxy.guest.next_number)
            stream.hold = False
            proxy.guest.streams[stream.number] = stream
            proxy.guest.next_number += 2
            proxy.guest.send(h2.frame(h2.HEADERS, 4, stream.number, block))
            assert proxy.guest.finish(stream) and stream.reset, block


def endless_headers():
    """Servers that do not come to the end of their headers, or of their answers before the answer."""
    for answer in (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20000, b"HTTP/1.1 100 Go\r\n\r\n" * 1000):
        server = Server(answers=[answer])
        with Proxy(program, f"allow a.test:{server.port}\n" + LOCAL, dns=NameServer(NAMES)) as proxy:
            stream = proxy.guest.open(f"a.test:{server.port}".encode())
            proxy.guest.write(stream, get(server.port))
            assert proxy.guest.finish(stream) and b"502" in stream.data, stream.data[-300:]


def nothing_can_be_opened():
    """No files, no programs, no Unix sockets: what the process may still do is what the kernel lets it."""
    with Proxy(program, "", dns=NameServer(NAMES)) as proxy:
        with open(f"/proc/{proxy.process.pid}/status", encoding="ascii") as status:
            text = status.read()
        assert "NoNewPrivs:\t1" in text and "Seccomp:\t2" in text, text
        assert "CapEff:\t0000000000000000" in text
        with open(f"/proc/{proxy.process.pid}/environ", "rb") as environment:
            assert environment.read().strip(b"\0") == b""


sys.exit(tap.run([value for name, value in list(globals().items())
    if callable(value) and value.__doc__ and value.__module__ == "__main__" and name != "works"], sys.argv[2:]))
