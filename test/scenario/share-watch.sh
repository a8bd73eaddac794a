#!/bin/bash
# What the host changes in a folder is told to who watches it inside: inotify, inotifywait, and Node's own watcher as bundlers use it.
. "$(dirname "$0")/../lib/share.sh"
home_own
mkdir inotify node tools
"$SBX" create shell . --name x --memory 2g -q >/dev/null
programs_into x

# Generous, for a machine that is emulated and busy; the figures are printed.
limit_ms=5000
python3 "$lib/latency.py" inotify $limit_ms 4 made,changed,replaced,removed \
	"$SBX" exec -i x python3 /opt/test/watch.py "$PWD/inotify" >"$scratch/out" 2>&1
adopt inotify "$scratch/out"
# shellcheck disable=SC2016 # that shell's own
python3 "$lib/latency.py" tools $limit_ms 4 made,changed,replaced,removed "$SBX" exec -i x sh -c \
	'inotifywait -m --format "0 %e %f" "$0" 2>&1 | sed -u "s/^Watches established.*/0 ready/" & cat >/dev/null; pkill inotifywait; wait' \
	"$PWD/tools" >"$scratch/out" 2>&1
adopt inotifywait "$scratch/out"
# Node's recursive watcher watches each file by itself: of one that was replaced it hears nothing (sbx(1)).
python3 "$lib/latency.py" node $limit_ms 4 made,changed "$SBX" exec -i x node /opt/test/watch.mjs "$PWD/node" >"$scratch/out" 2>&1
adopt node "$scratch/out"

# What was looked at, and was not there, before the host has made it.
"$SBX" exec x sh -c 'ls later deep/er 2>/dev/null; ls inotify >/dev/null; stat inotify >/dev/null'
mkdir deep && echo now >deep/er && echo now >later && echo now >inotify/late
is "what the host makes is there for who has looked before" "$("$SBX" exec x sh -c 'cat later deep/er; ls inotify')" "$(printf 'now\nnow\nlate')"
for i in 1 2 3; do
	echo "content $i" >later
	is "the host's change $i is read at once" "$("$SBX" exec x cat later)" "content $i"
done
done_testing
