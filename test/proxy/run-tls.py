#!/usr/bin/env python3
"""run-tls.py SBX-PROXY SBX-VAULT [NAME...]: TLS that ends in the proxy, with the real vault and real clients. TAP."""
import os
import re
import subprocess
import sys

import tap
from hello import TlsClient, client_hello
from place import Bridge, Proxy, Vault, memory_kib
from secure import write

program, vault_program = sys.argv[1:3]


def curl(bridge, vault, *more, url="https://evil.test/secret?token=x", host="evil.test"):
    trusted = ["--cacert", write("ca.pem", vault.certificate)] if vault else []
    return bridge.run(["curl", "-sS", "-i", "--noproxy", "*", "--max-time", "15", *trusted, "--connect-to",
                       f"{host}:443:127.0.0.1:{bridge.port}", *more, url])


def denial_is_read():
    """A client that trusts the sandbox's authority reads why; the journal has the request, without its query."""
    with Vault(vault_program) as vault, Proxy(program, "", vault=vault) as proxy:
        status, text = curl(Bridge(proxy, "evil.test:443"), vault)
        assert status == 0 and b"HTTP/1.1 403 Forbidden" in text, (status, text)
        assert b"Blocked by sbx policy: evil.test:443" in text, text
        assert b"sbx policy allow network evil.test:443 --sandbox box" in text, text
        note = proxy.notes(1)[0]
        wanted = {"protocol": "tls", "host": "evil.test", "decision": "deny", "method": "GET", "path": "/secret", "status": 403}
        assert {key: note.get(key) for key in wanted} == wanted, note


def denial_over_http2():
    """A client that speaks HTTP/2 only."""
    with Vault(vault_program) as vault, Proxy(program, "deny evil.test\n", vault=vault) as proxy:
        status, text = curl(Bridge(proxy, "evil.test:443"), vault, "--http2")
        assert status == 0 and b"HTTP/1.1 403" in text, (status, text)
        bridge = Bridge(proxy, "evil.test:443")
        argv = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "h2-only.py"),
                str(bridge.port), "evil.test", write("ca.pem", vault.certificate)]
        status, text = bridge.run(argv)
        assert status == 0 and b"403" in text and b"the rule that decided: deny evil.test" in text, (status, text)


def distrust_is_a_certificate_error():
    """One that does not trust it sees a certificate error; the journal has the denial all the same."""
    with Vault(vault_program) as vault, Proxy(program, "", vault=vault) as proxy:
        status, text = curl(Bridge(proxy, "evil.test:443"), None)
        assert status == 60 and b"certificate" in text and b"403" not in text, (status, text)
        note = proxy.notes(1)[0]
        assert note["decision"] == "deny" and "method" not in note, note


def certificates():
    """Right names, a right time, ECDSA; for addresses too."""
    with Vault(vault_program) as vault, Proxy(program, "", vault=vault) as proxy:
        for host, alternative in (("evil.test", "DNS:evil.test"), ("192.0.2.7", "IP Address:192.0.2.7"),
                                  ("2001:db8::1", "IP Address:2001:DB8:0:0:0:0:0:1")):
            bridge = Bridge(proxy, f"[{host}]:443" if ":" in host else f"{host}:443")
            named = ["-noservername"] if alternative.startswith("IP") else ["-servername", host]
            _, text = bridge.run(["openssl", "s_client", "-connect", f"127.0.0.1:{bridge.port}", *named, "-CAfile",
                                  write("ca.pem", vault.certificate), "-showcerts"])
            assert b"Verify return code: 0 (ok)" in text, text
            leaf = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S).group(0)
            shown = subprocess.run(["openssl", "x509", "-noout", "-text", "-checkend", str(7 * 86400)], input=leaf,
                                   capture_output=True, check=True).stdout
            assert alternative.encode() in shown and b"prime256v1" in shown and b"CA:FALSE" in shown, shown.decode()


def old_tls_is_refused():
    """TLS 1.1 and older."""
    with Vault(vault_program) as vault, Proxy(program, "", vault=vault) as proxy:
        status, text = curl(Bridge(proxy, "evil.test:443"), vault, "--tls-max", "1.1", "--tlsv1.0", "--ciphers", "ALL:@SECLEVEL=0")
        assert status == 35, (status, text)
        status, text = curl(Bridge(proxy, "evil.test:443"), vault, "--tls-max", "1.2")
        assert status == 0 and b"403" in text, (status, text)


def authority_is_kept():
    """What a vault has made is what the next one is given; another sandbox's is another."""
    with Vault(vault_program) as first:
        assert b"PRIVATE KEY" in first.authority and "PRIVATE KEY" not in first.certificate
    with Vault(vault_program, first.authority) as second, Vault(vault_program) as other:
        assert second.certificate == first.certificate and other.certificate != first.certificate


def vault_is_replaced():
    """What the vault was asked before it ended is asked of the next one."""
    with Proxy(program, "") as proxy:
        bridge = Bridge(proxy, "evil.test:443")
        with Vault(vault_program) as vault:
            vault.connect(proxy)
            assert b"403" in curl(bridge, vault)[1]
        with Vault(vault_program, vault.authority) as again:
            again.connect(proxy)
            bridge = Bridge(proxy, "other.test:443")
            _, text = curl(bridge, again, url="https://other.test/", host="other.test")
            assert b"Blocked by sbx policy: other.test:443" in text, text


def renegotiation_is_bounded():
    """Each is answered with an alert, and who does not read these has a limit."""
    with Vault(vault_program) as vault, Proxy(program, "", vault=vault) as proxy:
        client = TlsClient(proxy.guest, "evil.test:443", "evil.test", hold=True)
        before = memory_kib(proxy)
        client.renegotiate(30000)
        assert proxy.guest.finish(client.stream, 3) and client.stream.reset, "nothing ended it"
        assert memory_kib(proxy) - before < 4 << 10, memory_kib(proxy) - before


def broken_tls_is_told_of_once():
    """What comes behind a denial is no record of its own, and never one that says that it was allowed."""
    with Vault(vault_program) as vault, Proxy(program, "", vault=vault) as proxy:
        client = TlsClient(proxy.guest, "evil.test:443", "evil.test")
        client.write(b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        assert b" 403 " in client.read()
        for _ in range(20):
            proxy.guest.write(client.stream, b"not TLS" * 10)
        proxy.guest.cancel(client.stream)
    assert [note["decision"] for note in proxy.journal] == ["deny"], proxy.journal


def many_denials():
    """Hundreds of hosts: each has its certificate, and memory stays bounded."""
    with Vault(vault_program) as vault, Proxy(program, "", vault=vault) as proxy:
        before = memory_kib(proxy)
        streams = []
        for number in range(1000):
            streams.append(proxy.guest.open(f"h{number}.test:443".encode()))
            proxy.guest.write(streams[-1], client_hello(f"h{number}.test"))
        assert proxy.guest.wait(lambda: all(stream.data for stream in streams), 30)
        for stream in streams:
            proxy.guest.cancel(stream)
        proxy.notes(1000, 20)
        assert memory_kib(proxy) - before < 64 << 10, memory_kib(proxy) - before


sys.exit(tap.run([value for name, value in list(globals().items())
    if callable(value) and value.__doc__ and value.__module__ == "__main__"], sys.argv[3:]))
