"""Servers that speak TLS, with certificates of an authority that was made for the test."""
import os
import socket
import ssl
import subprocess
import tempfile
import threading

folder = tempfile.TemporaryDirectory(prefix="sbx-tls-")


def write(name, text):
    path = os.path.join(folder.name, name)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder.name)


def read(name):
    with open(os.path.join(folder.name, name), encoding="ascii") as file:
        return file.read()


class Authority:
    def __init__(self, name="public"):
        self.name = name
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key",
                "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "30", "-addext", "keyUsage=critical,keyCertSign")
        self.certificate = read(f"{name}.pem")

    def issue(self, host, days=7):
        """Gives the path of a file with key and certificate. days may be below zero: it has expired."""
        base = f"{self.name}-{host}-{days}"
        kind = "IP" if host[0].isdigit() else "DNS"
        write(f"{base}.ext", f"subjectAltName={kind}:{host}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{base}.key",
                "-out", f"{base}.csr", "-subj", "/CN=server")
        when = ["-days", str(days)] if days > 0 else ["-not_before", "20200101000000Z", "-not_after", "20200201000000Z"]
        if days > 0:
            openssl("x509", "-req", "-in", f"{base}.csr", "-CA", f"{self.name}.pem", "-CAkey", f"{self.name}.key",
                    "-CAcreateserial", "-extfile", f"{base}.ext", "-out", f"{base}.crt", *when)
        else:
            write("ca.cnf", f"[ca]\ndefault_ca=c\n[c]\ndatabase={folder.name}/index\nnew_certs_dir={folder.name}\n"
                  "serial=serial\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
            write("index", "")
            write("serial", "01")
            openssl("ca", "-batch", "-config", "ca.cnf", "-in", f"{base}.csr", "-cert", f"{self.name}.pem", "-keyfile",
                    f"{self.name}.key", "-extfile", f"{base}.ext", "-startdate", "20200101000000Z", "-enddate",
                    "20200201000000Z", "-out", f"{base}.crt", "-notext")
        return write(f"{base}.pem", read(f"{base}.key") + read(f"{base}.crt"))


class SecureServer:
    """Calls handle(connection, head) for each head (up to an empty line) of each connection; False ends it."""

    def __init__(self, certificate, handle, alpn=("http/1.1",), newest=None, oldest=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if newest:
            self.context.set_ciphers("ALL:@SECLEVEL=0")
            self.context.minimum_version, self.context.maximum_version = oldest or newest, newest
        self.context.load_cert_chain(certificate)
        self.context.set_alpn_protocols(list(alpn))
        self.handle = handle
        self.heads = []
        self.n_connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with self.context.wrap_socket(connection, server_side=True) as secure:
                self.n_connections += 1
                self.talk(secure)
        except OSError:
            pass

    def talk(self, secure):
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                octet = secure.recv(1)
                if not octet:
                    return
                head += octet
            self.heads.append(head)
            if self.handle(secure, head) is False:
                return


def answer(text=b"hello", status=b"200 OK", more=b""):
    """A handler that always says the same."""
    whole = b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n" % len(text) + more + b"\r\n" + text
    return lambda connection, head: connection.sendall(whole[: -len(text)] if head.startswith(b"HEAD") and text else whole)
