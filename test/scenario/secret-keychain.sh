#!/bin/bash
# The desktop's keychain, a real one on a message bus of its own: in use, locked, hanging, empty, gone. No machine runs.
if [ -z "${KEYCHAIN_BUS:-}" ]; then
	for program in gnome-keyring-daemon dbus-run-session dbus-send; do
		command -v $program >/dev/null || { echo "1..0 # SKIP $program is not installed"; exit 0; }
	done
	# The bus starts keychains too: in this home, not in the person's.
	KEYCHAIN_BUS=$(mktemp -d)
	export KEYCHAIN_BUS HOME=$KEYCHAIN_BUS/home XDG_RUNTIME_DIR=$KEYCHAIN_BUS/run
	unset DISPLAY WAYLAND_DISPLAY XDG_DATA_HOME XDG_CONFIG_HOME XDG_CACHE_HOME
	mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR"
	dbus-run-session -- "$0" "$@" 2>/dev/null
	status=$?
	rm -rf "$KEYCHAIN_BUS"
	exit $status
fi
. "$(dirname "$0")/../lib/scenario.sh"
home_own
unset SBX_STORE OPENAI_API_KEY
call() { dbus-send --session --print-reply --dest=org.freedesktop.secrets "$@"; }
is_there() { # without having it started, as a call to it would
	dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
		org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q 'boolean true'
}
keychain_pid() {
	dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
		org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.secrets | awk '/uint32/ {print $2}'
}
put() { printf '%s\n' "$2" | "$SBX" secret set "$1" 2>&1; }

printf 'login password' | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null 2>&1
check "a keychain comes up" within 10 is_there
like "it is what is used" "$("$SBX" diagnose)" "ok +secrets +the keychain"
is "a secret goes there" "$(put openai real-key-1)" "Kept in the keychain."
is "... and is listed" "$("$SBX" secret ls | awk 'NR > 1 {print $1, $3}')" "openai keychain"
is "... and nowhere else" "$(ls "$SBX_HOME/data/secrets" 2>/dev/null; grep -rl real-key "$SBX_HOME")" ""
put openai real-key-2 >/dev/null
mkdir -p "$SBX_HOME/data/sandboxes/x"
said() { # what a vault would be told
	"$SBX_BUILD/sbx-store" feed x openai 3>"$scratch/fed" 2>"$scratch/err"
	sed -n '/^service openai/,$p' "$scratch/fed" | tail -n 2 | head -n 1
}
is "the last one is what vaults are told" "$(said)" "value real-key-2"
is "the file can be wished for" "$(export SBX_STORE="file"; put openai real-key-3)" "Kept in the encrypted file, until this machine restarts."
is "... and is told then" "$(said)" "value real-key-3"
is "... and the keychain has it no more" "$(call /org/freedesktop/secrets org.freedesktop.Secret.Service.SearchItems dict:string:string:application,sbx | grep -c /collection/)" 0
put openai real-key-4 >/dev/null

call /org/freedesktop/secrets org.freedesktop.Secret.Service.Lock array:objpath:/org/freedesktop/secrets/collection/login >/dev/null
like "one that is locked is named" "$(put groq x)" "the keychain is locked: unlock it, or use the encrypted file"
is "... nothing is forgotten for it" "$(said)" keep
like "... but said" "$(cat "$scratch/err")" "secret 'openai' cannot be used: the keychain is locked"
like "diagnose says so" "$("$SBX" diagnose)" "warning +secrets +the keychain is locked"
pid=$(keychain_pid)
kill -STOP "$pid"
begin=$(now_ms)
like "one that hangs is named" "$(put groq x)" "the keychain does not answer"
took=$(($(now_ms) - begin))
check "... within its limit ($took ms)" test $took -lt 8000
like "... by diagnose too" "$("$SBX" diagnose)" "warning +secrets +the keychain does not answer"
kill -KILL "$pid"
within 10 is_gone "$pid"

rm -rf "$HOME"
mkdir -m 700 "$HOME"
like "one that has no place for secrets leaves them to the file" "$("$SBX" diagnose)" "ok +secrets +the encrypted file .*no (default keyring|keychain)"
like "what was in one that is gone is named" "$(said; cat "$scratch/err")" "set it again"
done_testing
