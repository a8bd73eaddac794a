#!/bin/bash
# Sandboxes that start from one state have nothing secret in common, share its memory, and cannot change it.
. "$(dirname "$0")/../lib/scenario.sh"
home_own

for name in a b; do
	"$SBX" create shell --name $name --memory 2g -q >/dev/null
	"$SBX" exec $name bash -c '
		head -c 32 /dev/urandom | od -An -tx1 | tr -d " \n"; echo
		cat /proc/sys/kernel/random/uuid
		python3 -c "import secrets, uuid, ssl; print(secrets.token_hex(16)); print(uuid.uuid4())"
		echo $SRANDOM
		openssl rand -hex 16 2>/dev/null || node -p "require(\"crypto\").randomBytes(16).toString(\"hex\")"
		ssh-keygen -q -t ed25519 -N "" -f /tmp/key </dev/null && cat /tmp/key.pub
		cat /etc/machine-id /proc/sys/kernel/random/boot_id; hostname' >"$scratch/$name"
done
is "both say as much" "$(wc -l <"$scratch/a")" "$(wc -l <"$scratch/b")"
check "... and enough" test "$(wc -l <"$scratch/a")" -ge 9
is "nothing of it is equal" "$(sort "$scratch/a" "$scratch/b" | uniq -d)" ""
hello='python3 -c "
import ssl
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname=\"x\")
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    print(outgoing.read()[11:43].hex())"'
one=$("$SBX" exec a sh -c "$hello") two=$("$SBX" exec b sh -c "$hello")
is "a TLS client's random is 32 bytes" ${#one} 64
check "... and differs" test "$one" != "$two"
check "the kernel saw that it was copied" "$SBX" exec -u root a sh -c 'dmesg | grep -i "crng reseeded due to virtual machine fork"'
is "the template brings no host keys" "$("$SBX" exec a sh -c 'ls /etc/ssh/ssh_host_* 2>/dev/null')" ""

# ---- the memory that they share ----
engine=$(role_pid a engine)
memory=$(find "/proc/$engine/fd" -lname '*memfd:sbx-ram*' | head -n 1)
check "the engine has it as a file without a name" test -n "$memory"
check "nobody can write to it" sh -c "! dd if=/dev/urandom of='$memory' bs=4096 count=1 conv=notrunc 2>/dev/null"
check "nor punch holes into it" sh -c "! fallocate --punch-hole --offset 0 --length 4096 '$memory' 2>/dev/null"
check "nor change its size" sh -c "! truncate -s 0 '$memory' 2>/dev/null"
same=$(stat -Lc %i "$memory") other=$(find "/proc/$(role_pid b engine)/fd" -lname '*memfd:sbx-ram*' -exec stat -Lc %i {} + | head -n 1)
is "both map the very same" "$same" "$other"
"$SBX" exec -u root a sh -c 'dd if=/dev/urandom of=/dev/shm/fill bs=1M count=200 2>/dev/null; head -c 100 /dev/urandom >/etc/machine-id'
is "what one does to its memory, a new one does not see" \
	"$("$SBX" run --name c shell --memory 2g -- -c 'ls /dev/shm; wc -c </etc/machine-id')" 33
"$SBX" rm -f c

# ---- the host's clock is set: to what it shows already, which is enough to be noticed ----
if [ "$(id -u)" -eq 0 ] && date -s "@$(date +%s.%N)" >/dev/null 2>&1; then
	"$SBX" exec -u root a date -s '2001-02-03' >/dev/null
	like "a guest's clock can be wrong" "$("$SBX" exec a date +%Y)" "^2001$"
	date -s "@$(date +%s.%N)" >/dev/null
	check "... until the host's is set" within 10 sh -c "test \"\$('$SBX' exec a date +%Y)\" -gt 2001"
fi

# ---- one start state, made once ----
before=$(ls "$SBX_HOME/cache/starts")
"$SBX" run --name d shell --memory 2g -- true 2>"$scratch/err"
is "a start says nothing" "$(cat "$scratch/err")" ""
is "... and makes no other start state" "$(ls "$SBX_HOME/cache/starts")" "$before"
is "the Docker engine answers at once" "$("$SBX" exec d docker version --format '{{.Server.Os}}')" linux
done_testing
