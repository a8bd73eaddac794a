#!/bin/bash
# What programs in a sandbox and in its containers see of the network: names that always resolve, connections that the host
# carries by name, and nothing else that leaves.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
"$SBX" create shell --name net --no-mount --memory 2g -q >/dev/null || { echo "Bail out! no sandbox"; exit 1; }

# The user's own machine: a server that answers with the request line.
cat >"$scratch/server.py" <<'END'
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"host says {self.path}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
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
"$SBX" policy allow network --sandbox net "localhost:$port" >/dev/null

in_net() { "$SBX" exec net "$@"; }

like "a name resolves to an address that is nobody's" "$(in_net getent hosts example.com)" '^198\.19\.[0-9.]+ +example\.com$'
is "twice to the same one" "$(in_net getent hosts EXAMPLE.com | cut -d' ' -f1)" "$(in_net getent hosts example.com | cut -d' ' -f1)"
is "the address has that name" "$(in_net sh -c 'getent hosts $(getent hosts pypi.org | cut -d" " -f1)' | awk '{print $2}')" pypi.org
is "the sandbox's own name stays inside" "$(in_net sh -c 'getent hosts $(hostname)' | awk '{print $1}')" 127.0.1.1
is "no proxy is set in the environment" "$(in_net env | grep -ci proxy)" 0
is "a connection is carried to the user's machine" "$(in_net curl -sS -m 20 "http://host.docker.internal:$port/one")" "host says /one"
like "what is not allowed says so" "$(in_net curl -sS -m 20 http://example.com/)" 'Blocked by sbx policy: example.com:80'
like "an address too" "$(in_net curl -sS -m 20 http://192.0.2.1/)" 'Blocked by sbx policy: 192.0.2.1:80'
check "UDP is refused at once" in_net python3 -c '
import socket, sys
for family, address in (socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(5)
    try:
        s.connect((address, 443))
        s.send(b"x")
        s.recv(1)
    except TimeoutError:
        sys.exit("nothing came back")
    except OSError:
        pass'

# Containers.
in_net sh -ec '
	cd "$(mktemp -d)"
	mkdir -p root/bin root/etc
	for program in dash curl cat sleep; do
		path=$(command -v $program)
		mkdir -p root$(dirname $path)
		cp -L $path root$path
		ldd $path | grep -o "/[^ ]*" | while read -r file; do mkdir -p root$(dirname $file); cp -Ln $file root$file; done
	done
	cp -L /lib/x86_64-linux-gnu/libnss_*.so.2 root/lib/x86_64-linux-gnu/
	cp -L "$(command -v dash)" root/bin/sh
	echo "hosts: files dns" >root/etc/nsswitch.conf
	tar -C root -c . | docker import - net >/dev/null
	docker network create own >/dev/null' || echo "Bail out! no image"
for network in bridge own host; do
	is "a container on the network '$network' is carried too" \
		"$(in_net docker run --rm --network $network net curl -sS -m 30 "http://host.docker.internal:$port/$network")" "host says /$network"
done
like "and hears the same of what is not allowed" "$(in_net docker run --rm net curl -sS -m 30 http://example.com/)" \
	'Blocked by sbx policy: example.com:80'
is "a build is carried" "$("$SBX" exec -i net sh -c 'docker build -q -t built - >/dev/null && docker run --rm built' <<END
FROM net
RUN ["/usr/bin/curl", "-sS", "-m", "30", "-o", "/got", "http://host.docker.internal:$port/build"]
CMD ["/usr/bin/cat", "/got"]
END
)" "host says /build"
# What this machine trusts, the sandbox's own authority with it, containers trust too: by variables, in a build as well, and in place
# of an image's own certificates, but not of what somebody mounts there.
blocked='^Blocked by sbx policy: denied.test:443'
like "a container can read a denial over TLS" "$(in_net docker run --rm net curl -sS -m 30 https://denied.test/ 2>&1)" "$blocked"
like "... and what is executed in it later" \
	"$(in_net sh -c 'docker run -d --rm --name later net sleep 600 >/dev/null; docker exec later curl -sS -m 30 https://denied.test/; docker rm -f later >/dev/null' 2>&1)" "$blocked"
like "a step of a build can" "$("$SBX" exec -i net sh -c 'docker build -q -t trusting - >/dev/null && docker run --rm trusting' <<'END' 2>&1
FROM net
RUN ["/usr/bin/curl", "-sS", "-m", "30", "-o", "/got", "https://denied.test/"]
CMD ["/usr/bin/cat", "/got"]
END
)" "$blocked"
is "the image has no file for it" "$(in_net docker run --rm --entrypoint /bin/sh trusting -c 'test -e /etc/ssl && echo there')" ""
in_net sh -ec 'cd "$(mktemp -d)"; mkdir -p root/etc/ssl/certs; echo none >root/etc/ssl/certs/ca-certificates.crt
	tar -C root -c . >files.tar; printf "FROM net\nADD files.tar /\n" >Dockerfile; docker build -q -t untrusting . >/dev/null'
like "an image's own certificates are replaced" \
	"$(in_net docker run --rm -e SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt untrusting curl -sS -m 30 https://denied.test/ 2>&1)" "$blocked"
is "a volume's are not" "$(in_net sh -c 'echo mine >/tmp/mine; docker run --rm -v /tmp/mine:/etc/ssl/certs/ca-certificates.crt untrusting cat /etc/ssl/certs/ca-certificates.crt')" mine

in_net sh -c 'docker run -d --rm --name deaf --network own net sleep 600 >/dev/null'
like "containers know each other by name" "$(in_net docker run --rm --network own net curl -sS -m 10 http://deaf/ 2>&1)" 'refused|Could not connect'

# A rule that a person takes back counts for what is open too.
python3 - "$SBX" "$port" >"$scratch/out" 2>&1 <<'END'
import subprocess, sys, time
sbx, port = sys.argv[1:]
script = f"""
import http.client, sys
c = http.client.HTTPConnection("host.docker.internal", {port}, timeout=30)
def ask():
    try:
        c.request("GET", "/kept")
        r = c.getresponse()
        return r.status, r.read()[:40]
    except (OSError, http.client.HTTPException) as e:
        return type(e).__name__, b""
print(ask()[0], flush=True)
sys.stdin.readline()
print(ask()[0], flush=True)
"""
p = subprocess.Popen([sbx, "exec", "-i", "net", "python3", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
first = p.stdout.readline().strip()
subprocess.run([sbx, "policy", "deny", "network", "--sandbox", "net", f"localhost:{port}"], check=True, stdout=subprocess.DEVNULL)
p.stdin.write("\n")
p.stdin.flush()
second = p.stdout.readline().strip()
print(first, second)
sys.exit(not (first == "200" and second != "200"))
END
is "a connection that was kept is refused once a rule denies it" $? 0
"$SBX" policy rm network --sandbox net "localhost:$port" >/dev/null 2>&1
"$SBX" policy allow network --sandbox net "localhost:$port" >/dev/null
check "the journal has it" grep -q '"decision":"deny"' "$SBX_HOME/data/sandboxes/net/journal"
like "policy log sums it up" "$("$SBX" policy log net)" "example.com:80"
store=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
is "what the host trusts is trusted inside" "$(in_net sh -c 'head -c '"$(wc -c <"$store")"' "$SSL_CERT_FILE" | sha256sum')" "$(sha256sum <"$store")"
is "... and one certificate more" "$(in_net sh -c 'grep -c BEGIN "$SSL_CERT_FILE"')" $(($(grep -c BEGIN "$store") + 1))

# A restore: what was open is over, what is new works.
in_net sh -c 'curl -sS -N http://host.docker.internal:'"$port"'/before >/dev/null'
"$SBX" stop net >/dev/null
is "after a restore connections are carried again" "$(in_net curl -sS -m 20 "http://host.docker.internal:$port/after")" "host says /after"
is "and from containers that were there before" "$(in_net docker exec deaf curl -sS -m 30 "http://host.docker.internal:$port/again")" \
	"host says /again"
"$SBX" exec -u root net pkill -9 -x sbx-network
is "a carrier that dies is replaced" \
	"$(in_net curl -sS -m 20 --retry 5 --retry-all-errors "http://host.docker.internal:$port/replaced")" "host says /replaced"
done_testing
