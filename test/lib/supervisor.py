#!/usr/bin/env python3
"""supervisor.py SOCKET LOG: a supervisor for the command line to talk to. Says that it runs; writes each other request, with what
the first descriptor leads to, as a line of JSON to LOG; and knows changes."""
import array
import json
import os
import socket
import sys

CHANGES = [
    {"share": "/src/app"},
    {"path": "new.txt", "change": "created", "size": 2048},
    {"path": "sub/\u001b[31mred\nline", "change": "modified", "size": 1},
    {"path": "old", "change": "deleted", "size": 5},
    {"share": "/src/lib"},
    {"path": "x", "change": "a long kind of change", "size": -1},
]


def receive(client):
    data, ancillary, _, _ = client.recvmsg(65536, socket.CMSG_SPACE(12))
    fds = array.array("i")
    for _, _, body in ancillary:
        fds.frombytes(body[: len(body) - len(body) % fds.itemsize])
    return json.loads(data), list(fds)


def read_secrets(fd):
    text = b""
    while not text.endswith(b"end\n"):
        more = os.read(fd, 65536)
        if not more:
            return text.decode() + "(broken off)"
        text += more
    return text.decode()


def answer(request, fds):
    if request["op"] == "status":
        return {"ok": True, "state": "running"}
    if request["op"] == "umount" and request["path"] == "/busy":
        return {"ok": False, "error": "'/busy' is in use inside: by sh"}
    if request["op"] == "diff":
        lines = [json.dumps(line) for line in CHANGES] + ["no JSON", json.dumps({"path": 1})]
        os.write(fds[0], ("\n".join(lines) + "\n").encode() if not os.environ.get("NO_CHANGES") else b"")
    return {"ok": True}


def main():
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(sys.argv[1])
    server.listen()
    while True:
        client, _ = server.accept()
        request, fds = receive(client)
        if request["op"] != "status":
            if request["op"] == "secrets":
                request["secrets"] = read_secrets(fds[0])
            request["fd"] = os.readlink(f"/proc/self/fd/{fds[0]}") if fds else None
            with open(sys.argv[2], "a", encoding="utf-8") as log:
                log.write(json.dumps(request, sort_keys=True) + "\n")
        client.sendall((json.dumps(answer(request, fds)) + "\n").encode())
        for fd in fds:
            os.close(fd)
        client.close()


main()
