"""TLS clients whose bytes go through a stream of the guest's: their first message, or all of them."""
import hashlib
import hmac
import os
import ssl
import struct
import subprocess
import tempfile

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


class TlsClient:
    """One that has made its handshake, and then does what libraries do not."""

    def __init__(self, guest, authority, name, protocol="http/1.1", hold=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([protocol])
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
        context.options |= NO_ENCRYPT_THEN_MAC
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

    def keys(self):
        """What the client authenticates and encrypts with (RFC 5246, 6.3)."""
        seed = b"key expansion" + self.server_random + self.random
        a, out = seed, b""
        while len(out) < 72:
            a = hmac.digest(self.master, a, hashlib.sha256)
            out += hmac.digest(self.master, a + seed, hashlib.sha256)
        return out[:20], out[40:56]

    def renegotiate(self, count):
        """Sends the first bytes of as many handshakes, and nothing else is written after that."""
        key, cipher_key = self.keys()
        plain, hello = b"", b"\1\0\0\0"
        for number in range(1, count + 1):  # 0 was the end of the handshake
            head = struct.pack(">QBHH", number, 22, 0x303, len(hello))
            plain += hello + hmac.digest(key, head + hello, hashlib.sha1) + b"\7" * 8
        iv = os.urandom(16)
        sealed = iv + subprocess.run(["openssl", "enc", "-aes-128-cbc", "-nopad", "-K", cipher_key.hex(), "-iv", iv.hex()],
                                     input=plain, capture_output=True, check=True).stdout
        # Each begins with the last block of the one before it.
        return self.guest.write(self.stream, b"".join(
            b"\x16\3\3\0\x30" + sealed[at : at + 48] for at in range(0, 32 * count, 32)))
