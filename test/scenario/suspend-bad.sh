#!/bin/bash
# A saved state that is not whole, does not fit, or could not be written costs a boot from the disk at most.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
folder=$SBX_HOME/data/sandboxes/b

"$SBX" create shell --name b --memory 2g -q >/dev/null
"$SBX" exec b sh -c 'echo disk >~/file; sync'

suspended() { "$SBX" exec b sh -c 'echo memory >/dev/shm/file' && "$SBX" stop b; }

boots() { # boots DESCRIPTION PATTERN: it starts from its disk, says why in one sentence, and nothing of the state stays
	local out
	out=$("$SBX" exec b sh -c 'cat ~/file; cat /dev/shm/file 2>/dev/null; true' 2>"$scratch/err")
	is "$1: it starts from its disk" "$out" disk
	like "... and says why" "$(cat "$scratch/err")" "^sbx: 'b' starts from its disk, without what was running in it: .*$2"
	is "... in one line" "$(wc -l <"$scratch/err")" 1
	check "... and the state is gone" sh -c "! test -e '$folder/saved' && ! test -e '$folder/resuming'"
}

flip() { # flip FILE OFFSET
	python3 -c '
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]), 0 if int(sys.argv[2]) >= 0 else 2)
    byte = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([byte[0] ^ 1]))' "$1" "$2"
}

suspended
flip "$folder/saved/devices" 5000
boots "a flipped bit in the devices" "devices is damaged"
suspended
truncate -s -1 "$folder/saved/memory"
boots "a truncated memory" "'memory' is not whole"
suspended
flip "$folder/saved/manifest.json" 100
boots "a flipped bit in the manifest" "description is damaged"
suspended
flip "$folder/saved/memory" -3
boots "a flipped bit in the table of pages" "memory is not whole"
suspended
rm "$folder/saved/memory"
boots "a missing file" "'memory' is missing"
suspended
touch "$folder/disk.img"
boots "a disk that has changed since" "disk has changed"

# Of another engine: a sound manifest whose key is another.
suspended
python3 - "$folder/saved/manifest.json" <<'END'
import hashlib
import json
import sys

lines = open(sys.argv[1]).read().split("\n")
body = json.loads(lines[1])
body["machine"] = "0" * 64 + body["machine"][64:]
text = json.dumps(body, separators=(",", ":"))
open(sys.argv[1], "w").write(hashlib.sha256(text.encode()).hexdigest() + "\n" + text + "\n")
END
boots "a state of another engine" "another version of QEMU"

# Devices that the engine itself refuses, with a digest that fits.
suspended
python3 - "$folder/saved" <<'END'
import hashlib
import json
import sys

devices = b"QEVM" + b"\0" * 5000
open(sys.argv[1] + "/devices", "wb").write(devices)
lines = open(sys.argv[1] + "/manifest.json").read().split("\n")
body = json.loads(lines[1])
body["devices_bytes"] = len(devices)
body["devices_sha256"] = hashlib.sha256(devices).hexdigest()
text = json.dumps(body, separators=(",", ":"))
open(sys.argv[1] + "/manifest.json", "w").write(hashlib.sha256(text.encode()).hexdigest() + "\n" + text + "\n")
END
boots "a state that the engine does not take" ""

# ---- killed in the middle ----
saving() { test -e "$folder/saved.new"; }
for role in supervisor engine; do
	"$SBX" exec b sh -c 'dd if=/dev/urandom of=/dev/shm/big bs=1M count=300 2>/dev/null; echo memory >/dev/shm/file'
	pid=$(role_pid b $role)
	"$SBX" stop b 2>"$scratch/err" &
	stop=$!
	within 30 saving
	kill -9 "$pid"
	wait $stop
	check "stop fails when the $role is killed while it saves" test $? -ne 0
	like "... with a sentence" "$(cat "$scratch/err")" "^sbx: .*b"
	# A machine of this size takes a moment to die.
	check "... and its disk is there" within 20 sh -c "'$SBX' exec b cat /home/agent/file | grep -qx disk"
	check "... and nothing half-written" sh -c "! test -e '$folder/saved'"
done

# Killed while it is restored: the state is there for the next one, unless the machine had begun to run.
suspended
SUPERVISOR_KILLED=0
for _ in 1 2 3 4 5; do
	"$SBX" exec b true 2>/dev/null &
	caller=$!
	within 5 pgrep -f "^sbx-supervisor b "
	pkill -9 -f "^sbx-supervisor b " && SUPERVISOR_KILLED=1
	wait $caller
	[ -e "$folder/saved" ] || [ -e "$folder/resuming" ] || break
done
is "a supervisor was killed while it restored" $SUPERVISOR_KILLED 1
like "... and the sandbox still starts" "$("$SBX" exec b sh -c 'cat ~/file' 2>/dev/null)" disk

# ---- no room ----
if [ "$(id -u)" -eq 0 ]; then
	small='mkdir -p $SBX_HOME/data/sandboxes && mount -t tmpfs -o size=500m small $SBX_HOME/data/sandboxes'
	"$SBX" rm -f b
	unshare --mount bash -c "$small"' && exec "$@"' bash bash -c '
		"$0" create shell --name full --memory 2g -q >/dev/null || exit
		"$0" exec full sh -c "dd if=/dev/urandom of=/dev/shm/big bs=1M count=400 2>/dev/null; echo still >/dev/shm/file"
		"$0" stop full; echo "status $?"
		"$0" exec full cat /dev/shm/file
		ls "$SBX_HOME/data/sandboxes/full"
		"$0" rm -f full' "$SBX" >"$scratch/out" 2>&1
	like "without room for its memory it is not suspended" "$(cat "$scratch/out")" "cannot be suspended: .* only [0-9]+ MiB are free"
	like "... with status 1" "$(cat "$scratch/out")" "^status 1$"
	like "... and goes on" "$(cat "$scratch/out")" "^still$"
	check "... and nothing half-written stays" sh -c "! grep -q saved '$scratch/out'"
fi
done_testing
