#!/usr/bin/env python3
"""server.py CERTIFICATE-AND-KEY RECORD REPOSITORIES: what the clients ask, on loopback. Says its port.

Answers over HTTP/1.1, echoes a message over a WebSocket (RFC 6455), and has git's own server for paths that end as git's do.
Each field of each request becomes a line "PATH NAME: VALUE" of RECORD.
"""
import base64
import hashlib
import http.server
import os
import ssl
import subprocess
import sys

CERTIFICATE, RECORD, REPOSITORIES = sys.argv[1:]
WEBSOCKET_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE = 0x81, 0x88


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, query = self.path.partition("?")
        with open(RECORD, "a", encoding="utf-8") as record:
            record.write("".join(f"{path} {name.lower()}: {value}\n" for name, value in self.headers.items()))
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.websocket()
        elif ".git/" in path:
            self.git(path, query)
        else:
            self.answer(200, {}, f"hello {path}\n".encode())

    do_POST = do_GET

    def answer(self, status, fields, body):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def git(self, path, query):
        """git-http-backend(1) is a CGI program."""
        if "Authorization" not in self.headers:
            self.answer(401, {"WWW-Authenticate": 'Basic realm="test"'}, b"")
            return
        variables = {
            "GIT_PROJECT_ROOT": REPOSITORIES, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        made = subprocess.run(["git", "http-backend"], input=self.rfile.read(int(self.headers.get("Content-Length", 0))),
                              env=os.environ | variables, stdout=subprocess.PIPE, check=True).stdout
        head, _, body = made.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.answer(int(fields.pop("Status", "200").split()[0]), fields, body)

    def websocket(self):
        """One short message, backwards; then the end."""
        digest = hashlib.sha1((self.headers["Sec-WebSocket-Key"] + WEBSOCKET_KEY).encode()).digest()
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"),
                            ("Sec-WebSocket-Accept", base64.b64encode(digest).decode())):
            self.send_header(name, value)
        self.end_headers()
        length = self.rfile.read(2)[1] & 127
        mask = self.rfile.read(4)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(length)))
        self.wfile.write(bytes([TEXT, length]) + text[::-1] + bytes([CLOSE, 2]) + (1000).to_bytes(2, "big"))
        self.close_connection = True

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
