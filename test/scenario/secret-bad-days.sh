#!/bin/bash
# A vault that dies: whoever feeds it hears so at once, and what it had is given anew. A command that fails later than at first, and
# a host's certificates that cannot be read.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
unset OPENAI_API_KEY CODEX_API_KEY GH_TOKEN GITHUB_TOKEN GROQ_API_KEY XAI_API_KEY
export DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent
printf 'correct horse\n' >"$scratch/passphrase"
export SBX_PASSPHRASE_FILE=$scratch/passphrase

store_of() { pgrep -f "sbx-store feed dies${1:+ $1}\$"; }
holds_pipe() { find "/proc/$(role_pid dies supervisor)/fd" -printf '%l\n' | grep -qxF "$1"; }
# The supervisor has the pipe of the store, and waits for the vault.
is_fed() {
	local store
	store=$(store_of "$@") && holds_pipe "$(readlink "/proc/$store/fd/3")"
}
is_another_vault() {
	local vault
	vault=$(role_pid dies vault)
	[ "${vault:-0}" != 0 ] && [ "$vault" != "$1" ]
}
kill_vault() {
	local old
	old=$(role_pid dies vault)
	kill -9 "$old"
	within 10 is_another_vault "$old"
}

# A server on this machine, which the host trusts; the guest calls it host.docker.internal.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -addext subjectAltName=DNS:localhost \
	-keyout "$scratch/key" -out "$scratch/certificate" 2>/dev/null
cat "$scratch/certificate" "$scratch/key" >"$scratch/server.pem"
cp "$scratch/certificate" "$scratch/store.pem"
export SSL_CERT_FILE=$scratch/store.pem
python3 "$lib/tls-echo.py" "$scratch/server.pem" "$scratch/requests" >"$scratch/port" &
server=$!
trap 'kill $server; finish' EXIT
within 10 test -s "$scratch/port"
url=https://host.docker.internal:$(cat "$scratch/port")/
"$SBX" policy allow network "localhost:$(cat "$scratch/port")" >/dev/null

"$SBX" create shell --name dies --no-mount --memory 2g -q >/dev/null

# ---- while it is fed ----
begin=$(now_ms)
"$SBX" secret set groq --command 'sleep 100' 2>"$scratch/err" &
caller=$!
check "a vault is fed" within 20 is_fed groq
store=$(store_of groq)
kill_vault
wait $caller
is "where it dies, the command fails" $? 1
took=$(($(now_ms) - begin))
check "... at once ($took ms)" test $took -lt 7000
like "... and says so" "$(cat "$scratch/err")" "^sbx: sandbox 'dies' has not taken the secrets: its vault ended before it had them$"
check "... and the store's process ends" within 5 is_gone "$store"
check "the same command tries again" "$SBX" secret set groq --command 'echo abc'

"$SBX" secret set groq --command 'sleep 100' 2>/dev/null &
caller=$!
within 20 is_fed groq
store=$(store_of groq)
{ kill -9 $caller; wait $caller; } 2>/dev/null
pipe=$(readlink "/proc/$store/fd/3")
is_let_go() { ! holds_pipe "$pipe"; }
check "one that is killed meanwhile is forgotten" within 5 is_let_go
kill_vault
check "... and its store ends with the vault" within 5 is_gone "$store"

# ---- at a start ----
"$SBX" stop dies
"$SBX" exec dies echo up >"$scratch/out" 2>"$scratch/err" &
caller=$!
check "a vault is fed at the start" within 60 is_fed
store=$(store_of)
begin=$(now_ms)
kill_vault
wait $caller
is "where it dies, the sandbox goes on without" "$?$(cat "$scratch/out")" 0up
took=$(($(now_ms) - begin))
check "... at once ($took ms)" test $took -lt 10000
like "... and it is said" "$(cat "$scratch/err")" "^sbx: sandbox 'dies' has not taken the secrets: its vault ended before it had them$"
check "... and the store's process ends" within 5 is_gone "$store"
"$SBX" secret rm groq

# ---- while it runs ----
echo acme-key | "$SBX" secret set-custom --host "host.docker.internal:$(cat "$scratch/port")" --header 'X-Acme-Key: %s' --env ACME_KEY 2>/dev/null
XAI_API_KEY=for-this-run "$SBX" run shell --name dies -d >/dev/null
holder=$("$SBX" exec dies printenv ACME_KEY)
like "what is in the environment of a run counts" "$("$SBX" exec dies printenv XAI_API_KEY)" "^xai-"
mkfifo "$scratch/go"
# shellcheck disable=SC2016 # the guest's variable
"$SBX" exec -i dies sh -c 'read -r _; curl -sS -m 20 -w "%{http_code}" -H "X-Acme-Key: $ACME_KEY" "$1"' sh "$url" <"$scratch/go" >"$scratch/out" 2>&1 &
caller=$!
exec {go}>"$scratch/go"
within 20 "$SBX" exec dies pgrep -f 'read -r _'
kill_vault
echo >&"$go"
exec {go}>&-
wait $caller
like "where it dies, requests to its hosts are answered with what helps" "$(tr '\n' ' ' <"$scratch/out")" "'sbx exec dies' gives them anew 502"
check "... and did not get there" test ! -s "$scratch/requests"
is "the next command gives all there are anew" "$("$SBX" exec dies curl -sS -m 20 "$url" 2>"$scratch/err")" ok
is "... with the value" "$(grep -i '^x-acme-key' "$scratch/requests" | tr -d '\r')" "X-Acme-Key: acme-key"
like "... says what does not come back" "$(cat "$scratch/err")" "^sbx: the secret 'xai' of sandbox 'dies' has gone with its vault, and is kept nowhere: 'sbx run' with"
is "... which has no variable any more" "$("$SBX" exec dies printenv XAI_API_KEY 2>"$scratch/err")" ""
is "... and says it once" "$(cat "$scratch/err")" ""
is "the placeholder is the same" "$("$SBX" exec dies printenv ACME_KEY)" "$holder"
kill_vault
echo xai-key | "$SBX" secret set xai 2>/dev/null
# shellcheck disable=SC2016
like "one that is set meanwhile leaves the others to be given" "$("$SBX" exec dies sh -c 'echo "$XAI_API_KEY $ACME_KEY"') $("$SBX" exec dies curl -sS -m 20 "$url")" "^xai-.* $holder ok$"
"$SBX" secret rm xai

# ---- a command that fails at a later start ----
echo from-a-file >"$scratch/value"
"$SBX" secret set groq --command "cat '$scratch/value'" --refresh 1s
like "a command says a secret" "$("$SBX" exec dies printenv GROQ_API_KEY)" '^gsk_'
"$SBX" stop dies
rm "$scratch/value"
is "where it fails at the next start, the sandbox goes on without" "$("$SBX" exec dies sh -c 'echo "up $GROQ_API_KEY"' 2>"$scratch/err")" "up "
like "... and says why" "$(cat "$scratch/err")" "^sbx: secret 'groq' cannot be used: the command ended with status 1$"
is "... and has the others" "$("$SBX" exec dies printenv ACME_KEY)" "$holder"
echo from-a-file >"$scratch/value"
check "... until it says one again" within 10 "$SBX" exec dies printenv GROQ_API_KEY
"$SBX" secret rm groq

# ---- certificates of the host that cannot be read ----
"$SBX" stop dies
: >"$scratch/requests"
mv "$scratch/store.pem" "$scratch/store.away"
out=$("$SBX" exec dies curl -sS -m 20 -w '%{http_code}' "$url" 2>"$scratch/err" | tr '\n' ' ')
like "without the certificates that SSL_CERT_FILE names no server is believed" "$out" "comes from nobody whom this machine trusts 502"
check "... and gets no request" test ! -s "$scratch/requests"
like "... the log says why" "$(cat "$SBX_HOME/data/sandboxes/dies/supervisor.log")" "'$scratch/store.pem' cannot be read: no server's certificate can be verified"
mv "$scratch/store.away" "$scratch/store.pem"
answers() { [ "$("$SBX" exec dies curl -sS -m 20 "$url")" = ok ]; }
check "... until they are there" within 10 answers
done_testing
