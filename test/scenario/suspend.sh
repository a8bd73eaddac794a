#!/bin/bash
# Stop suspends: what ran goes on, with a container and open files; the state is used once, and only with its disk.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
terminal=$lib/terminal.py
folder=$SBX_HOME/data/sandboxes/x

"$SBX" create shell --name x --memory 2g -q >/dev/null
make_image x
"$SBX" exec x docker run -d --name calm --network none tiny /bin/sleep 100000 >/dev/null
"$SBX" exec x bash -c 'exec 7<>/home/agent/open; echo before >&7; mkfifo /tmp/fifo
	(i=0; while sleep 0.2; do i=$((i + 1)); echo $i; done >/dev/shm/count) </dev/null >/dev/null 2>&1 &
	(read -r _ </tmp/fifo; echo after >&7) </dev/null >/dev/null 2>&1 &'
python3 "$terminal" 24 80 "$SBX" run --name x >"$scratch/log" 2>"$scratch/err" <<'END'
expect [$#]
send MARK=kept; echo screen-of-$$\r
expect screen-of-[0-9]+
send \x1c\x1c
end
END
count=$("$SBX" exec x cat /dev/shm/count | tail -n 1)
up=$("$SBX" exec x cut -d . -f 1 /proc/uptime)
engine=$(role_pid x engine) supervisor=$(role_pid x supervisor)

check "stop suspends" "$SBX" stop x
check "... and the engine is gone" is_gone "$engine"
check "... and the supervisor" is_gone "$supervisor"
like "... and ls says stopped" "$("$SBX" ls)" "^x .*stopped"
check "... and the state is there" test -s "$folder/saved/manifest.json" -a -s "$folder/saved/devices" -a -s "$folder/saved/memory"
check "... for nobody else to read" sh -c "! find '$folder' -perm /077 ! -type l | grep ."

python3 "$terminal" 24 80 "$SBX" run --name x >"$scratch/log" 2>"$scratch/err" <<'END'
expect screen-of-[0-9]+
send echo mark-$MARK-\r
expect mark-kept-
send \x1c\x1c
end
END
is "run shows the agent's screen where it was" "$?$(cat "$scratch/err")" 0
check "it is the same machine" test "$("$SBX" exec x cut -d . -f 1 /proc/uptime)" -ge "$up"
check "a process goes on where it was" test "$("$SBX" exec x tail -n 1 /dev/shm/count)" -ge "$count"
check "... and goes on" within 20 sh -c "test \$('$SBX' exec x tail -n 1 /dev/shm/count) -gt $((count + 3))"
is "the container still runs" "$("$SBX" exec x docker ps --format '{{.Names}} {{.State}}')" "calm running"
"$SBX" exec x timeout 20 sh -c 'echo go >/tmp/fifo'
check "a file that was open still is" within 10 "$SBX" exec x grep -q after /home/agent/open
check "the clock is right" test "$(($("$SBX" exec x date +%s) - $(date +%s)))" -ge -2
check "the state has been used up" sh -c "! test -e '$folder/saved' && ! test -e '$folder/resuming'"

# ---- again and again; then with sizes that show whether the delta is kept ----
for round in 1 2 3; do
	"$SBX" exec x sh -c "echo $round >/dev/shm/round"
	"$SBX" stop x
	is "round $round: memory is kept" "$("$SBX" exec x cat /dev/shm/round)" $round
done
"$SBX" stop x --cold
check "--cold really shuts down" sh -c "! test -e '$folder/saved'"
is "... and nothing runs any more after it" "$("$SBX" exec x sh -c 'cat /dev/shm/count /dev/shm/round 2>/dev/null')" ""
"$SBX" exec x sh -c 'echo own >/dev/shm/own'
"$SBX" stop x
is "a machine that was booted can be suspended as well" "$("$SBX" exec x cat /dev/shm/own)" own

# ---- while it is busy ----
"$SBX" exec x sh -c 'cat /dev/urandom' 2>/dev/null | head -c 1000000000 >/dev/null &
busy=$!
"$SBX" exec -i x sh -c 'cat >/dev/null' </dev/zero 2>/dev/null &
busy="$busy $!"
"$SBX" exec x sh -c 'while :; do dd if=/dev/urandom of=/home/agent/load bs=64k count=100 2>/dev/null; sync; done' 2>/dev/null &
busy="$busy $!"
within 20 "$SBX" exec x test -s /home/agent/load
check "a machine in the middle of heavy work is suspended" "$SBX" stop x
# shellcheck disable=SC2086 # several numbers
wait $busy 2>/dev/null
is "... and comes back with its ports in step" "$("$SBX" exec x echo in-step)" in-step
is "... and a megabyte arrives whole" "$("$SBX" exec x head -c 1048576 /dev/zero | wc -c)" 1048576
"$SBX" stop x
cp --sparse=always "$folder/disk.img" "$scratch/disk.img"
/usr/sbin/e2fsck -fy "$scratch/disk.img" >"$scratch/fsck" 2>&1 </dev/null
/usr/sbin/e2fsck -fn "$scratch/disk.img" >"$scratch/fsck" 2>&1 </dev/null
is "the disk as it was is a sound file system" $? 0
"$SBX" stop x --cold
/usr/sbin/e2fsck -fn "$folder/disk.img" >"$scratch/fsck" 2>&1 </dev/null
is "... also once the machine has gone on and shut down" $? 0
done_testing
