#!/bin/bash
# Ctrl-C during a start, and the caller killed during it, leave nothing behind; so does a second run meanwhile.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
cd "$scratch" || exit

supervisor_of() { pgrep -f "^sbx-supervisor $1 "; }
starting() { "$SBX" ls | grep -q "^$1 .*starting"; }

for signal in INT KILL; do
	# A boot takes long enough to be interrupted.
	"$SBX" create shell --name "stop-$signal" -q >/dev/null
	"$SBX" stop --cold "stop-$signal"
	"$SBX" run --name "stop-$signal" -- -c true >/dev/null 2>&1 &
	caller=$!
	check "a start begins" within 20 starting "stop-$signal"
	supervisor=$(supervisor_of "stop-$signal")
	children=$(pgrep -P "$supervisor")
	if [ $signal = INT ]; then
		"$SBX" run --name "stop-$signal" -- -c true 2>"$scratch/err" </dev/null
		is "a second run meanwhile is refused" $? 1
		like "with a sentence" "$(cat "$scratch/err")" "is being started by another command"
	fi
	# bash ignores SIGINT in background jobs, and so do its children: SIGTERM does the same to sbx.
	[ $signal = INT ] && kill -TERM $caller || kill -KILL $caller
	wait $caller 2>/dev/null
	check "after SIG$signal the supervisor is gone" within 10 is_gone "$supervisor"
	for child in $children; do
		check "... and what it had started ($child)" within 10 is_gone "$child"
	done
	is "... and no socket is left" "$(find "$SBX_HOME/run" -name '*.sock')" ""
done
is "the name can be used at once" "$("$SBX" run --name stop-KILL -- -c 'echo fine')" fine

# What installs an agent works for one command alone, and ends with it.
"$SBX" template build codex >/dev/null 2>&1 &
caller=$!
running() { "$SBX" ls | grep -q "^$1 .*running"; }
check "installing an agent has a sandbox" within 240 running template-codex
supervisor=$(supervisor_of template-codex)
children=$(pgrep -P "$supervisor")
{ kill -KILL $caller; wait $caller; } 2>/dev/null
check "... which ends when the command is killed" within 10 is_gone "$supervisor"
for child in $children; do
	check "... and what it had started ($child)" within 10 is_gone "$child"
done
done_testing
