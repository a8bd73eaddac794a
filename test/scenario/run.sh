#!/bin/bash
# The same agent and folder come back to the same sandbox; other folders get their own; --rm and --detach.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
mkdir -p "$scratch/one/project" "$scratch/two/project"

cd "$scratch/one/project" || exit
like "a command runs in a new sandbox" "$("$SBX" run shell -e A=1 -- -c 'uname -r; id -un; nproc; echo $A')" 'cloud-amd64'
is "its name says agent and folder" "$("$SBX" ls -q)" shell-project
"$SBX" run shell -- -c 'echo there >~/file'
is "the next run is the same sandbox" "$("$SBX" run shell -- -c 'cat ~/file; echo $A')" "$(printf 'there\n1')"
is "a word that is no flag is a command" "$("$SBX" run shell -- cat /home/agent/file)" there
is "a variable of this run counts for it" "$("$SBX" run shell -e A=2 -- -c 'echo $A')" 2
"$SBX" run shell -- -c 'exit 4'
is "the exit status is the command's" $? 4
"$SBX" run shell --memory 1g 2>"$scratch/err" -- true
is "a size for one that exists is refused" $? 1
like "and explained" "$(cat "$scratch/err")" "counts only when one is made"
"$SBX" create shell 2>"$scratch/err"
is "create does not make a second one for the folder by itself" $? 1
like "but says which there is" "$(cat "$scratch/err")" "sandbox 'shell-project' of this agent for this folder"
"$SBX" fork shell-project aaa >/dev/null
is "a fork does not take the folder's sandbox's place" "$("$SBX" run shell -- hostname)" shell-project
"$SBX" rm -f aaa
"$SBX" stop shell-project

cd "$scratch/two/project" || exit
is "another folder of that name gets another, which --rm removes" \
	"$("$SBX" run --rm shell -- -c 'ls ~/file 2>/dev/null; hostname')" shell-project-2
is "and is gone" "$("$SBX" ls -q)" shell-project
done_testing
