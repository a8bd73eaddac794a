#!/usr/bin/env python3
"""inside-client.py PORT HOST CA SERVER-PORT events|websocket|half: clients that curl is not."""
import socket
import ssl
import sys

port, host, authority, server_port, what = sys.argv[1:6]


def connect():
    context = ssl.create_default_context(cafile=authority)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", int(port)), 10), server_hostname=host,
                               suppress_ragged_eofs=False)


def until(connection, end):
    text = b""
    while end not in text:
        octets = connection.recv(65536)
        assert octets, text
        text += octets
    return text


def get(path, more=""):
    return f"GET {path} HTTP/1.1\r\nHost: {host}:{server_port}\r\n{more}\r\n".encode()


def events():
    with connect() as stream, connect() as other:
        stream.sendall(get("/events"))
        for number in range(5):
            until(stream, f"data: {number}\n\n".encode())
            other.sendall(get("/seen"))
            until(other, b"\r\n\r\n")
        until(stream, b"0\r\n\r\n")
    print("5 events")


def upgrade(connection):
    connection.sendall(get("/socket", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: abc\r\nSec-WebSocket-Version: 13\r\n"))
    assert until(connection, b"first").startswith(b"HTTP/1.1 101 ")


def websocket():
    with connect() as socket_:
        upgrade(socket_)
        for text in (b"\x81\x05hello", b"\0" * 70000 + b"1"):
            socket_.sendall(text)
            assert until(socket_, text[:1] if len(text) < 10 else b"\0" * 10)
        socket_.settimeout(2)
    print("websocket works")


def half():
    """The server says much, and breaks off: all of it comes, and an end that is none."""
    with connect() as connection:
        upgrade(connection)
        connection.sendall(b"go on")
        count = 0
        try:
            while octets := connection.recv(65536):
                count += len(octets)
            print(f"{count} bytes, ended")
        except ssl.SSLEOFError:
            print(f"{count} bytes, broken off")


{"events": events, "websocket": websocket, "half": half}[what]()
