#!/bin/bash
# Pause halts the processor and keeps the memory; resume has it go on, with the right time.
. "$(dirname "$0")/../lib/scenario.sh"
home_shared
own paused

"$SBX" create shell --name paused --memory 2g -q >/dev/null
"$SBX" exec paused bash -c '(i=0; while sleep 0.1; do i=$((i + 1)); echo $i; done >/tmp/count) </dev/null >/dev/null 2>&1 &'
engine=$(role_pid paused engine)
ticks() { awk '{ print $14 + $15 }' "/proc/$engine/stat"; }

check "pause" "$SBX" pause paused
like "ls says so" "$("$SBX" ls)" "^paused .*paused"
check "pausing again is fine" "$SBX" pause paused
"$SBX" exec paused true 2>"$scratch/err"
is "a command is refused" $? 1
like "... with what to do" "$(cat "$scratch/err")" "is paused: 'sbx resume paused'"
before=$(ticks)
begin=$(date +%s)
within 4 sh -c 'exit 1' # four seconds pass
check "the processor stands still" test $(($(ticks) - before)) -le 2
check "resume" "$SBX" resume paused
like "ls says running" "$("$SBX" ls)" "^paused .*running"
late=$(($("$SBX" exec paused date +%s) - $(date +%s)))
check "the clock is right ($late s off, $(($(date +%s) - begin)) s later)" test $late -ge -1
count=$("$SBX" exec paused tail -n 1 /tmp/count)
check "what ran goes on" within 10 sh -c "test \$('$SBX' exec paused tail -n 1 /tmp/count) -gt $count"

"$SBX" pause paused
"$SBX" exec paused true 2>/dev/null
check "one that is paused can be suspended" "$SBX" stop paused
check "... and goes on when it is used" within 10 sh -c "test \$('$SBX' exec paused tail -n 1 /tmp/count) -gt $count"
"$SBX" pause paused
check "... and forked" "$SBX" fork paused paused-copy
own paused-copy
like "... and stays paused" "$("$SBX" ls)" "^paused .*paused$|^paused +shell +paused"
is "... while the copy runs" "$("$SBX" exec paused-copy hostname)" paused-copy
"$SBX" rm -f paused-copy
check "... and removed" "$SBX" rm -f paused
"$SBX" pause none 2>"$scratch/err"
is "one that is not there is refused" $? 1
like "... with a sentence" "$(cat "$scratch/err")" "no sandbox 'none'"
"$SBX" stop shared
"$SBX" pause shared 2>"$scratch/err"
is "one that does not run is refused" $? 1
like "... with a sentence" "$(cat "$scratch/err")" "'shared' is not running"
done_testing
