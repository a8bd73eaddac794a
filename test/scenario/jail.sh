#!/bin/bash
# Every running role has given up its rights: no capabilities, no new privileges, seccomp, no environment, few descriptors.
. "$(dirname "$0")/../lib/scenario.sh"
home_shared

field() { awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"; }

for role in supervisor link engine; do
	pid=$(role_pid shared $role)
	is "the $role has no capabilities" "$(field "$pid" CapEff)$(field "$pid" CapPrm)" 00000000000000000000000000000000
	[ "$(id -u)" -ne 0 ] || is "... and cannot get any" "$(field "$pid" CapBnd)" 0000000000000000
	is "... no new privileges" "$(field "$pid" NoNewPrivs)" 1
	is "... a system call filter" "$(field "$pid" Seccomp)" 2
	is "... no core dumps" "$(awk '/Max core file size/ { print $5 $6 }' "/proc/$pid/limits")" 00
done
[ "$(id -u)" -ne 0 ] || for role in link engine; do
	is "the $role has an empty environment" "$(tr '\0' '\n' <"/proc/$(role_pid shared $role)/environ")" ""
done

link=$(role_pid shared link)
is "the link has no file open but its two logs" \
	"$(find "/proc/$link/fd" -lname '/*' -printf '%l\n' | grep -v '^/dev/null' | sed 's,.*/,,' | sort | tr '\n' ' ')" \
	"console.log engine.log supervisor.log "
is "the link maps no program that talks to the network" "$(grep -cE 'libcurl|libssl' "/proc/$link/maps")" 0

# Landlock shows in no file of /proc; that it holds is tried from inside, with the engine's own rights, by its unit test. Here: the
# engine's command line opens nothing by path.
engine=$(role_pid shared engine)
is "the engine is given no path of the user's" \
	"$(tr '\0' '\n' <"/proc/$engine/cmdline" | grep -cE "$SBX_HOME|/home|/root")" 0
like "it has QEMU's own sandbox on" "$(tr '\0' ' ' <"/proc/$engine/cmdline")" "spawn=deny"
is "and no network device" "$(tr '\0' '\n' <"/proc/$engine/cmdline" | grep -cE 'netdev|^-nic|virtio-net')" 0
done_testing
