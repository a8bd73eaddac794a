#!/bin/bash
# Stats: what a sandbox uses, from the host's and from the guest's view; one that hangs holds nobody up.
. "$(dirname "$0")/../lib/scenario.sh"
home_shared

field() { # field NAME PYTHON-EXPRESSION over the row `r`
	"$SBX" stats --json | python3 -c '
import json, sys
r = next(row for row in json.load(sys.stdin) if row["name"] == sys.argv[1])
print(eval(sys.argv[2]))' "$1" "$2"
}

like "a table" "$("$SBX" stats shared)" "^shared +running +[0-9.]+% +[0-9.]+ [KMG]iB"
is "... and only those that are named" "$("$SBX" stats shared --json | grep -c '"name"')" 1
is "the guest's memory is what it was given" "$(field shared '1900 << 10 < r["guest"]["memory_total_kib"] < 2048 << 10')" True
is "... of which some is in use" "$(field shared '0 < r["guest"]["memory_available_kib"] < r["guest"]["memory_total_kib"]')" True
is "its disk is what it was given" "$(field shared '28 << 20 < r["guest"]["disk_total_kib"] <= 32 << 20')" True
is "the host's memory is plausible" "$(field shared '20 << 20 < r["memory_bytes"] < 2 << 30')" True
is "the host's disk is" "$(field shared '1 << 20 < r["disk_bytes"] < r["disk_max_bytes"] == 32 << 30')" True
is "it has been running" "$(field shared '0 <= r["seconds"] < 86400')" True
"$SBX" exec shared timeout 30 sh -c 'while :; do :; done' &
load=$!
check "a busy guest uses a processor" within 20 sh -c "'$SBX' stats shared --json | python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)[0][\"cpu\"] < 0.6)'"
kill $load
wait $load 2>/dev/null
check "... and an idle one next to none" within 40 sh -c "'$SBX' stats shared --json | python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)[0][\"cpu\"] > 0.2)'"
timeout 3 "$SBX" stats shared --watch >"$scratch/watch"
check "--watch goes on" test "$(grep -c '^shared ' "$scratch/watch")" -ge 2

supervisor=$(role_pid shared supervisor)
kill -STOP "$supervisor"
begin=$(now_ms)
like "one that hangs is said to" "$("$SBX" stats)" "^shared +not answering"
check "... after a limit" test $(($(now_ms) - begin)) -lt 5000
kill -CONT "$supervisor"
"$SBX" pause shared
is "one that is paused says what the host knows" "$(field shared '(r["guest"], r["status"])')" "(None, 'paused')"
"$SBX" resume shared
"$SBX" stop shared
is "one that is stopped has its disk only" "$(field shared '(r["cpu"], r["memory_bytes"], r["disk_bytes"] > 0)')" "(None, None, True)"
"$SBX" stats none 2>"$scratch/err"
is "one that is not there is refused" $? 1
like "... with a sentence" "$(cat "$scratch/err")" "no sandbox 'none'"
done_testing
