#!/bin/bash
# A command's streams stay apart, arrive whole, and its exit status is ours.
. "$(dirname "$0")/../lib/scenario.sh"
home_shared

"$SBX" exec shared -- sh -c 'echo out; echo err >&2; exit 7' >"$scratch/out" 2>"$scratch/err"
is "the exit status is the command's" $? 7
is "standard output is apart" "$(cat "$scratch/out")" out
is "standard error is apart" "$(cat "$scratch/err")" err

is "standard input arrives with -i" "$(echo hello | "$SBX" exec -i shared cat)" hello
is "without -i there is no standard input" "$(echo hello | "$SBX" exec shared cat)" ""

head -c 8000000 /dev/urandom >"$scratch/data"
sum=$(sha256sum <"$scratch/data")
is "eight megabytes go in and come back" "$("$SBX" exec -i shared cat <"$scratch/data" | sha256sum)" "$sum"

"$SBX" exec shared sh -c 'kill -TERM $$'
is "a signal's end is 128 and its number" $? 143
"$SBX" exec shared no-such-program 2>"$scratch/err"
is "a command that is not there is 127" $? 127
like "and says which" "$(cat "$scratch/err")" "no-such-program"
"$SBX" exec shared /etc/passwd 2>"$scratch/err"
is "a file that cannot be run is 126" $? 126

is "a reader that leaves early ends the command" "$("$SBX" exec shared yes | head -n 1)" y
check "and nothing of it stays" within 10 sh -c "! '$SBX' exec shared pgrep -x yes"
is "a background process does not hold the exit" "$("$SBX" exec shared sh -c 'sleep 600 & echo done')" done
"$SBX" exec shared pkill sleep
done_testing
