#!/bin/bash
# What mount, umount and diff ask of a supervisor, and how they show its answers. The supervisor is the test's own: no machine is needed.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
mkdir -p "$SBX_HOME/run" "$SBX_HOME/data/sandboxes/box" app busy more
work=$(pwd -P)
cat >"$SBX_HOME/data/sandboxes/box/sandbox.json" <<EOF
{"version": 1, "name": "box", "agent": "shell", "workspace": "$work/app", "template": "base", "cpus": 1, "memory_mib": 512,
"disk_mib": 1024, "env": [], "machine_id": "0123456789abcdef0123456789abcdef", "created": 1, "shares": [
{"source": "$work/app", "target": "$work/app", "port": 0, "read_only": false, "file": false, "gone": false},
{"source": "$work/busy", "target": "/busy", "port": 1, "read_only": false, "file": false, "gone": false}]}
EOF
serve() {
	rm -f "$SBX_HOME/run/box.sock"
	python3 "$lib/supervisor.py" "$SBX_HOME/run/box.sock" "$scratch/log" &
	server=$!
	within 10 test -S "$SBX_HOME/run/box.sock"
}
asked() { tail -n 1 "$scratch/log"; }
serve

check "mount is asked for" "$SBX" mount box more:/t:ro
is "... with the folder itself" "$(asked)" \
	"{\"fd\": \"$work/more\", \"file\": false, \"op\": \"mount\", \"read_only\": true, \"source\": \"$work/more\", \"target\": \"/t\"}"
echo x >'fi"le'
check "a file is mounted" "$SBX" mount box 'fi"le:ro'
is "... as one" "$(asked)" \
	"{\"fd\": \"$work/fi\\\"le\", \"file\": true, \"op\": \"mount\", \"read_only\": true, \"source\": \"$work/fi\\\"le\", \"target\": \"$work/fi\\\"le\"}"
: >"$scratch/log"
"$SBX" mount box app:/t:ro 2>"$scratch/err"
is "what the command line refuses is refused" $? 1
is "... without asking" "$(cat "$scratch/log")" ""
check "umount is asked for" "$SBX" umount box ./app
is "... by the path inside" "$(asked)" "{\"fd\": null, \"op\": \"umount\", \"path\": \"$work/app\"}"
"$SBX" umount box busy 2>"$scratch/err"
is "what is in use stays" $? 1
is "... and why is said" "$(cat "$scratch/err")" "sbx: '/busy' is in use inside: by sh"

"$SBX" diff box >"$scratch/out" 2>"$scratch/err"
is "diff works" $? 0
is "... shows a table, with nothing that a terminal would obey" "$(cat "$scratch/out")" 'CHANGE          SIZE  PATH
created      2.0 KiB  /src/app/new.txt
modified         1 B  /src/app/sub/\x1b[31mred\x0aline
deleted            -  /src/app/old
a long k           -  /src/lib/x'
like "... and what makes no sense is counted" "$(cat "$scratch/err")" "2 lines .* make no sense"
is "diff --json has all of it" "$("$SBX" diff --json box 2>/dev/null | python3 -c '
import json, sys
print([(row["folder"], row["change"], row["size"]) for row in json.load(sys.stdin)])')" \
	"[('/src/app', 'created', 2048), ('/src/app', 'modified', 1), ('/src/app', 'deleted', 5), ('/src/lib', 'a long kind of change', -1)]"
kill "$server"
wait "$server" 2>/dev/null
export NO_CHANGES=1
serve
is "without changes nothing is printed" "$("$SBX" diff box 2>"$scratch/err")" ""
is "... and that is said" "$(cat "$scratch/err")" "sbx: no changes"
kill "$server"
wait "$server" 2>/dev/null
rm -f "$SBX_HOME/run/box.sock"
done_testing
