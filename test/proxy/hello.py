"""A TLS client's first message."""
import ssl


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
