#!/bin/bash
# Secrets of a sandbox that runs: placeholders inside, values nowhere but in its vault; changes, forks, suspending.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
ulimit -c unlimited 2>/dev/null
unset OPENAI_API_KEY CODEX_API_KEY GH_TOKEN GITHUB_TOKEN GROQ_API_KEY XAI_API_KEY
export DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent
canary=canary-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
value() { "$SBX" exec "$1" printenv "$2"; }

# A server on this machine, which the host trusts; the guest calls it host.docker.internal.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -addext subjectAltName=DNS:localhost \
	-keyout "$scratch/key" -out "$scratch/certificate" 2>/dev/null
cat "$scratch/certificate" "$scratch/key" >"$scratch/server.pem"
cat /etc/ssl/certs/ca-certificates.crt "$scratch/certificate" >"$scratch/store.pem" 2>/dev/null
export SSL_CERT_FILE=$scratch/store.pem
python3 "$lib/tls-echo.py" "$scratch/server.pem" "$scratch/requests" >"$scratch/port" &
server=$!
within 10 test -s "$scratch/port"
port=$(cat "$scratch/port")
"$SBX" policy allow network "localhost:$port" >/dev/null
printf '%s-custom' "$canary" | "$SBX" secret set-custom --host "host.docker.internal:$port" --header 'X-Acme-Key: %s' --env ACME_KEY 2>/dev/null

printf '%s-stored\n' "$canary" | "$SBX" secret set openai 2>/dev/null
XAI_API_KEY=$canary-shell "$SBX" create shell --name x --no-mount --memory 2g -q >/dev/null
like "the variable holds a placeholder" "$(value x OPENAI_API_KEY)" '^sk-proj-[A-Za-z0-9]{36}$'
like "... that of the shell's environment too" "$(value x XAI_API_KEY)" '^xai-[A-Za-z0-9]{36}$'
is "what has no secret has no variable" "$(value x GH_TOKEN)" ""
is "what is said for one command counts there" "$("$SBX" exec -e OPENAI_API_KEY=mine x printenv OPENAI_API_KEY)" mine
is "a bare name brings no value in" "$(XAI_API_KEY=$canary-bare "$SBX" exec -e XAI_API_KEY x printenv XAI_API_KEY)" "$(value x XAI_API_KEY)"
placeholder=$(value x OPENAI_API_KEY)
# ---- on the way out ----
ask() { "$SBX" exec x sh -c "curl -sS -m 20 -H \"X-Acme-Key: \$ACME_KEY\" ${1:-} https://host.docker.internal:$port/ 2>&1"; }
is "a request to the service's host is answered" "$(ask)" ok
is "... and had the secret" "$(grep -i '^x-acme-key' "$scratch/requests" | tr -d '\r')" "X-Acme-Key: $canary-custom"
is "... by no other name" "$(ask "-H 'Authorization: Bearer other'")$(grep -ci '^authorization' "$scratch/requests")" ok0
like "a placeholder on its way elsewhere stops the request" "$(ask "-H 'X-Other: $placeholder'")" "sbx|Blocked|refused"
is "... before it is there" "$(grep -c "$placeholder" "$scratch/requests")" 0

# ---- changes ----
begin=$(now_ms)
printf '%s-github\n' "$canary" | "$SBX" secret set github --sandbox x 2>/dev/null
took=$(($(now_ms) - begin))
like "a new one is there at once" "$(value x GH_TOKEN)" '^ghp_[A-Za-z0-9]{36}$'
check "... in less than a second ($took ms)" test $took -lt 1000
"$SBX" secret rm github --sandbox x
is "one that is removed is gone" "$(value x GH_TOKEN)" ""
"$SBX" secret set groq --command "printf $canary-command" --refresh 2s
store=$(pgrep -f "sbx-store feed x groq")
check "a command that is to be run again keeps a process" test -n "$store"

# ---- where the values are ----
seen() { # seen PID: in the memory or the environment of that process, or what it was started with
	python3 - "$1" "$canary" <<'END'
import sys
pid, needle = sys.argv[1:]
forms = [needle.encode(), needle.encode("utf-16-le")]
found = set()
for name in ("environ", "cmdline"):
    with open(f"/proc/{pid}/{name}", "rb") as file:
        if any(form in file.read() for form in forms):
            found.add(name)
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
    for line in maps:
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        if "r" not in line.split()[1] or line.split()[-1] in ("[vvar]", "[vsyscall]"):
            continue
        rest = b""
        try:
            memory.seek(begin)
            while begin < end:
                more = memory.read(min(end - begin, 16 << 20))
                if not more:
                    break
                if any(form in rest + more for form in forms):
                    found.add("memory")
                rest = more[-200:]
                begin += len(more)
        except OSError:
            pass
print(" ".join(sorted(found)))
END
}
for role in supervisor link keeper proxy engine; do
	is "the $role has seen no value" "$(seen "$(role_pid x $role)")" ""
done
vault=$(pgrep -P "$(role_pid x keeper)" -f sbx-vault)
is "the vault has them in its memory" "$(seen "$vault")" memory
is "no file of the sandbox has" "$(python3 "$lib/search.py" "$canary" "$SBX_HOME/data/sandboxes" "$SBX_HOME/run" "$SBX_HOME/data/secrets")" ""

# ---- forks, suspending ----
"$SBX" fork x y >/dev/null
is "a fork has its parent's placeholders" "$(value y OPENAI_API_KEY)" "$placeholder"
"$SBX" rm -f y >/dev/null
"$SBX" stop x
kill $server
check "the store's process ends with the sandbox" within 10 is_gone "$store"
is "what was suspended has no value" "$(python3 "$lib/search.py" "$canary" "$SBX_HOME/data/sandboxes")" ""
is "what goes on has the same placeholder" "$(value x OPENAI_API_KEY)" "$placeholder"
is "... and nothing of another shell's environment" "$(value x XAI_API_KEY)" ""
"$SBX" create shell --name z --no-mount --memory 2g -q >/dev/null
# ---- what belongs to one sandbox ends with it ----
echo "$canary-own" | "$SBX" secret set nebius --sandbox x 2>/dev/null
"$SBX" rm -f x >/dev/null
is "what was for one sandbox is gone with it" "$("$SBX" secret ls | grep -c nebius)" 0
"$SBX" run shell --rm --name w --no-mount --memory 2g -- -c 'read -r line' < <(
	within 60 sh -c "'$SBX' exec w true 2>/dev/null" && echo "$canary-own" | "$SBX" secret set nebius --sandbox w >/dev/null 2>&1
	"$SBX" secret ls >"$scratch/listed"
	echo go
) >/dev/null 2>&1
like "... which it had" "$(cat "$scratch/listed")" "nebius +w"
is "... also with one that was run with --rm" "$("$SBX" secret ls | grep -c nebius)" 0

check "another sandbox has others" test "$(value z OPENAI_API_KEY)" != "$placeholder"

# ---- what dies ----
for role in "$(pgrep -P "$(role_pid z keeper)" -f sbx-vault)" "$(role_pid z proxy)"; do
	kill -ABRT "$role"
	check "a role that is killed by a fault is gone" within 10 is_gone "$role"
done
is "... and leaves no memory behind" "$(find / -xdev -name 'core*' -type f -newer "$scratch/port" -size +100k 2>/dev/null)" ""
done_testing
