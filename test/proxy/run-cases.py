#!/usr/bin/env python3
"""run-cases.py SBX-PROXY SBX-VAULT [CASE...]: each case whole and byte by byte, against the real proxy, over real sockets.

A case is a file of headings at the margin, with a word behind them or indented lines below:
  policy          rules; one for the server's address is added, unless there is "address no"
  names           "NAME ADDRESS..." for the name server; a.test, b.test and c.test are 127.0.0.1
  connect         what the guest asks for
  client          bytes that the guest sends; \\r, \\n, \\xNN mean what they mean in C, the lines' own ends nothing
  hello NAME      the guest sends a TLS handshake for NAME ("-": for none)
  client-ends     then the guest has said everything
  server          an answer; one for each request that has come whole
  server-first    bytes that the server sends at once
  server-then     close, reset, wait: when all answers are sent
  forwarded       exactly what reaches the server, over all connections; "nothing"
  answer          exactly what the guest gets; answer-has, answer-lacks: each line is (not) in it
  end             ended, reset, or open: how it stands with the guest's stream
  status          of the answer to CONNECT
  journal         one line of JSON for each record, with what has to be in it; "nothing"
$PORT is the server's port everywhere.
"""
import glob
import json
import os
import re
import sys

from hello import client_hello
from http_reader import requests_in
from place import NameServer, Proxy, Server, Vault

HEADINGS = {"policy", "names", "address", "connect", "client", "hello", "client-ends", "server", "server-first", "server-then",
            "forwarded", "answer", "answer-has", "answer-lacks", "end", "status", "journal"}


def read_case(path):
    case = {}
    with open(path, encoding="ascii") as lines:
        for line in lines.read().splitlines():
            if not line or line.startswith("#"):
                continue
            if line.startswith("\t"):
                block.append(line[1:])
                continue
            word, _, rest = line.partition(" ")
            assert word in HEADINGS, f"{path}: no such heading: {word}"
            block = [rest] if rest else []
            case.setdefault(word, []).append(block)
    return case


def octets(block, port):
    text = "".join(block).replace("$PORT", str(port)).encode("latin-1")
    return re.sub(rb"\\(x[0-9a-f]{2}|.)", lambda m: {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}.get(
        m.group(1), bytes.fromhex(m.group(1)[1:].decode()) if m.group(1)[:1] == b"x" else b"?"), text)




class Run:
    def __init__(self, program, vault, case, step):
        self.case = case
        one = self.one
        self.server = Server(answers=[], then=one("server-then", "wait"), count=lambda seen: requests_in(seen)[1])
        port = self.server.port
        self.server.first = octets(self.block("server-first"), port)
        self.server.answers = [octets(block, port) for block in case.get("server", [])]
        names = {"a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"], "c.test": ["127.0.0.1"]}
        for line in self.block("names"):
            name, *addresses = line.split()
            names[name] = addresses
        rules = "\n".join(self.block("policy")) + "\n"
        if one("address", "yes") == "yes":
            rules += "allow 127.0.0.0/8:$PORT\n"
        with Proxy(program, policy=rules.replace("$PORT", str(port)), dns=NameServer(names), vault=vault) as proxy:
            self.converse(proxy, step)
            proxy.guest.cancel(self.stream)
            wanted = self.block("journal")
            proxy.notes(0 if wanted == ["nothing"] else len(wanted))
        self.journal = proxy.journal

    def block(self, heading):
        return self.case.get(heading, [[]])[0]

    def one(self, heading, default=None):
        block = self.block(heading)
        return block[0] if block else default

    def text(self, heading):
        return octets(self.block(heading), self.server.port)

    def converse(self, proxy, step):
        guest = proxy.guest
        self.stream = guest.open(self.text("connect"))
        if "hello" in self.case:
            guest.write(self.stream, client_hello(self.one("hello")), step)
        guest.write(self.stream, self.text("client"), step)
        if "client-ends" in self.case:
            guest.end(self.stream)
        if self.one("end") == "open":
            guest.wait(lambda: self.stream.status and len(self.stream.data) >= len(self.text("answer")))
        else:
            guest.finish(self.stream)
        self.wait_for_server()

    def wait_for_server(self):
        """Bytes on their way to the server arrive in a moment; nothing is on its way where nothing is expected."""
        wanted = self.text("forwarded")
        if wanted and wanted != b"nothing":
            for _ in range(200):
                if len(self.forwarded()) >= len(wanted):
                    break
                self.server.changed.wait(0.05)

    def forwarded(self):
        return b"".join(bytes(seen) for seen in self.server.seen)

    def check(self):
        case, got, port = self.case, self.stream.data, self.server.port
        if not self.stream.reset:  # which may come before there is any answer
            assert self.stream.status == int(self.one("status", "200")), f"status {self.stream.status}"
        if "answer" in case:
            assert got == self.text("answer"), f"the guest got {got!r}"
        for line in self.block("answer-has"):
            assert octets([line], port) in got, f"the guest got {got!r}, without {line}"
        for line in self.block("answer-lacks"):
            assert octets([line], port) not in got, f"the guest got {got!r}, with {line}"
        if "forwarded" in case:
            wanted = b"" if self.one("forwarded") == "nothing" else self.text("forwarded")
            assert self.forwarded() == wanted, f"the server got {self.forwarded()!r}"
        state = "ended" if self.stream.ended else "reset" if self.stream.reset else "open"
        assert state == self.one("end", "ended"), f"the stream is {state}"
        self.check_journal()

    def check_journal(self):
        wanted = [] if self.block("journal") == ["nothing"] else [
            json.loads(line.replace("$PORT", str(self.server.port))) for line in self.block("journal")]
        assert len(self.journal) == len(wanted), f"the journal has {self.journal}"
        for record, line in zip(self.journal, wanted):
            for key, value in line.items():
                assert record.get(key) == value, f"{key} is {record.get(key)!r} in {record}"
        if any(record.get("protocol") == "http" for record in self.journal):
            judged = [(r.get("method"), r.get("path", "")) for r in self.journal if r["decision"] == "allow"]
            found, _ = requests_in(self.forwarded())
            assert found == judged[: len(found)], "what was forwarded is not what was judged"


def main():
    program, vault_program = sys.argv[1:3]
    here = os.path.dirname(os.path.abspath(__file__))
    paths = sys.argv[3:] or sorted(glob.glob(os.path.join(here, "cases", "*.case")))
    print(f"1..{2 * len(paths)}")
    with Vault(vault_program) as vault:
        return run_all(program, vault, paths)


def run_all(program, vault, paths):
    number = failed = 0
    for path in paths:
        for name, step in (("whole", 16384), ("byte by byte", 1)):
            number += 1
            title = f"{os.path.basename(path)[:-5]}, {name}"
            try:
                Run(program, vault, read_case(path), step).check()
                print(f"ok {number} {title}", flush=True)
            except (AssertionError, EOFError, OSError) as error:
                failed += 1
                print(f"not ok {number} {title}\n# {error}", flush=True)
    return 1 if failed else 0


sys.exit(main())
