#!/bin/bash
# The real Codex from npm works in a sandbox: it is installed into a template, talks to a model service through the proxy, over a
# WebSocket and without one, edits a file of the workspace by a tool call, and finishes. The service gets the true key, which the
# sandbox never has.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
export DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent
unset OPENAI_API_KEY CODEX_API_KEY
key=sk-canary+$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
agents=$(realpath "$lib/../../agents")

# What installing reaches may lie in a network that the policy keeps sandboxes from: this machine's word is asked for here.
addresses=$(awk '$1 == "install-hosts" { for (i = 2; i <= NF; i++) print $i }' "$agents/codex" |
	xargs -n 1 getent ahosts | awk '{ print $1 }' | sort -u)
[ -n "$addresses" ] || { echo "1..0 # SKIP no package registry can be found from here"; exit 0; }
# shellcheck disable=SC2086 # addresses have no blanks
"$SBX" policy allow network $addresses >/dev/null

# The host trusts one more authority, so the guest does too.
mkdir "$scratch/ca"
(
	cd "$scratch/ca" || exit
	new_key='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
	# shellcheck disable=SC2086
	openssl req -x509 $new_key -days 2 -subj '/CN=test authority' -keyout ca.key -out ca.pem
	# shellcheck disable=SC2086
	openssl req -new $new_key -subj '/CN=model' -keyout leaf.key -out leaf.csr
	openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
		-extfile <(echo subjectAltName=DNS:api.openai.com,DNS:chatgpt.com) -out leaf.pem
	cat leaf.pem leaf.key >server.pem
	cat "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" ca.pem >store.pem
) >/dev/null 2>&1
export SSL_CERT_FILE=$scratch/ca/store.pem

# A model server, and the names of the real one sent to it: serve RECORD OPTIONS...
serve() {
	local record=$1
	shift
	exec {answers}< <(exec "$lib/model-server" --certificate "$scratch/ca/server.pem" --record "$record" "$@" 2>"$scratch/server.err")
	server=$!
	read -r -t 20 -u "$answers" _ port
	"$SBX" settings set network.resolve "api.openai.com:443=127.0.0.1:$port,chatgpt.com:443=127.0.0.1:$port"
}
trap 'kill ${server:-} 2>/dev/null; finish' EXIT

# One session.
codex() {
	rm -f edited.txt
	"$SBX" run codex --name coder -- exec 'Edit the file.' \
		</dev/null >"$scratch/codex.out" 2>"$scratch/codex.err"
	status=$?
	[ $status -eq 0 ] || { say "codex: $(tail -n 20 "$scratch/codex.err")"; say "server: $(cat "$scratch/server.err")"; }
}

# What a request with that way of talking had as its credential: credential RECORD WAY
credential() {
	python3 -c '
import json, sys
print(*sorted({entry["authorization"] for entry in map(json.loads, open(sys.argv[1])) if entry["transport"] == sys.argv[2]}))
' "$1" "$2"
}

# Files below a folder that hold the text in one of its forms: holders FOLDER TEXT
holders() { python3 "$lib/search.py" "$2" "$1"; }

# What installs an agent runs scripts of others, and has no credential of the person's.
"$SBX" secret set xai --command "touch '$scratch/asked'; echo x" 2>/dev/null
check "Codex is installed into a template" "$SBX" template build codex
check "... by a sandbox that was given no secret" test ! -e "$scratch/asked"
"$SBX" secret rm xai

printf '%s\n' "$key" | "$SBX" secret set openai 2>/dev/null
serve "$scratch/websocket"
codex
is "Codex finishes" $status 0
is "... and has edited the workspace" "$(cat edited.txt)" "edited by the model"
is "... over a WebSocket, where the service got the true key" "$(credential "$scratch/websocket" websocket)" "Bearer $key"
is "... and nothing else" "$(credential "$scratch/websocket" sse)" ""
kill $server

serve "$scratch/events" --no-websocket
codex
is "Codex finishes where no WebSocket is to be had, and the name goes elsewhere while the sandbox runs" $status 0
is "... and has edited the workspace" "$(cat edited.txt)" "edited by the model"
is "... by events, with the true key" "$(credential "$scratch/events" sse)" "Bearer $key"
like "The journal tells of credentials that were put in" "$(grep '"path":"/v1/responses"' "$SBX_HOME/data/sandboxes/coder/journal")" \
	'"credential":"openai"'

like "In the sandbox there is a placeholder" "$("$SBX" exec coder printenv OPENAI_API_KEY)" '^sk-proj-[A-Za-z0-9]{36}$'
mkdir "$scratch/processes"
"$SBX" exec coder sudo sh -c 'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; dmesg' >"$scratch/processes/guest"
for role in supervisor engine link keeper; do
	pids="${pids:-} $(role_pid coder $role)"
done
for pid in $pids $(pgrep -P "$(role_pid coder keeper)"); do
	cat "/proc/$pid/environ" "/proc/$pid/cmdline" >"$scratch/processes/$pid"
done
check "What runs can be looked at, here and there" test -s "$scratch/processes/guest" -a "$(find "$scratch/processes" -type f -size +0 | wc -l)" -ge 7
is "No program was started with the key, here or there" "$(holders "$scratch/processes" "$key")" ""
known=known-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
"$SBX" exec coder sh -c "printf '%s' '$known' >/dev/shm/known"
"$SBX" stop coder
folder=$SBX_HOME/data/sandboxes/coder
like "What the sandbox has in its memory is found where that is saved" "$(holders "$folder" "$known")" '/saved/'
is "Neither disk, saved memory, journal, log nor anything else that is kept holds the key in the clear" "$(holders "$SBX_HOME" "$key")" ""
say "$(du -sh "$SBX_HOME" | cut -f 1) was looked through"

"$SBX" policy deny network api.openai.com >/dev/null
"$SBX" run codex --name coder -- --version >/dev/null 2>"$scratch/err"
like "What the policy denies to Codex is said when it starts" "$(cat "$scratch/err")" \
	"'codex' needs api.openai.com, which the rule 'deny api.openai.com' denies"
done_testing
