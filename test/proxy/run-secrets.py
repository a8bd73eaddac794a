#!/usr/bin/env python3
"""run-secrets.py SBX-PROXY SBX-VAULT 1.1|2 [NAME...]: credentials that the proxy puts into requests. The clients speak that HTTP. TAP."""
import base64
import sys

import inside
import tap
from inside import Place
from place import Bridge, Vault
from secure import SecureServer, answer

inside.program, inside.vault_program, inside.http = sys.argv[1:4]
KEY = "sk-true-0123456789abcdefghij"
HOLDER = "sk-proj-placeholder0123456789"
NOT_OURS = "a credential that sbx did not issue was removed"
RULES = "allow a.test:$PORT\nallow b.test:$PORT\ninspect b.test:$PORT\n"


class Secret(Place):
    """A place where a.test is what the service "openai" is bound to, and b.test is not."""

    def __init__(self, server, value=KEY, header="Authorization: Bearer %s", **more):
        super().__init__(server, RULES, **more)
        self.header = header
        self.feed(f"value {value}")
        self.other = Bridge(self.proxy, f"b.test:{server.port}")

    def feed(self, last):
        described = self.vault.feed(f"service openai\nheader {self.header}\nhost a.test:{self.server.port}\nplaceholder {HOLDER}\n{last}\n")
        assert KEY not in described
        self.proxy.tell("PROXY_SECRETS", described)

    def fields(self, number=-1):
        """What the server got, without the request line."""
        return [line for line in self.server.heads[number].decode().split("\r\n")[1:] if line]


def the_key_is_put_in():
    """Whether the client sends the placeholder or nothing, the server gets the key, once; the journal says whose."""
    with Secret(inside.server()) as place:
        for sent in ([], ["-H", f"Authorization: Bearer {HOLDER}"], ["-H", f"authorization: {HOLDER}"], ["-u", f"x:{HOLDER}"]):
            status, text = place.curl(*sent)
            assert status == 0 and text.endswith(b"hello"), (status, text)
            keys = [line for line in place.fields() if "authorization" in line.lower()]
            assert keys == [f"Authorization: Bearer {KEY}"], keys
        for note in place.proxy.notes(4):
            assert note["credential"] == "openai" and "note" not in note and KEY not in str(note), note


def where_anything_is_allowed():
    """A rule that lets every protocol through does not lead around the key."""
    with Secret(inside.server()) as place:
        place.proxy.set_policy(place.rules("allow a.test:$PORT tcp\n"))
        status, _ = place.curl("-H", f"Authorization: Bearer {HOLDER}")
        assert status == 0 and f"Authorization: Bearer {KEY}" in place.fields(), place.fields()


def others_are_taken_out():
    """Credentials that are none of ours do not get through, wherever they are; the journal says so."""
    sent = (["-H", "Authorization: Bearer sk-somebody-elses"], ["-H", "X-Api-Key: theirs"], ["-H", "X-Goog-Api-Key: theirs"],
            ["-H", f"Authorization: Bearer {HOLDER}", "-H", "Authorization: Bearer theirs"])
    with Secret(inside.server()) as place:
        for fields in sent:
            place.curl(*fields)
            assert not any("theirs" in line or "elses" in line for line in place.fields()), place.fields()
            assert f"Authorization: Bearer {KEY}" in place.fields()
        place.curl(path="/x?a=1&api_key=theirs&%61ccess_token=theirs&b=2")
        assert place.server.heads[-1].startswith(b"GET /x?a=1&b=2 HTTP/1.1"), place.server.heads[-1]
        notes = place.proxy.notes(5)
        assert [note.get("note") for note in notes] == [NOT_OURS] * 5, notes


def other_forms():
    """A header of its own, and what is said as Basic."""
    with Secret(inside.server(), header="x-api-key: %s") as place:
        place.curl("-H", f"X-Api-Key: {HOLDER}")
        assert f"x-api-key: {KEY}" in place.fields(), place.fields()
    with Secret(inside.server(), header="Authorization: Basic x-access-token:%s") as place:
        place.curl()
        wanted = base64.b64encode(f"x-access-token:{KEY}".encode()).decode()
        assert f"Authorization: Basic {wanted}" in place.fields(), place.fields()


def long_keys():
    """One that has no room in a message to the proxy."""
    value = "k" * 12000
    with Secret(inside.server(), value=value) as place:
        status, _ = place.curl()
        assert status == 0 and f"Authorization: Bearer {value}" in place.fields()


def placeholders_elsewhere():
    """On its way to a host that it does not belong to, in whatever form, a placeholder is stopped; nobody gets it."""
    encoded = "".join(f"%{ord(letter):02x}" for letter in HOLDER)
    sent = (["-H", f"Authorization: Bearer {HOLDER}"], ["-H", f"User-Agent: x{HOLDER}y"], ["-u", f"me:{HOLDER}"],
            ["-G", "-d", f"q={HOLDER}"], ["-G", "-d", f"q={encoded}"], ["-d", "a" * 100000 + HOLDER])
    with Secret(inside.server(name="b.test")) as place:
        for number, fields in enumerate(sent, 1):
            status, text = place.curl(*fields, bridge=place.other)
            assert b"Blocked by sbx policy: b.test:" in text and b"placeholder" in text, (fields[:2], status, text)
            note = place.proxy.notes(number)[-1]
            assert note["decision"] == "deny" and "placeholder" in note["reason"] and HOLDER not in str(note), note
        assert not any(HOLDER.encode() in head for head in place.server.heads), place.server.heads
        assert place.curl(bridge=place.other)[1].endswith(b"hello")


def not_without_tls():
    """Over plain HTTP no key is put in, and the placeholder of that very host is stopped."""
    from place import Server
    plain = Server(answers=[b"HTTP/1.1 204 None\r\n\r\n"])
    with Secret(inside.server()) as place:
        place.proxy.set_policy(place.rules(RULES) + f"allow a.test:{plain.port}\n")
        for fields, wanted in ((b"", b"204"), (b"Authorization: Bearer " + HOLDER.encode() + b"\r\n", b"403")):
            stream = place.proxy.guest.open(f"a.test:{plain.port}".encode())
            place.proxy.guest.write(stream, f"GET / HTTP/1.1\r\nHost: a.test:{plain.port}\r\n".encode() + fields + b"\r\n")
            place.proxy.guest.wait(lambda stream=stream: b"\r\n\r\n" in stream.data)
            assert wanted in stream.data, stream.data
        assert KEY.encode() not in b"".join(map(bytes, plain.seen))


def not_to_others():
    """A server that cannot prove who it is gets no key."""
    bad = SecureServer(inside.public.issue("other.test"), answer())
    with Secret(bad) as place:
        _, text = place.curl("-H", f"Authorization: Bearer {HOLDER}")
        assert b" 502 " in text and b"another name" in text, text
        assert bad.heads == [] and "credential" not in place.proxy.notes(1)[0]


def server_that_hangs_up():
    """One that ends each connection at once is given up, and is told no key."""
    hasty = inside.server()
    hasty.talk = lambda secure: None
    with Secret(hasty) as place:
        _, text = place.curl()
        assert b" 502 " in text and b"the server broke off" in text, text
        assert hasty.n_connections <= 4, hasty.n_connections


def websocket():
    """The upgrade carries the key, and what follows is untouched."""
    def handle(connection, head):
        assert f"Authorization: Bearer {KEY}".encode() in head, head
        connection.sendall(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst")
        while True:
            octets = connection.recv(65536)
            if not octets:
                return False
            connection.sendall(octets[::-1])

    with Secret(inside.server(handle)) as place:
        status, text = place.bridge.run([*place.client(), "websocket"])
        assert status == 0 and b"websocket works" in text, (status, text)
        note = place.proxy.notes(1)[0]
        assert (note["status"], note["credential"]) == (101, "openai"), note


def removal_ends_what_is_open():
    """Without its secret a connection that was opened with it is over, and the host is like any other."""
    def handle(connection, head):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200000)

    with Secret(inside.server(handle)) as place:
        place.bridge.then = (150000, lambda: place.feed("forget"))
        status, text = place.curl("-o", "/dev/null")
        assert status in (18, 56, 92), (status, text)
        note = place.proxy.notes(1)[0]
        assert (note["decision"], note["reason"]) == ("deny", "the credentials for this host have changed"), note


def change_counts_at_once():
    """The next request has the new key."""
    with Secret(inside.server()) as place:
        place.bridge.then = (1, lambda: place.feed("value sk-new-0123456789"))
        place.curl("-H", f"Authorization: Bearer {HOLDER}")
        place.curl()
        assert "Authorization: Bearer sk-new-0123456789" in place.fields(), place.fields()


def no_vault():
    """A vault that is gone: an answer that says so, and no request without the key."""
    with Secret(inside.server()) as place:
        place.curl()
        place.vault.process.kill()
        place.vault.process.wait()
        place.vault.process.wait = lambda limit: 0
        _, text = place.curl(limit=30)
        assert b" 502 " in text and b"the vault does not answer" in text, text
        assert len(place.server.heads) == 1


def vault_that_lost_all():
    """One that was started again has no key until it is given all anew: no request without it, and an answer that names the command."""
    with Secret(inside.server()) as place:
        described = place.vault.feed("")
        place.vault.process.kill()
        place.vault.process.wait()
        place.vault = Vault(inside.vault_program, place.vault.authority)
        place.vault.connect(place.proxy)
        place.proxy.tell("PROXY_SECRETS", described, code=1)
        status, text = place.curl()
        assert b" 502 " in text and b"'sbx run --name box'" in text and b"'sbx exec box'" in text, (status, text)
        assert place.server.heads == []
        place.feed(f"value {KEY}")
        status, _ = place.curl()
        assert status == 0 and f"Authorization: Bearer {KEY}" in place.fields(), place.fields()


sys.exit(tap.run([value for name, value in list(globals().items())
    if callable(value) and value.__doc__ and value.__module__ == "__main__" and name != "Secret"], sys.argv[4:]))
