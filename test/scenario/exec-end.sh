#!/bin/bash
# A command without a terminal ends with its caller, and hears its signals.
. "$(dirname "$0")/../lib/scenario.sh"
home_shared

"$SBX" exec shared sleep 4242 &
caller=$!
check "the command runs" within 20 "$SBX" exec shared pgrep -f 'sleep 4242'
kill -9 $caller
check "it ends when its caller was killed" within 20 sh -c "! '$SBX' exec shared pgrep -f 'sleep 4242'"

"$SBX" exec shared bash -c 'trap "exit 9" TERM; echo ready; while :; do read -t 1 <> <(:); done' >"$scratch/out" &
caller=$!
check "another one runs" within 20 grep -q ready "$scratch/out"
kill -TERM $caller
wait $caller
is "a signal to the caller reaches the command" $? 9
done_testing
