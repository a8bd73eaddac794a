#!/bin/bash
# Connections in bad times: thousands at once, a proxy or a machine that goes in the middle of a transfer, garbage on the port.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
"$SBX" create shell --name box --no-mount --memory 2g -q >/dev/null || { echo "Bail out! no sandbox"; exit 1; }

# Serves /slow without end, and everything else at once.
cat >"$scratch/server.py" <<'END'
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        slow = self.path == "/slow"
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 40) if slow else "3")
        self.end_headers()
        try:
            self.wfile.write(b"ok\n")
            while slow:
                self.wfile.write(b"x" * 1000)
                time.sleep(0.02)
        except OSError:
            pass
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
END
python3 "$scratch/server.py" >"$scratch/port" &
server=$!
trap 'kill $server 2>/dev/null; finish' EXIT
within 10 test -s "$scratch/port"
port=$(cat "$scratch/port")
"$SBX" policy allow network --sandbox box "localhost:$port" >/dev/null
url=http://host.docker.internal:$port

get() { "$SBX" exec box curl -sS -m 20 --retry 5 --retry-all-errors "$url/"; }
memory_kib() { awk "/^$2:/ { print \$2 }" "/proc/$(role_pid box "$1")/status"; }

# A transfer that goes on until something ends it, and has no caller to end with.
transfer() { # transfer NAME
	"$SBX" exec box setsid -f sh -c "curl -sS -o /tmp/$1.got $url/slow >/tmp/$1.out 2>&1; echo ended \$? >>/tmp/$1.out" >/dev/null 2>&1 </dev/null
	within 30 "$SBX" exec box test -s "/tmp/$1.got"
}
has_ended() { "$SBX" exec box grep -q '^ended [1-9]' "/tmp/$1.out"; }

is "what is allowed is reached" "$(get)" ok
transfer first
proxy=$(role_pid box proxy)
kill -9 "$proxy"
check "a transfer ends when the proxy dies, and says that it is not whole" within 20 has_ended first
is "a new proxy takes its place" "$(get)" ok
is "... with the same rules" "$("$SBX" exec box curl -sS -m 20 http://example.com/ | head -n 1)" "Blocked by sbx policy: example.com:80"

transfer second
"$SBX" stop box >/dev/null
is "after a restore in the middle of a transfer connections are carried" "$(get)" ok
check "... and the transfer has ended" within 20 has_ended second

# The guest's root says what it likes on the port, in place of our program.
"$SBX" exec -u root box python3 -c '
import glob, os, subprocess, time
names = glob.glob("/sys/class/virtio-ports/*/name")
port = next("/dev/" + n.split("/")[-2] for n in names if open(n).read().strip() == "sbx.network")
sent = 0
end = time.monotonic() + 30
while sent < 5 and time.monotonic() < end:
    subprocess.run(["pkill", "-9", "-x", "sbx-network"])
    try:
        fd = os.open(port, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        continue
    try:
        os.write(fd, (b"\0", b"\1\xff\xff", b"\2", b"GET / HTTP/1.1\r\n\r\n", os.urandom(64))[sent] * 500)
    except BlockingIOError:
        pass
    os.close(fd)
    sent += 1
print(sent)' >"$scratch/sent" 2>&1
is "garbage is written to the port" "$(cat "$scratch/sent")" 5
is "... and the next session works" "$(get)" ok
is "the supervisor has seen no reason to end" "$("$SBX" ls -q)" box

# Ten thousand at once, all of which the host keeps, as they are allowed and have asked for nothing yet.
before=$(memory_kib proxy VmRSS)
"$SBX" exec -i -u root box python3 - "$port" >"$scratch/many" 2>&1 <<'END' &
import resource, selectors, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
address = (socket.gethostbyname("host.docker.internal"), int(sys.argv[1]))
kept = []
for n in range(10000):
    s = socket.socket()
    s.settimeout(60)
    s.connect(address)
    s.sendall(b"GET / HTTP/1.1\r\nHost: host.docker.internal:%d\r\n" % address[1])
    kept.append(s)
print("open", flush=True)
answered = 0
for s in kept[-50:]:  # a head that is not whole has half a minute
    s.sendall(b"\r\n")
    answered += s.recv(100).startswith(b"HTTP/1.1 200")
print("answered", answered, flush=True)
END
many=$!
check "ten thousand connections are made" within 150 grep -q open "$scratch/many"
grown=$(($(memory_kib proxy VmRSS) - before))
say "the proxy has grown by $grown KiB, its link has $(memory_kib link VmRSS)"
check "the proxy's memory is bounded" test "$grown" -lt 200000
begin=$(now_ms)
check "a command is answered meanwhile" "$SBX" exec box true
say "within $(($(now_ms) - begin)) ms"
wait $many
is "and they are served when they ask" "$(tail -n 1 "$scratch/many")" "answered 50"
is "afterwards all is as before" "$(get)" ok
done_testing
