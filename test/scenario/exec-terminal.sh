#!/bin/bash
# A command on a terminal: it has one, of the right size, and the keys reach it.
. "$(dirname "$0")/../lib/scenario.sh"
home_shared
terminal=$lib/terminal.py

python3 "$terminal" 33 101 "$SBX" exec -it shared bash >"$scratch/log" 2>"$scratch/err" <<'END'
expect [$#]
send tty; stty size\r
expect /dev/pts/[0-9]+
expect 33 101
resize 44 99
send stty size\r
expect 44 99
send sh -c "trap 'echo got-int; exit' INT; echo on-${x}it; while :; do sleep 1; done"\r
expect on-it
send \x03
expect got-int\r
expect [$#] $
send exit 5\r
end
END
is "the conversation goes as expected" "$?$(cat "$scratch/err")" 0
is "the exit status comes through" "$(head -n 1 "$scratch/log")" "status 5"

echo x | "$SBX" exec -it shared bash 2>"$scratch/err"
is "-t without a terminal is refused" $? 2
like "with a sentence" "$(cat "$scratch/err")" "not one"

python3 "$terminal" 24 80 "$SBX" exec -it shared cat >"$scratch/log" 2>&1 <<'END'
send one\r
expect one.*one
send \x04
end
END
is "the end-of-file key ends cat" "$(head -n 1 "$scratch/log")" "status 0"
done_testing
