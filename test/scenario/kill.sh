#!/bin/bash
# Each process is killed in turn, at each stage: the next command tidies up, and nothing is left behind.
. "$(dirname "$0")/../lib/scenario.sh"
home_own

left() { find "$SBX_HOME/run" "$SBX_HOME/data/sandboxes" -mindepth 1 -maxdepth 1 -not -name victim; }
supervisor_of() { pgrep -f "^sbx-supervisor victim "; }
role_of() { pgrep -P "$(supervisor_of)" -f "$1"; }
# The kernel has been loaded and runs: the engine has used a quarter of a second.
is_booting() { [ "$(awk '{ print $14 + $15 }' "/proc/$(role_of 'memory-backend=ram')/stat")" -ge 25 ]; }
state_is() { "$SBX" ls | grep -q "^victim .*$1"; }

# ---- while it boots ----
"$SBX" create shell --name victim -q >/dev/null
for role in supervisor engine link; do
	for stage in early booting; do
		"$SBX" stop --cold victim
		"$SBX" exec victim echo up >"$scratch/out" 2>"$scratch/err" &
		caller=$!
		within 20 state_is starting
		supervisor=$(supervisor_of)
		[ $stage = early ] || within 20 is_booting
		case $role in
		supervisor) kill -9 "$supervisor" ;;
		engine) kill -9 "$(role_of 'memory-backend=ram|sbx-engine')" ;;
		link) kill -9 "$(role_of sbx-link)" ;;
		esac
		wait $caller
		status=$?
		if [ $role = link ]; then
			is "$stage: a link that is killed during the start is replaced" "$status$(cat "$scratch/out")" 0up
		else
			is "$stage: the start fails when the $role is killed" $status 1
			like "... with a sentence" "$(cat "$scratch/err")" "^sbx: .*victim"
			check "... and the supervisor is gone" within 10 is_gone "$supervisor"
			is "... and the next command starts it" "$("$SBX" exec victim echo up)" up
		fi
		is "... and nothing else is there" "$(left)" "$SBX_HOME/run/victim.sock"
	done
done

# ---- while it runs ----
"$SBX" exec victim sh -c 'echo kept >~/file; sync'

"$SBX" exec victim sleep 1000 >/dev/null 2>"$scratch/err" &
caller=$!
within 20 "$SBX" exec victim pgrep -x sleep
kill -9 "$(role_pid victim link)"
wait $caller
is "a link that is killed ends the commands through it" $? 125
like "... with a sentence" "$(cat "$scratch/err")" "connection to the sandbox was lost"
check "... and is replaced" within 20 "$SBX" exec victim true
is "... by one to the same machine" "$("$SBX" exec victim cat /home/agent/file)" kept
check "... where the command has ended too" within 20 sh -c "! '$SBX' exec victim pgrep -x sleep"

supervisor=$(role_pid victim supervisor) engine=$(role_pid victim engine) link=$(role_pid victim link)
kill -9 "$engine"
check "an engine that is killed ends its supervisor" within 10 is_gone "$supervisor"
check "... and its link" within 10 is_gone "$link"
check "... and ls says stopped" within 10 state_is stopped
is "... and the next command starts it again with its disk" "$("$SBX" exec victim cat /home/agent/file)" kept

supervisor=$(role_pid victim supervisor) engine=$(role_pid victim engine) link=$(role_pid victim link)
kill -9 "$supervisor"
check "a supervisor that is killed takes its engine along" within 10 is_gone "$engine"
check "... and its link" within 10 is_gone "$link"
like "... and ls says stopped" "$("$SBX" ls)" "^victim .*stopped"
is "... and the next command starts it again with its disk" "$("$SBX" exec victim cat /home/agent/file)" kept

for _ in 1 2 3 4 5 6; do
	kill -9 "$(role_pid victim link)"
	within 5 state_is 'running|stopped'
done
check "a link that dies again and again ends the sandbox" within 30 state_is stopped
is "... which starts again" "$("$SBX" exec victim echo up)" up
done_testing
