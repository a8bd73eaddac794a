#!/bin/bash
# --cpus, --memory and --disk are what the guest has.
. "$(dirname "$0")/../lib/scenario.sh"
home_own

cpus=$(($(nproc) > 1 ? 2 : 1))
is "create says the name and no more with -q" "$("$SBX" create shell --name sized --cpus $cpus -m 700m --disk 3g -q)" sized
is "as many processors" "$("$SBX" exec sized nproc)" $cpus
memory=$("$SBX" exec sized awk '/MemTotal/ { print $2 }' /proc/meminfo)
check "about 700 MiB of memory ($memory KiB)" test "$memory" -gt 550000 -a "$memory" -lt 716800
disk=$("$SBX" exec sized df --output=size / | tail -n 1)
check "about 3 GiB of disk ($disk KiB)" test "$disk" -gt 2700000 -a "$disk" -le 3145728
check "of which the host holds little" test "$(du -k "$SBX_HOME/data/sandboxes/sized/disk.img" | cut -f 1)" -lt 300000
# A card has a device of a bus behind it; what the guest has made for itself has none.
is "there is no network card" "$("$SBX" exec sized sh -c 'ls -d /sys/class/net/lo; ls -d /sys/class/net/*/device 2>/dev/null')" "/sys/class/net/lo"
"$SBX" create shell --name sized 2>"$scratch/err"
is "a name in use is refused" $? 1
like "with a sentence" "$(cat "$scratch/err")" "there is a sandbox 'sized' already"
done_testing
