#!/bin/bash
# A build of the template that is interrupted leaves nothing half-made, and two builders stay apart.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
rm "$SBX_HOME/data/templates"
templates=$SBX_HOME/data/templates

# What a build has put aside, here and in the scratch folder; the lock and the log are meant to stay.
left() { find "$templates" -mindepth 1 -not -name '.*.lock' 2>/dev/null; }
scratch_of() { readlink -f "$templates"/.new-*/scratch 2>/dev/null || cat "$templates"/.new-*/scratch 2>/dev/null; }
is_building() { [ -n "$(left)" ] && pgrep -f "mmdebstrap.*$1" >/dev/null; }
no_mmdebstrap() { ! pgrep -f "mmdebstrap .*$1" >/dev/null; }
nothing_left() { [ -z "$(left)" ]; }

before=$(find /var/tmp -maxdepth 1 -name 'sbx-*' | sort)
for who in caller-TERM caller-KILL builder-KILL; do
	"$SBX" template build 2>"$scratch/err" &
	caller=$!
	check "$who: a build begins" within 30 is_building trixie
	builder=$(pgrep -P $caller -f sbx-builder)
	case $who in
	caller-TERM) kill -TERM $caller ;;
	caller-KILL) kill -KILL $caller ;;
	builder-KILL) kill -KILL "$builder" ;;
	esac
	wait $caller
	is "$who: it did not succeed" $(($? != 0)) 1
	[ $who = caller-KILL ] || like "$who: and says so" "$(cat "$scratch/err")" "sbx: "
	check "$who: the builder is gone" within 30 is_gone "$builder"
	if [ $who = builder-KILL ]; then
		# It could not tidy up: the next one does, before it begins.
		"$SBX" template build 2>/dev/null &
		caller=$!
		within 30 is_building trixie
		kill -TERM $caller
		wait $caller
	fi
	check "$who: nothing half-made is left" within 30 nothing_left
	check "$who: nor in the scratch folder" within 30 [ "$(find /var/tmp -maxdepth 1 -name 'sbx-*' | sort)" = "$before" ]
done

"$SBX" template build 2>"$scratch/first" &
first=$!
check "a build begins" within 30 is_building trixie
"$SBX" template build 2>"$scratch/second" &
second=$!
check "a second one waits and says so" within 30 grep -qi "another" "$scratch/second"
kill -TERM $second
wait $second
check "and can be interrupted, while the first goes on" is_building trixie
kill -TERM $first
wait $first
check "nothing is left of both" within 30 nothing_left

# A folder that cannot be made.
rm -rf "$templates"
touch "$templates"
"$SBX" create shell --no-mount -q 2>"$scratch/err"
is "a sandbox whose template cannot be built is not made" $? 1
is "... and it is tried once" "$(grep -c 'cannot open' "$scratch/err")" 1
done_testing
