#!/bin/bash
# Stop shuts down in order, keeps the disk, and the next command starts the sandbox again.
. "$(dirname "$0")/../lib/scenario.sh"
home_own

"$SBX" create shell --name y -q >/dev/null
"$SBX" exec y sh -c 'echo kept >~/file; dd if=/dev/zero of=~/big bs=1M count=20 2>/dev/null'
machine=$("$SBX" exec y cat /etc/machine-id)
supervisor=$(role_pid y supervisor)
engine=$(role_pid y engine)
check "stop --cold ends well" "$SBX" stop y --cold
check "the supervisor is gone" is_gone "$supervisor"
check "the engine is gone" is_gone "$engine"
like "ls says stopped" "$("$SBX" ls)" "^y +shell +stopped"
check "the file system was left clean" sh -c "/usr/sbin/dumpe2fs -h '$SBX_HOME/data/sandboxes/y/disk.img' 2>/dev/null | grep -q 'Filesystem state: *clean$'"
check "and needs no recovery" sh -c "! /usr/sbin/dumpe2fs -h '$SBX_HOME/data/sandboxes/y/disk.img' 2>/dev/null | grep -q needs_recovery"
check "stopping again is fine" "$SBX" stop y
is "exec starts it again with what was on its disk" "$("$SBX" exec y cat /home/agent/file)" kept
is "the machine id stays" "$("$SBX" exec y cat /etc/machine-id)" "$machine"
is "and is its own" "${#machine}" 32
is "the host name is the sandbox's" "$("$SBX" exec y hostname)" y
check "the clock is right" test "$(($("$SBX" exec y date +%s) - $(date +%s)))" -le 2
check "rm removes it while it runs" "$SBX" rm -f y
is "and nothing of it stays" "$(find "$SBX_HOME/data/sandboxes" "$SBX_HOME/run" -mindepth 1)" ""
done_testing
