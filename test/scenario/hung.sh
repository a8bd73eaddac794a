#!/bin/bash
# A supervisor that hangs slows nothing, is shown, and can be removed.
. "$(dirname "$0")/../lib/scenario.sh"
home_own

"$SBX" create shell --name hung -q >/dev/null
"$SBX" ls >/dev/null
supervisor=$(role_pid hung supervisor)
kill -STOP "$supervisor"
best=1000
for _ in 1 2 3 4 5; do
	begin=$(now_ms)
	"$SBX" ls >"$scratch/ls"
	took=$(($(now_ms) - begin))
	[ $took -lt $best ] && best=$took
done
like "ls shows it as not answering" "$(cat "$scratch/ls")" "^hung +shell +not answering"
check "and takes under 50 ms ($best ms)" test $best -lt 50
"$SBX" exec hung true 2>"$scratch/err"
is "exec gives up" $? 1
like "with a sentence that says what to do" "$(cat "$scratch/err")" "does not answer.*rm --force"
engine=$(pgrep -P "$supervisor" | head -n 1)
check "stop --force ends it" "$SBX" stop --force hung
check "with its machine" within 10 is_gone "$engine"
like "then it is stopped" "$("$SBX" ls)" "^hung +shell +stopped"
is "and starts again" "$("$SBX" exec hung echo up)" up
done_testing
