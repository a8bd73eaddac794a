#!/bin/bash
# A thousand commands, several at a time, and nothing is left of them in the guest.
. "$(dirname "$0")/../lib/scenario.sh"
home_shared

guest() { "$SBX" exec -u root shared sh -c "$1"; }
open_files() { guest 'ls /proc/1/fd | wc -l'; }
memory_kib() { guest "awk '/VmRSS/ { print \$2 }' /proc/1/status"; }

guest true
files_before=$(open_files)
memory_before=$(memory_kib)
seq 1000 | xargs -P 4 -I '{}' "$SBX" exec shared sh -c 'exit 0'
is "all of them end well" $? 0
is "no descriptor is left open" "$(open_files)" "$files_before"
is "no dead process is left" "$(guest 'ps -e -o stat= | grep -c Z')" 0
check "the memory of PID 1 has not grown" test "$(memory_kib)" -lt $((memory_before + 1024))

host_files() { find "/proc/$(role_pid shared "$1")/fd" -mindepth 1 | wc -l; }
for role in link supervisor; do
	before=$(host_files $role)
	for _ in 1 2 3 4 5 6 7 8 9 10; do "$SBX" exec shared true; done
	is "the $role holds no descriptor of them" "$(host_files $role)" "$before"
done
done_testing
