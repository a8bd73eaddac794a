#!/bin/bash
# A vault that dies: whoever feeds it hears so at once.
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
kill -9 $caller
wait $caller 2>/dev/null
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
done_testing
