"""A proxy that looks into TLS, with all that it has around it."""
import os
import sys

from place import Bridge, NameServer, Proxy, Vault
from secure import Authority, SecureServer, answer, write

program = vault_program = http = None  # set by whoever imports this
public = Authority()
NAMES = {"a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"]}
LOCAL = "allow 127.0.0.0/8:1-65535\n"


class Place:
    """A proxy that looks into connections to a.test, where that server is."""

    def __init__(self, server, rules="allow a.test:$PORT\ninspect a.test:$PORT\n", store=None, **more):
        self.server = server
        self.vault = Vault(vault_program)
        self.rules = lambda text: text.replace("$PORT", str(server.port)) + LOCAL
        self.proxy = Proxy(program, self.rules(rules), dns=NameServer(NAMES), vault=self.vault,
                           store=public.certificate if store is None else store, **more)
        self.bridge = Bridge(self.proxy, f"a.test:{server.port}")
        self.trusted = write("sandbox.pem", self.vault.certificate)

    def curl(self, *more, path="/", limit=20, bridge=None):
        port, bridge = self.server.port, bridge or self.bridge
        name = bridge.authority.decode().partition(":")[0]
        return bridge.run(["curl", "-sS", "-i", "--noproxy", "*", "--max-time", "15", f"--http{http}", "--cacert", self.trusted,
                                "--connect-to", f"{name}:{port}:127.0.0.1:{bridge.port}", *more,
                                f"https://{name}:{port}{path}"], limit)

    def client(self):
        """A program that curl is not: what it does follows."""
        return [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside-client.py"),
                str(self.bridge.port), "a.test", self.trusted, str(self.server.port)]

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        try:
            self.proxy.__exit__(kind, *rest)
        finally:
            self.vault.__exit__(kind, *rest)


def server(handle=None, name="a.test", **more):
    return SecureServer(public.issue(name), handle or answer(), **more)
