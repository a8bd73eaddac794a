#!/bin/bash
# Random work on a shared folder gives the same as on the sandbox's own disk: once with the same steps every time, once with others.
. "$(dirname "$0")/../lib/share.sh"
home_own
"$SBX" create shell . --name x --memory 2g -q >/dev/null
programs_into x

for seed in 20 $RANDOM; do
	"$SBX" exec x sh -c "mkdir -p /home/agent/fsx && python3 /opt/test/fsx.py '$PWD' /home/agent/fsx 15 $seed" >"$scratch/out" 2>&1
	adopt "seed $seed" "$scratch/out"
done
is "nothing is left behind" "$(ls -A)" ""
done_testing
