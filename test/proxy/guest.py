"""The guest's end of the network port: the handshake of wire/port.h, and as much of HTTP/2 as CONNECT needs."""
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
STATUSES = {8: 200, 9: 204, 11: 304, 12: 400, 13: 404, 14: 500}
WINDOW = 1 << 20


def frame(kind, flags, stream, body=b""):
    return struct.pack(">I", len(body))[1:] + struct.pack(">BBI", kind, flags, stream) + body


def literal(index, value):
    """A header whose name is in HPACK's static table, without compression."""
    return bytes([index]) + struct.pack("B", len(value)) + value


class Stream:
    def __init__(self, number):
        self.number = number
        self.status = None
        self.data = b""
        self.ended = self.reset = False
        self.window = 65535


class Guest:
    def __init__(self, port, introduce=True):
        self.port = port
        self.raw = b""  # packets that are not whole yet
        self.bytes = b""  # HTTP/2 that is not whole yet
        self.streams = {}
        self.next_number = 1
        self.initial_window = 65535
        self.window = 65535
        self.n_hellos = 0
        self.is_introduced = False  # before that, nothing but the preface may be said
        self.goaway = False
        self.hears_hellos = True
        self.wait(lambda: self.n_hellos > 0)
        if introduce:
            self.introduce()

    def introduce(self):
        self.is_introduced = True
        self.send(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WINDOW)) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30)))

    def send(self, octets):
        self.port.settimeout(10)
        self.port.sendall(octets)

    # ---- reading ----

    def pump(self, limit=10.0):
        self.port.settimeout(limit)
        try:
            got = self.port.recv(262144)
        except (TimeoutError, BlockingIOError):
            return False
        except ConnectionError:
            got = b""
        if not got:
            raise EOFError("the proxy has closed the port")
        self.raw += got
        self.take_packets()
        return True

    def wait(self, condition, limit=10.0):
        while not condition():
            if not self.pump(limit):
                return False
        return True

    def take_packets(self):
        while True:
            self.raw = self.raw.lstrip(b"\0")
            if len(self.raw) < 3:
                return
            if self.raw[0] == 2:
                if len(self.raw) < 18:
                    return
                if not self.hears_hellos:
                    self.raw = self.raw[18:]
                    continue
                self.bytes = b""
                self.streams = {}
                self.next_number = 1
                self.window = self.initial_window = 65535
                self.n_hellos += 1
                self.is_introduced = False
                self.send(self.raw[2:18] + b"\1")
                self.raw = self.raw[18:]
                continue
            assert self.raw[0] == 1, f"not a packet: {self.raw[:20]!r}"
            (length,) = struct.unpack(">H", self.raw[1:3])
            if len(self.raw) < 3 + length:
                return
            self.bytes += self.raw[3 : 3 + length]
            self.raw = self.raw[3 + length :]
            self.take_frames()

    def take_frames(self):
        while len(self.bytes) >= 9:
            length = int.from_bytes(self.bytes[:3], "big")
            kind, flags, number = struct.unpack(">BBI", self.bytes[3:9])
            if len(self.bytes) < 9 + length:
                return
            body = self.bytes[9 : 9 + length]
            self.bytes = self.bytes[9 + length :]
            self.take_frame(kind, flags, number, body)

    def take_frame(self, kind, flags, number, body):
        stream = self.streams.get(number)
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, len(body), 6):
                key, value = struct.unpack(">HI", body[at : at + 6])
                if key == 4:
                    for each in self.streams.values():
                        each.window += value - self.initial_window
                    self.initial_window = value
            if self.is_introduced:
                self.send(frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, body))
        elif kind == GOAWAY:
            self.goaway = True
        elif kind == WINDOW_UPDATE:
            (count,) = struct.unpack(">I", body)
            if number == 0:
                self.window += count
            elif stream:
                stream.window += count
        elif stream and kind == HEADERS:
            index = body[0]
            stream.status = STATUSES.get(index & 0x7F, 0) if index & 0x80 else 1
        elif stream and kind == DATA:
            stream.data += body
            if body:
                self.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(body))))
                if stream.hold is False:
                    self.send(frame(WINDOW_UPDATE, 0, number, struct.pack(">I", len(body))))
        elif stream and kind == RST_STREAM:
            stream.reset = True
        if stream and kind in (HEADERS, DATA) and flags & END_STREAM:
            stream.ended = True

    # ---- streams ----

    def open(self, authority, hold=False):
        stream = Stream(self.next_number)
        stream.hold = hold
        stream.window = self.initial_window
        self.streams[stream.number] = stream
        self.next_number += 2
        block = literal(2, b"CONNECT") + literal(1, authority)
        self.send(frame(HEADERS, END_HEADERS, stream.number, block))
        return stream

    def write(self, stream, octets, step=16384):
        """False where the proxy has ended the stream meanwhile."""
        out = b""
        while octets:
            if stream.reset:
                return False
            count = min(step, len(octets), stream.window, self.window)
            if count == 0:
                self.send(out)
                out = b""
                if not self.pump():
                    return False
                continue
            out += frame(DATA, 0, stream.number, octets[:count])
            stream.window -= count
            self.window -= count
            octets = octets[count:]
            if step == 1:
                self.send(out)
                out = b""
                while self.pump(0):
                    pass
        self.send(out)
        return True

    def end(self, stream):
        if not stream.reset:
            self.send(frame(DATA, END_STREAM, stream.number))

    def cancel(self, stream):
        self.send(frame(RST_STREAM, 0, stream.number, struct.pack(">I", 8)))

    def finish(self, stream, limit=10.0):
        """Waits until the proxy has ended the stream, one way or the other."""
        return self.wait(lambda: stream.ended or stream.reset, limit)
