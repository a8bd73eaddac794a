#!/bin/bash
# Rules that are edited by hand while a sandbox runs: what counts from when, and what is denied when they cannot be read.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
"$SBX" create shell --name box --no-mount --memory 2g -q >/dev/null || { echo "Bail out! no sandbox"; exit 1; }
global=$SBX_HOME/config/policy
own=$SBX_HOME/data/sandboxes/box/policy
log=$SBX_HOME/data/sandboxes/box/supervisor.log

python3 -u -m http.server --bind 127.0.0.1 0 >"$scratch/server" 2>/dev/null &
server=$!
trap 'kill $server 2>/dev/null; finish' EXIT
within 10 grep -q port "$scratch/server"
port=$(grep -o 'port [0-9]*' "$scratch/server" | cut -d' ' -f2)

# One program inside asks whenever it is told to: each answer is a status and the last line that came with it.
cat >"$scratch/ask.py" <<END
import sys, urllib.request, urllib.error
for line in sys.stdin:
    try:
        print(urllib.request.urlopen("http://host.docker.internal:$port/", timeout=20).status, flush=True)
    except urllib.error.HTTPError as e:
        print(e.code, e.read().decode().strip().split("\n")[-1], flush=True)
    except OSError as e:
        print(type(e).__name__, flush=True)
END
begin_asking() {
	coproc ASK { "$SBX" exec -i box python3 -c "$(cat "$scratch/ask.py")" 2>/dev/null; }
}
ask() {
	echo >&"${ASK[1]}"
	read -r -t 60 answer <&"${ASK[0]}"
	printf '%s\n' "$answer"
}
answers() { ask >"$scratch/answer"; grep -Eq "$1" "$scratch/answer"; } # a pipe would not get the descriptors

begin_asking
like "what no rule allows is denied" "$(ask)" '^403 no rule allows it'
echo "allow localhost:$port" >"$own"
begin=$(now_ms)
check "a rule written into the sandbox's file by hand counts" within 5 answers '^200'
say "after $(($(now_ms) - begin)) ms, with an answer from inside"
printf 'allow localhost:%s\nalow example.com\n' "$port" >"$own"
check "a bad line is reported with its number" within 5 grep -q "own rules, line 2: " "$log"
is "... and the rules before stay" "$(ask)" 200
rm "$own"
mkdir "$own"
check "a file that cannot be read denies what was allowed" within 5 answers '^403 nothing is allowed while the rules cannot be read'
rmdir "$own"
echo "allow localhost:$port" >"$own"
check "... until it can be" within 5 answers '^200'
mv "$global" "$scratch/global"
ln -s "$scratch/global" "$global"
check "the same for a link, which is not followed" within 5 answers '^403 nothing is allowed while'
rm "$global"
mkdir "$global"
check "the same for the rules for all sandboxes" within 5 answers '^403 nothing is allowed while'
rmdir "$global"
echo "deny localhost:$port" >"$global"
check "... which deny what the sandbox's own allow" within 5 answers "^403 the rule that decided: deny localhost:$port"
rm "$global"
check "... and have no rules once their file is gone" within 5 answers '^200'
rm "$own"
check "without any rules nothing is allowed" within 5 answers '^403 no rule allows it'
eval "exec ${ASK[1]}>&-"

# A start finds no rules that held before.
echo "allow localhost:$port" >"$own"
echo "deny nothing at all" >"$global"
"$SBX" stop box >/dev/null
"$SBX" exec box true 2>"$scratch/err"
like "a start with a bad line names it" "$(cat "$scratch/err")" "config/policy, line 1: .*'box' reaches nothing"
begin_asking
like "... and denies everything" "$(ask)" '^403 nothing is allowed while the rules cannot be read'
rm "$global"
check "... until it is mended" within 5 answers '^200'
eval "exec ${ASK[1]}>&-"

# ---- more rules than there may be, both files together ----
many() { seq -f "allow h%g.$1.example" "$2"; } # many NAME COUNT
put() { cat >"$scratch/rules" && mv "$scratch/rules" "$1"; }
apply() { # what the supervisor itself says of the rules as they are
	python3 - "$SBX_HOME/run/box.sock" <<'END'
import socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect(sys.argv[1])
    asked.sendall(b'{"op": "policy"}\n')
    print(asked.recv(65536).decode(), end="")
END
}
many all 2000 | put "$global"
{ many own 3000; echo "deny localhost:$port"; } | put "$own"
like "a sandbox's own rules beyond what there may be are no success" "$(apply)" '"ok":false.*own rules, line 2097: there are more than 4096 rules, the global ones included'
begin_asking
is "... and the rules before stay" "$(ask)" 200
many all 1000 | put "$global"
is "fewer are" "$(apply)" '{"ok":true}'
like "... and hold" "$(ask)" '^403 the rule that decided: deny localhost'
many all 2000 | put "$global"
like "so it is with those for all sandboxes" "$(apply)" '"ok":false.*for all sandboxes: there are more than 4096 rules'
# Neither file has room for what the other one loses before that is gone.
echo "allow localhost:$port" | put "$own"
many all 4000 | put "$global"
is "rules may go from one file to the other" "$(apply)" '{"ok":true}'
{ many own 3000; echo "deny localhost:$port"; } | put "$own"
many all 1000 | put "$global"
is "... and back" "$(apply)" '{"ok":true}'
like "... and hold" "$(ask)" '^403 the rule that decided: deny localhost'
eval "exec ${ASK[1]}>&-"
"$SBX" policy allow network --sandbox box "$(seq -s, -f 'x%g.example' 90)" >/dev/null
"$SBX" policy allow network --sandbox box "$(seq -s, -f 'y%g.example' 10)" >/dev/null 2>"$scratch/err"
is "a command adds none beyond" $? 1
like "... and says so" "$(cat "$scratch/err")" "more than 4096 rules, the global ones included"
is "... and changes nothing" "$(grep -c y1.example "$own")" 0
done_testing
