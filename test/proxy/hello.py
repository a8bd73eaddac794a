"""TLS clients whose bytes go through a stream of the guest's: their first message, or all of them. And a server that does what no library does."""
import hashlib
import hmac
import os
import select
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

NO_ENCRYPT_THEN_MAC = 1 << 19  # which the module ssl has no name for


def client_hello(name):
    """name "-": it names no host."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=None if name == "-" else name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def plain_context(kind):
    """Of a kind whose records can be made by hand."""
    context = ssl.SSLContext(kind)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    context.options |= NO_ENCRYPT_THEN_MAC
    return context


def key_block(master, server_random, client_random):
    """What both sides authenticate and encrypt with (RFC 5246, 6.3)."""
    seed = b"key expansion" + server_random + client_random
    a, out = seed, b""
    while len(out) < 72:
        a = hmac.digest(master, a, hashlib.sha256)
        out += hmac.digest(master, a + seed, hashlib.sha256)
    return out


def seal(message, count, key, cipher_key):
    """Records that follow the handshake, with the same four bytes of another one in each."""
    heads = (struct.pack(">QBHH", number, 22, 0x303, len(message)) for number in range(1, count + 1))  # 0 was the end of the handshake
    plain = b"".join(message + hmac.digest(key, head + message, "sha1") + b"\7" * 8 for head in heads)
    iv = os.urandom(16)
    sealed = iv + subprocess.run(["openssl", "enc", "-aes-128-cbc", "-nopad", "-K", cipher_key.hex(), "-iv", iv.hex()],
                                 input=plain, capture_output=True, check=True).stdout
    # Each begins with the last block of the one before it.
    return b"".join(b"\x16\3\3\0\x30" + sealed[at : at + 48] for at in range(0, 32 * count, 32))


class TlsClient:
    """One that has made its handshake, and then does what libraries do not."""

    def __init__(self, guest, authority, name, protocol="http/1.1", hold=False):
        context = plain_context(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([protocol])
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with tempfile.NamedTemporaryFile("r") as secrets:
            context.keylog_filename = secrets.name
            self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=name)
            self.server_random = b""
            self.guest, self.stream = guest, guest.open(authority.encode(), hold=hold)
            self.step(self.tls.do_handshake)
            self.random, self.master = map(bytes.fromhex, secrets.read().split()[-2:])

    def step(self, what):
        """Calls it until it needs no more bytes from the other end."""
        while True:
            try:
                return what()
            except ssl.SSLWantReadError:
                self.flush()
                assert self.guest.wait(lambda: self.stream.data or self.stream.ended or self.stream.reset), "no answer"
                assert self.stream.data, "the connection has ended"
                self.server_random = self.server_random or self.stream.data[11:43]
                self.incoming.write(self.stream.data)
                self.stream.data = b""

    def flush(self):
        return self.guest.write(self.stream, self.outgoing.read())

    def write(self, octets):
        self.tls.write(octets)
        return self.flush()

    def read(self):
        return self.step(lambda: self.tls.read(65536))

    def renegotiate(self, count):
        """Sends the first bytes of as many handshakes, and nothing else is written after that."""
        block = key_block(self.master, self.server_random, self.random)
        return self.guest.write(self.stream, seal(b"\1\0\0\0", count, block[:20], block[40:56]))


class TlsServer:
    """Answers the first request that comes with the wish for as many handshakes, and reads nothing more."""

    def __init__(self, certificate, count):
        self.certificate, self.count = certificate, count
        self.is_ended = threading.Event()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what is not read is not sent either
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        context = plain_context(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        connection = self.listener.accept()[0]
        with tempfile.NamedTemporaryFile("r") as secrets:
            context.keylog_filename = secrets.name
            tls = context.wrap_bio(incoming, outgoing, server_side=True)
            server_random = b""
            while True:
                try:
                    tls.do_handshake()
                    tls.read(65536)
                    break
                except ssl.SSLWantReadError:
                    octets = outgoing.read()
                    server_random = server_random or octets[11:43]
                    connection.sendall(octets)
                    incoming.write(connection.recv(65536))
            random, master = map(bytes.fromhex, secrets.read().split()[-2:])
        block = key_block(master, server_random, random)
        end = select.poll()
        end.register(connection, select.POLLRDHUP)
        try:
            connection.sendall(seal(b"\0\0\0\0", self.count, block[20:40], block[56:72]))
            end.poll()
        except OSError:
            pass
        self.is_ended.set()
