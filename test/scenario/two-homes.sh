#!/bin/bash
# Two SBX_HOMEs run side by side without seeing each other.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
other=$(mktemp -d)
mkdir -p "$other/data"
ln -s "$SBX_TEST_HOME/data/templates" "$other/data/templates"

"$SBX" create shell --name same -q >/dev/null
"$SBX" exec same sh -c 'echo one >~/file'
is "the other home is empty" "$(SBX_HOME=$other "$SBX" ls -q)" ""
SBX_HOME=$other "$SBX" exec same true 2>/dev/null
is "and does not know the name" $? 1
check "so the name can be used there too" env SBX_HOME="$other" "$SBX" create shell --name same -q
is "for another sandbox" "$(SBX_HOME=$other "$SBX" exec same sh -c 'cat ~/file 2>/dev/null || echo none')" none
check "removing that one" env SBX_HOME="$other" "$SBX" rm --all --force
is "leaves this one" "$("$SBX" exec same cat /home/agent/file)" one
is "no socket, no sandbox is left there" "$(find "$other/run" "$other/data/sandboxes" -mindepth 1)" ""
rm -rf "$other"
done_testing
