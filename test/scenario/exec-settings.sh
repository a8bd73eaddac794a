#!/bin/bash
# User, folder and environment of a command.
. "$(dirname "$0")/../lib/scenario.sh"
home_shared

is "the user is agent" "$("$SBX" exec shared id -un)" agent
is "with the groups of agent" "$("$SBX" exec shared sh -c 'id -nG | tr " " "\n" | grep -cE "^(docker|sudo)$"')" 2
is "or another by name" "$("$SBX" exec -u root shared id -u)" 0
is "or by number" "$("$SBX" exec -u 0 shared id -un)" root
is "with a group" "$("$SBX" exec -u agent:docker shared id -gn)" docker
is "sudo asks for nothing" "$("$SBX" exec shared sudo -n id -u)" 0
is "the folder is the workspace" "$("$SBX" exec shared pwd)" /home/agent/workspace
is "or another" "$("$SBX" exec -w /etc shared pwd)" /etc
is "a variable is set" "$("$SBX" exec -e A='b c' shared printenv A)" "b c"
printf '# a comment\nB=from file\nC=file\n' >"$scratch/env"
is "a file sets variables" "$("$SBX" exec --env-file "$scratch/env" shared printenv B)" "from file"
is "and a flag wins over it" "$("$SBX" exec --env-file "$scratch/env" -e C=flag shared printenv C)" flag
is "a bare name takes the caller's value" "$(D=mine "$SBX" exec -e D shared printenv D)" mine
is "nothing else of the caller's comes in" "$(LEAK=1 "$SBX" exec shared sh -c 'echo $LEAK')" ""
is "HOME is the user's" "$("$SBX" exec -u root shared printenv HOME)" /root

"$SBX" exec -u nobody-here shared true 2>"$scratch/err"
is "an unknown user is refused" $? 1
like "and named" "$(cat "$scratch/err")" "nobody-here"
"$SBX" exec -w /no/such shared true 2>"$scratch/err"
is "a missing folder is refused" $? 1
like "and named" "$(cat "$scratch/err")" "/no/such"
if "$SBX" ls --json | grep -q '"accel": "tcg"'; then
	is "an emulated guest's kernel does without an instruction that QEMU gets wrong" \
		"$("$SBX" exec shared sh -c 'grep -cw cx16 /proc/cpuinfo')" 0
fi
done_testing
