#!/bin/bash
# A person and an agent work in the same folder at the same time: files, names, locks, one repository.
. "$(dirname "$0")/../lib/share.sh"
home_own
"$SBX" create shell . --name x --memory 2g -q >/dev/null
programs_into x

python3 "$guest/stress-two-sided.py" "$PWD" host 8 >"$scratch/host" 2>&1 &
host=$!
"$SBX" exec x python3 /opt/test/stress-two-sided.py "$PWD" guest 8 >"$scratch/guest" 2>&1
wait $host
adopt host "$scratch/host"
adopt guest "$scratch/guest"
check "the repository is sound for the host" git -c safe.directory='*' -C work fsck --strict
is "... and clean" "$(git -c safe.directory='*' -C work status --porcelain)" ""
done_testing
