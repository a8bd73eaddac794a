#!/bin/bash
# Rules by command and by hand: what is typed, what is shown, what is refused, and what running sandboxes are told. No machine runs.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
file=$SBX_HOME/config/policy

refused() { # refused STATUS PATTERN ARGUMENTS...: and changes nothing
	local status=$1 pattern=$2 got before
	shift 2
	before=$(md5sum "$file" "$SBX_HOME"/data/sandboxes/*/policy 2>/dev/null)
	"$SBX" policy "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	got=$?
	is "sbx policy $(printf '%q ' "$@")ends with $status" $got "$status"
	like "... and says why" "$(cat "$scratch/err")" "$pattern"
	is "... and changes nothing" "$(md5sum "$file" "$SBX_HOME"/data/sandboxes/*/policy 2>/dev/null)" "$before"
}

verdict() { # verdict TARGET EXPECTED-FIRST-LINE STATUS [OPTIONS]
	local target=$1 expected=$2 status=$3 got
	shift 3
	got=$("$SBX" policy check network "$@" "$target")
	is "check $target${*:+ $*} ends with $status" $? "$status"
	is "... $expected" "$(printf '%s\n' "$got" | head -n 1)" "$expected"
}

# ---- presets ----

for preset in open balanced locked-down; do
	check "init $preset" "$SBX" policy init $preset
	is "... is the preset as it comes" "$(cat "$file")" "$(cat "$SBX_BUILD/policies/$preset.policy")"
	is "... for the user alone" "$(stat -c %a "$file")" 600
done
verdict github.com "Denied: github.com:443" 1
"$SBX" policy init allow-all >/dev/null
verdict any.example:7 "Allowed: any.example:7" 0 --tcp
verdict 192.168.1.1 "Denied: 192.168.1.1:443" 1
verdict http://169.254.169.254/latest "Denied: 169.254.169.254:80" 1
verdict 0x7f000001 "Denied: 127.0.0.1:443" 1
verdict localhost:80 "Denied: localhost:80" 1
"$SBX" policy init deny-all >/dev/null
is "deny-all has no rules" "$("$SBX" policy ls --json)" "[]"
"$SBX" policy init balanced >/dev/null
verdict https://registry.npmjs.org/is-number "Allowed: registry.npmjs.org:443" 0
verdict http://deb.debian.org/debian/ "Allowed: deb.debian.org:80" 0
verdict https://bucket.s3.amazonaws.com/ "Denied: bucket.s3.amazonaws.com:443" 1
verdict https://storage.googleapis.com/ "Denied: storage.googleapis.com:443" 1
verdict https://gist.github.com/ "Denied: gist.github.com:443" 1
refused 2 "balanced, open or locked-down" init balance
refused 2 "did you mean 'init'" innit

# ---- rules ----

is "what is typed is shown as the rule that it becomes" \
	"$("$SBX" policy allow network Example.COM. "*.Example.org:443,**.x.dev")" "allow example.com
allow *.example.org:443
allow **.x.dev"
is "... and is at the end of the file" "$(tail -n 3 "$file")" "allow example.com
allow *.example.org:443
allow **.x.dev"
verdict https://example.com "Allowed: example.com:443" 0
verdict https://www.example.com "Denied: www.example.com:443" 1
verdict example.com:8443 "Denied: example.com:8443" 1
verdict a.example.org "Allowed: a.example.org:443" 0
verdict http://a.example.org "Denied: a.example.org:80" 1
verdict a.b.c.x.dev "Allowed: a.b.c.x.dev:443" 0
is "db with tcp" "$("$SBX" policy allow network db.internal:5432 --tcp --private)" "allow db.internal:5432 tcp private"
verdict db.internal:5432 "Allowed: db.internal:5432" 0 --tcp
is "methods and paths" "$("$SBX" policy allow network api.test --method get,HEAD --path '/repos/**')" \
	"allow api.test method=GET,HEAD path=/repos/**"
verdict https://api.test/repos/x?y "Allowed: api.test:443" 0
verdict https://api.test/user "Denied: api.test:443" 1
verdict https://api.test/repos/%2e%2e/user "Denied: api.test:443" 1
verdict https://api.test/repos/x "Denied: api.test:443" 1 --method POST
verdict api.test "Denied: api.test:443" 1
like "... which says what it depends on" "$("$SBX" policy check network api.test)" "method and path"
is "deny" "$("$SBX" policy deny network gist.example.com)" "deny gist.example.com"
like "an allow that a deny beats is said to have no effect" \
	"$("$SBX" policy allow network gist.example.com 2>&1)" "stays denied: 'deny gist.example.com' \(global, line [0-9]+\)"
like "so is a limit on what is allowed as a whole" \
	"$("$SBX" policy allow network example.com --method GET 2>&1)" "all of example.com is allowed by 'allow example.com'"
like "a rule that is there is not added again" "$("$SBX" policy allow network EXAMPLE.com 2>&1)" "is there already"
is "... it is there once" "$(grep -cx 'allow example.com' "$file")" 1
verdict gist.example.com "Denied: gist.example.com:443" 1
like "... and names rule, file and line" "$("$SBX" policy check network gist.example.com)" \
	"by 'deny gist.example.com' \(global, line [0-9]+\)"
is "localhost" "$("$SBX" policy allow network localhost:8080)" "allow localhost:8080"
verdict http://localhost:8080/x "Allowed: localhost:8080" 0
verdict http://127.0.0.1:8080/x "Denied: 127.0.0.1:8080" 1
is "rm without a port removes all of the host" "$("$SBX" policy rm network gist.example.com)" "deny gist.example.com
allow gist.example.com"
"$SBX" policy allow network two.test:1 two.test:2 >/dev/null
is "rm with a port removes that" "$("$SBX" policy rm network two.test:1)" "allow two.test:1"
is "... and leaves the other" "$(grep two.test "$file")" "allow two.test:2"

refused 2 "'network' and the hosts" allow example.com
refused 2 "'network' and the hosts" allow network
refused 2 "is not a host" allow network "exa mple"$'\n'"allow-all"
refused 2 "is not a host" allow network "a b"
refused 2 "is not a host" allow network "a,,b"
refused 2 "xn-- form" allow network bücher.example
refused 2 "stars stand for whole labels" allow network '*example.com'
refused 2 "'tcp' needs a port" allow network a.b --tcp
refused 2 "not with 'tcp'" allow network a.b:1 --tcp --method GET
refused 2 "not a path" allow network a.b --path 'x'
refused 2 "have no blanks" allow network a.b --path '/x tcp'
refused 2 "bits behind its prefix" deny network 10.0.0.1/8
refused 2 "unknown option '--tcp'" deny network a.b:1 --tcp
refused 2 "'localhost' in rules" allow network host.docker.internal:80
refused 1 "no rule for 'nothing.test'" rm network nothing.test
refused 1 "no rule for 'nothing.test'" rm network two.test:2 nothing.test
refused 1 "no sandbox 'none'" allow network a.b --sandbox none
refused 1 "no sandbox 'none'" ls none
refused 2 "not a URL or HOST" check network 'http://a b/'
refused 2 "not a scheme" check network gopher://a.b
refused 1 "say --force" init open
refused 1 "say --force" reset

# ---- by hand ----

printf '# my own\n\nallow kept.test   # because\n  deny  no.kept.test\n' >"$file"
"$SBX" policy allow network more.test >/dev/null
"$SBX" policy rm network no.kept.test >/dev/null
is "comments and blanks stay through changes" "$(cat "$file")" "# my own

allow kept.test   # because
allow more.test"
check "apply takes it" "$SBX" policy apply
printf 'allow fine.test\n\npermit this\n' >>"$file"
for call in apply ls "allow network a.b" "rm network kept.test" "check network kept.test"; do
	# shellcheck disable=SC2086 # words on purpose
	refused 1 "config/policy, line 7: a rule begins with" $call
done
chmod 0 "$file"
[ "$(id -u)" -eq 0 ] || refused 1 "cannot read" check network kept.test
chmod 600 "$file"
mv "$file" "$scratch/moved"
ln -s "$scratch/moved" "$file"
refused 1 "not a regular file" check network kept.test
rm "$file"

# ---- first use ----

like "without a terminal the first rule comes after 'balanced'" "$("$SBX" policy allow network first.test 2>&1 </dev/null)" "policy 'balanced'"
is "... which is there" "$(tail -n 1 "$file")" "allow first.test"
verdict github.com "Allowed: github.com:443" 0
check "reset" "$SBX" policy reset -f
[ ! -e "$file" ]
is "... leaves no rules" $? 0
verdict github.com "Denied: github.com:443" 1
python3 "$lib/terminal.py" 24 80 "$SBX" policy allow network x.test >"$scratch/log" 2>"$scratch/err" <<'END'
expect balanced.*default
expect Which one\? $
send 7\r
expect Which one\? $
send 3\r
expect allow x\.test
end
END
is "on a terminal it is asked" "$(tail -n 1 "$file")" "allow x.test"
like "... and the answer counts" "$(head -n 1 "$file")" '"locked-down"'
python3 "$lib/terminal.py" 24 80 "$SBX" policy reset >"$scratch/log" 2>&1 <<'END'
expect y/N
send n\r
expect nothing was changed
end
END
[ -e "$file" ]
is "reset asks on a terminal" $? 0
python3 "$lib/terminal.py" 24 80 "$SBX" policy init open >"$scratch/log" 2>&1 <<'END'
expect y/N
send y\r
expect Policy 'open'
end
END
is "init asks before it replaces own rules" "$(cat "$file")" "$(cat "$SBX_BUILD/policies/open.policy")"

# ---- one sandbox, and those that run ----

mkdir -p "$SBX_HOME/data/sandboxes/one" "$SBX_HOME/data/sandboxes/two"
"$SBX" policy init locked-down >/dev/null
"$SBX" policy allow network only.test --sandbox one >/dev/null
verdict only.test "Allowed: only.test:443" 0 --sandbox one
verdict only.test "Denied: only.test:443" 1 --sandbox two
verdict only.test "Denied: only.test:443" 1
is "ls shows whose a rule is" "$("$SBX" policy ls | tail -n 1)" "one                      1  allow only.test"
is "... as JSON too" "$("$SBX" policy ls --json one | python3 -c 'import json,sys; print(*(r["sandbox"] + " " + r["host"] for r in json.load(sys.stdin)))')" "one only.test"
"$SBX" policy deny network only.test >/dev/null
verdict only.test "Denied: only.test:443" 1 --sandbox one

# A supervisor of our own, which writes down what it is told.
listen() { # listen NAME ANSWER
	python3 - "$SBX_HOME/run/$1.sock" "$scratch/$1.told" "$2" <<'END' &
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    client, _ = listener.accept()
    line = client.recv(4096)
    with open(sys.argv[2], "a") as told:
        told.write(line.decode())
    if sys.argv[3] != "silence":
        client.send(sys.argv[3].encode() + b"\n")
        client.close()
    else:
        kept = client
END
	listeners="${listeners:-} $!"
	within 10 test -S "$SBX_HOME/run/$1.sock"
}
told() { cat "$scratch/$1.told" 2>/dev/null; }

listen one '{"ok": true}'
listen two '{"ok": false, "error": "there is no such \"op\""}'
"$SBX" policy init locked-down -f >/dev/null
rm -f "$scratch"/*.told
begin=$(now_ms)
"$SBX" policy allow network told.test >"$scratch/out" 2>"$scratch/err"
say "telling took $(($(now_ms) - begin)) ms"
is "who runs is told that there are other rules" "$(told one)" '{"op":"policy"}'
is "... each of them" "$(told two)" "$(told one)"
is "... and one that knows nothing of rules is no matter" "$(cat "$scratch/err")" ""
rm -f "$scratch"/*.told
"$SBX" policy allow network other.test --sandbox one >/dev/null
is "a rule for one is told to that one" "$(told one)" '{"op":"policy"}'
is "... and to nobody else" "$(told two)" ""
rm -f "$scratch"/*.told
"$SBX" policy reset -f >/dev/null
is "that there are none any more is told too" "$(told two)" '{"op":"policy"}'
# shellcheck disable=SC2086 # numbers have no blanks
kill $listeners
listeners=
rm -f "$SBX_HOME"/run/*.sock
listen one silence
listen two '{"ok": false, "error": "line 3: nonsense"}'
"$SBX" policy init open >/dev/null 2>"$scratch/err"
is "who was not told of new rules is no success" $? 1
like "one that does not answer is named" "$(cat "$scratch/err")" "'one' does not answer"
like "so is one that refuses" "$(cat "$scratch/err")" "'two' keeps the rules that it has: line 3: nonsense"
# shellcheck disable=SC2086
kill $listeners
rm -f "$SBX_HOME"/run/*.sock
is "changes at once are all kept" "$(for i in 1 2 3 4 5 6 7 8; do "$SBX" policy allow network "at-once-$i.test" >/dev/null & done; wait; grep -c at-once "$file")" 8

for verb in init allow deny rm ls check apply log reset; do
	like "sbx policy $verb --help explains itself" "$("$SBX" policy $verb --help)" "^Usage: sbx policy $verb"
done
done_testing
