#!/usr/bin/env python3
"""h2-only.py PORT HOST CA: a client that offers nothing but HTTP/2, and prints the answer as it came."""
import socket
import ssl
import sys

import guest as h2

port, host, authority = sys.argv[1:4]
context = ssl.create_default_context(cafile=authority)
context.set_alpn_protocols(["h2"])
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(port))), server_hostname=host) as connection:
    assert connection.selected_alpn_protocol() == "h2"
    block = b"\x82\x87\x84" + h2.literal(1, host.encode())
    connection.sendall(h2.PREFACE + h2.frame(h2.SETTINGS, 0, 0) + h2.frame(h2.HEADERS, 5, 1, block))
    text = b""
    for octets in iter(lambda: connection.recv(65536), b""):
        text += octets
    sys.stdout.buffer.write(text)
