#!/bin/bash
# A shared folder behaves as a file system should, for root and for the agent, but for what is different on purpose.
. "$(dirname "$0")/../lib/share.sh"
home_own
"$SBX" create shell . --name x --memory 2g -q >/dev/null
programs_into x

"$SBX" exec -u root x python3 /opt/test/posix.py "$PWD" --share >"$scratch/out" 2>&1
adopt root "$scratch/out"
for what in "who makes a file" "taking the rights" "access()" "programs and scripts"; do
	"$SBX" exec x python3 /opt/test/posix.py "$PWD" --share --only "$what" >"$scratch/out" 2>&1
	adopt agent "$scratch/out"
done
check "nothing was made that the host must not have" has_only_plain_files "$PWD"
is "nothing is left behind" "$(ls -A)" ""
done_testing
