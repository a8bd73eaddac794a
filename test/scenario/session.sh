#!/bin/bash
# The agent's terminal lives on without a viewer: left with Ctrl-\ twice, or with its window closed, it is there again.
. "$(dirname "$0")/../lib/scenario.sh"
home_shared
own session
terminal=$lib/terminal.py

cd "$scratch" || exit
python3 "$terminal" 24 80 "$SBX" run shell --name session >"$scratch/log" 2>"$scratch/err" <<'END'
expect [$#]
send echo pid-is-$$; MARK=kept\r
expect pid-is-[0-9]+
send sh -c 'echo in-${x}cat; exec cat'\r
expect in-cat
send \x1c\x1c
end
END
is "Ctrl-\\ twice leaves" "$(head -n 1 "$scratch/log")" "status 0"
pid=$(grep -ao 'pid-is-[0-9][0-9]*' "$scratch/log" | head -n 1)

python3 "$terminal" 30 90 "$SBX" run --name session >"$scratch/log" 2>"$scratch/err" <<END
expect $pid
send still-there\r
expect still-there.*still-there
send \x04
expect agent@session
send echo mark-\$MARK-\$\$; stty size\r
expect mark-kept-${pid#pid-is-}
expect 30 90
hangup
END
is "running it again shows what was said before and is the same shell" "$?$(cat "$scratch/err")" 0

python3 "$terminal" 24 80 "$SBX" run --name session >"$scratch/log" 2>"$scratch/err" <<END
expect mark-kept-${pid#pid-is-}
send exit 3\r
end
END
is "it lives on when its window was closed" "$(head -n 1 "$scratch/log")" "status 3"

python3 "$terminal" 24 80 "$SBX" run --name session >"$scratch/log" 2>"$scratch/err" <<'END'
send echo new-$MARK-\r
expect new--
send exit\r
end
END
is "after it has ended, a new one begins" "$?$(cat "$scratch/err")" 0
done_testing
