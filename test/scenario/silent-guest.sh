#!/bin/bash
# A guest that does not answer: a limit, a sentence that names its console log, and nothing left running.
. "$(dirname "$0")/../lib/scenario.sh"
home_own

"$SBX" create shell --name silent -q >/dev/null
"$SBX" stop --cold silent
SBX_START_LIMIT=1 "$SBX" exec silent true 2>"$scratch/err"
is "the start fails" $? 1
like "in one sentence" "$(cat "$scratch/err")" "did not answer in time"
log=$(grep -o "/[^ ]*console[^ ]*[.]log" "$scratch/err")
check "that names the console log, which is there" test -e "$log"
is "nothing runs" "$(pgrep -f '^sbx-supervisor silent ')" ""
is "the sandbox is kept" "$("$SBX" ls -q)" silent

# A disk on which there is no file system: the guest says so and switches itself off.
head -c 4096 /dev/zero | dd of="$SBX_HOME/data/sandboxes/silent/disk.img" conv=notrunc bs=4096 2>/dev/null
"$SBX" exec silent true 2>"$scratch/err"
is "a damaged disk fails the start" $? 1
like "with where to look" "$(cat "$scratch/err")" "console.*[.]log"
like "and the console says which" "$(cat "$log")" "disk"
done_testing
