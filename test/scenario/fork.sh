#!/bin/bash
# A fork continues where the original is; both go on apart. Snapshots are started any number of times.
. "$(dirname "$0")/../lib/scenario.sh"
home_own

"$SBX" create shell --name x --memory 2g -q >/dev/null
make_image x
"$SBX" exec x sh -c 'docker run -d --name calm --network none tiny /bin/sleep 100000 >/dev/null
	dd if=/dev/urandom of=/home/agent/data bs=1M count=100 2>/dev/null; echo shared >/dev/shm/file'
"$SBX" exec x bash -c '(i=0; while sleep 0.1; do i=$((i + 1)); echo $i; done >/tmp/count) </dev/null >/dev/null 2>&1 &'
sum=$("$SBX" exec x md5sum /home/agent/data)
"$SBX" exec x sh -c 'echo begun; sleep 8; echo undisturbed' >"$scratch/out" 2>&1 &
command=$!
within 10 grep -q begun "$scratch/out"

"$SBX" policy deny network denied.test --sandbox x >/dev/null
is "fork says the name" "$("$SBX" fork x y)" y
like "both run" "$("$SBX" ls)" "^x .*running"
like "... the second one too" "$("$SBX" ls)" "^y .*running"
is "the copy has its disk" "$("$SBX" exec y md5sum /home/agent/data)" "$sum"
is "... its memory" "$("$SBX" exec y cat /dev/shm/file)" shared
count=$("$SBX" exec y tail -n 1 /tmp/count)
check "... its processes" within 10 sh -c "test \$('$SBX' exec y tail -n 1 /tmp/count) -gt $count"
is "... its container" "$("$SBX" exec y docker ps --format '{{.Names}} {{.State}}')" "calm running"
like "... the rules of the first one" "$("$SBX" policy ls y)" "^y .*deny denied.test"
is "... a name of its own" "$("$SBX" exec y hostname)" y
check "... a machine id of its own" test "$("$SBX" exec y cat /etc/machine-id)" != "$("$SBX" exec x cat /etc/machine-id)"
check "... a boot id of its own" \
	test "$("$SBX" exec y cat /proc/sys/kernel/random/boot_id)" != "$("$SBX" exec x cat /proc/sys/kernel/random/boot_id)"
wait $command
is "a command in the original was not disturbed" "$?$(tail -n 1 "$scratch/out")" 0undisturbed
"$SBX" exec y sh -c 'echo y >/home/agent/only; echo y >/dev/shm/file; sync'
is "what one writes the other does not see" "$("$SBX" exec x sh -c 'ls /home/agent/only 2>/dev/null; cat /dev/shm/file')" shared
stood=$(grep -o 'still for [0-9]* ms' "$SBX_HOME/data/sandboxes/x/supervisor.log" | grep -o '[0-9]*' | tail -n 1)
check "the original stood still for less than a second (${stood:-?} ms)" test "${stood:-9999}" -lt 1000
"$SBX" rm -f y

# ---- two at once; one that does not run ----
"$SBX" fork x y1 >"$scratch/y1" 2>&1 &
first=$!
"$SBX" fork x y2 >"$scratch/y2" 2>&1
second=$?
wait $first
is "two forks at once both work" "$?$second$(cat "$scratch/y1" "$scratch/y2" | sort | tr '\n' ' ')" "00y1 y2 "
is "... and are whole" "$("$SBX" exec y1 cat /dev/shm/file)$("$SBX" exec y2 cat /dev/shm/file)" sharedshared
"$SBX" rm -f y1
"$SBX" stop y2
is "a suspended one can be forked" "$("$SBX" fork y2 y3)" y3
like "... into one that is suspended" "$("$SBX" ls)" "^y3 .*stopped"
is "... and goes on there" "$("$SBX" exec y3 cat /dev/shm/file)" shared
"$SBX" rm -f y2 y3
"$SBX" fork x x 2>"$scratch/err"
is "a name in use is refused" $? 1
like "... with a sentence" "$(cat "$scratch/err")" "there is a sandbox 'x' already"

# ---- killed in the middle ----
"$SBX" fork x dead >/dev/null 2>&1 &
fork=$!
within 10 sh -c "ls -a '$SBX_HOME/data/sandboxes' | grep -q '^[.]new-'"
kill -9 $fork
wait $fork 2>/dev/null
check "a fork that is killed leaves the original running" within 20 "$SBX" exec x true
check "... and nothing else" sh -c "'$SBX' ls -q | grep -qx x && ! ls -A '$SBX_HOME/data/sandboxes' | grep -q '^[.]'"

# ---- snapshots ----
is "snapshot save says the name" "$("$SBX" snapshot save x warm)" warm
"$SBX" rm -f x
like "snapshot ls shows it" "$("$SBX" snapshot ls)" "^warm +shell"
is "a sandbox starts from it" "$("$SBX" run --snapshot warm -- -c 'cat /dev/shm/file; echo first >/dev/shm/file; hostname')" "shared
warm"
is "... and another" "$("$SBX" run --snapshot warm --name second -- -c 'cat /dev/shm/file; docker ps -q | wc -l; hostname')" "shared
1
second"
is "... and a variable counts for the session" "$("$SBX" run --snapshot warm --rm -e A=given -- -c 'echo $A')" given
check "... each with a machine id of its own" \
	test "$("$SBX" exec warm cat /etc/machine-id)" != "$("$SBX" exec second cat /etc/machine-id)"
"$SBX" snapshot save warm warm 2>"$scratch/err"
is "a name in use is refused" $? 1
check "snapshot rm removes it" "$SBX" snapshot rm warm
is "... and it is gone" "$("$SBX" snapshot ls | wc -l)" 1
is "... but what came from it goes on" "$("$SBX" exec warm cat /dev/shm/file)" first
"$SBX" stop second
is "... and is suspended and continued" "$("$SBX" exec second cat /dev/shm/file)" shared
"$SBX" run --snapshot none 2>"$scratch/err"
is "one that is not there is refused" $? 1
like "... with a sentence" "$(cat "$scratch/err")" "no snapshot 'none'"
done_testing
