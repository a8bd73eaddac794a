#!/usr/bin/env python3
"""h2-raw.py PORT HOST SERVER-PORT CA one|flood FILE: sends frames (hexadecimal) in a session of HTTP/2, and prints how it went."""
import socket
import ssl
import struct
import sys

import guest as h2

port, host, _, authority, what, path = sys.argv[1:7]
with open(path, encoding="ascii") as file:
    octets = bytes.fromhex(file.read())
context = ssl.create_default_context(cafile=authority)
context.set_alpn_protocols(["h2"])
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(port)), 20), server_hostname=host) as connection:
    got = b""
    try:
        connection.sendall(h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0) + octets)
        while True:
            while len(got) < 9 or len(got) < 9 + int.from_bytes(got[:3], "big"):
                more = connection.recv(65536)
                if not more:
                    raise ConnectionError("closed")
                got += more
            length = int.from_bytes(got[:3], "big")
            kind, flags, number = struct.unpack(">BBI", got[3:9])
            body, got = got[9 : 9 + length], got[9 + length :]
            if kind == h2.HEADERS:
                print("status", h2.STATUSES.get(body[0] & 0x7F, 0) if body[0] & 0x80 else "other")
            if kind == h2.GOAWAY or (what == "one" and (kind == h2.RST_STREAM or (number == 1 and flags & h2.END_STREAM))):
                break
            if what == "flood" and kind == h2.RST_STREAM and len(octets) < 100000 and number == 1:
                break
    except OSError as error:
        print(error)
    print("ended")
