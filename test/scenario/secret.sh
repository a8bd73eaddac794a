#!/bin/bash
# Secrets by command: what is kept and where, what is shown, what is refused, and what running sandboxes are told. No machine runs.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
unset ANTHROPIC_API_KEY OPENAI_API_KEY CODEX_API_KEY GH_TOKEN GITHUB_TOKEN GEMINI_API_KEY GOOGLE_API_KEY GROQ_API_KEY XAI_API_KEY SBX_STORE
export DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent
printf 'correct horse\n' >"$scratch/passphrase"
export SBX_PASSPHRASE_FILE=$scratch/passphrase
canary=canary-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')

refused() { # refused STATUS PATTERN INPUT ARGUMENTS...: and changes nothing
	local status=$1 pattern=$2 input=$3 got before
	shift 3
	before=$(md5sum "$SBX_HOME/config/secrets.json" "$SBX_HOME/data/secrets" "$SBX_HOME"/config/services/* 2>/dev/null)
	printf '%b' "$input" | "$SBX" secret "$@" >"$scratch/out" 2>"$scratch/err"
	got=$?
	is "sbx secret $(printf '%q ' "$@")ends with $status" $got "$status"
	like "... and says why" "$(cat "$scratch/err")" "$pattern"
	is "... and changes nothing" "$(md5sum "$SBX_HOME/config/secrets.json" "$SBX_HOME/data/secrets" "$SBX_HOME"/config/services/* 2>/dev/null)" "$before"
}

listed() { "$SBX" secret ls | awk 'NR > 1 {print $1, $2, $3}'; }

# ---- kept in the file ----

like "without a keychain the file is named" "$(printf '%s\n' "$canary" | "$SBX" secret set openai 2>&1)" "Kept in the encrypted file"
is "... and listed" "$(listed)" "openai all file"
is "... for the user alone" "$(stat -c %a "$SBX_HOME/data/secrets" "$SBX_HOME/config/secrets.json" | tr '\n' ' ')" "600 600 "
like "diagnose says so" "$("$SBX" diagnose)" "ok +secrets +the encrypted file .*no message bus"
is "the value lies nowhere as it is" "$(grep -rlF "$canary" "$SBX_HOME/config" "$SBX_HOME/data/secrets")" ""
is "ls does not show it" "$("$SBX" secret ls --json | grep -c "$canary")" 0
check "the seed's form is the same" sh -c "echo gh | '$SBX' secrets set GITHUB_TOKEN"
is "... by the service's name" "$(listed)" "github all file
openai all file"
like "what is in the environment is listed, and where it comes from" "$(GROQ_API_KEY=x "$SBX" secret ls)" "^groq +all +environment"

# ---- refused ----

refused 2 "not given as an argument" "" set openai "$canary"
refused 2 "not given as an argument" "" set OPENAI_API_KEY=abc
refused 2 "takes the name of a service" "" set
refused 1 "the secret is empty" "" set groq
refused 1 "the secret is empty" "\n" set groq
refused 1 "several lines" "one\ntwo\n" set groq
refused 1 "NUL byte" "one\0two" set groq
refused 1 "what no header can" "b\0303\0244r" set groq
refused 1 "longer than 16384 bytes" "$(head -c 70000 /dev/zero | tr '\0' x)" set groq
refused 1 "did you mean 'openai'" "x" set opena
refused 1 "trades its token" "x" set copilot
refused 1 "no header holds it" "x" set aws
refused 1 "no sandbox 'nobody'" "x" set groq --sandbox nobody
refused 2 "goes with --command" "" set groq --refresh 5m
refused 2 "a time such as" "" set groq --command true --refresh 5
refused 2 "a time such as" "" set groq --command true --refresh 0s
refused 2 "did you mean 'set'" "" sett
refused 2 "needs --host and --header" "x" set-custom --host a.example
refused 1 "NAME: FORMAT" "x" set-custom --host a.example --header 'X-Key %s'
refused 1 "must hold %s" "x" set-custom --host a.example --header 'X-Key: plain'
refused 1 "lower case" "x" set-custom --host '*' --header 'X-Key: %s'
refused 2 "takes up to 32" "x" set-custom --host a.example --header 'X-Key: %s' --name 'A b'
refused 1 "cannot be in a line" "x" set-custom --host $'a.example\nhost b.example' --header 'X-Key: %s'
refused 1 "belongs to the service 'openai'" "x" set-custom --host a.example --header 'X-Key: %s' --env OPENAI_API_KEY
refused 1 "service that sbx knows" "x" set-custom --host a.example --header 'X-Key: %s' --name openai
refused 1 "there is no secret 'groq'" "" rm groq
refused 2 "takes the names" "" rm
refused 1 "no variable of 'groq'" "" import groq
printf '[{"service": 1}]' >"$scratch/bad"
cp "$SBX_HOME/config/secrets.json" "$scratch/good"
cp "$scratch/bad" "$SBX_HOME/config/secrets.json"
refused 1 "secrets.json: an entry makes no sense" "" ls
cp "$scratch/good" "$SBX_HOME/config/secrets.json"
head -c 60 "$SBX_HOME/data/secrets" >"$scratch/cut"
cp "$SBX_HOME/data/secrets" "$scratch/whole"
cp "$scratch/cut" "$SBX_HOME/data/secrets"
refused 1 "no file of secrets" "x" set groq
cp "$scratch/whole" "$SBX_HOME/data/secrets"

# ---- on a terminal ----

python3 "$lib/terminal.py" 24 80 "$SBX" secret set mistral >"$scratch/log" 2>&1 <<END
expect Secret for mistral:
send $canary-typed\\r
end
END
like "a secret is asked for" "$(cat "$scratch/log")" "^status 0"
is "... and not shown" "$(grep -c "$canary" "$scratch/log")" 0
is "... and kept" "$(listed | grep mistral)" "mistral all file"
python3 "$lib/terminal.py" 24 80 "$SBX" secret set nebius >"$scratch/log" 2>&1 <<'END'
expect Secret for nebius:
send half\x03
end
END
like "interrupted, it is not kept" "$(cat "$scratch/log")" "nothing was entered"
is "... and ends as what is interrupted does" "$(head -n 1 "$scratch/log")$(listed | grep nebius)" "status -2"
mkdir "$SBX_HOME/other"
env -u SBX_PASSPHRASE_FILE SBX_HOME="$SBX_HOME/other" python3 "$lib/terminal.py" 24 80 "$SBX" secret set groq >"$scratch/log" 2>&1 <<'END'
expect Secret for groq:
send abc\r
expect passphrase for the file of secrets
send tr0ub4dor\r
end
END
like "a new file gets a passphrase" "$(tr -d '\r' <"$scratch/log")" "^Kept in the encrypted file\.$"
is "... that is not shown" "$(grep -c tr0ub4dor "$scratch/log")" 0

# ---- own services, commands, the environment ----

check "a secret for hosts of one's own" sh -c "echo acme-key-1 | '$SBX' secret set-custom --host api.acme.dev --host 'x.acme.dev:8443' --header 'X-Acme-Key: %s' --env ACME_KEY --placeholder 'ak_%s'"
like "... is listed with them" "$("$SBX" secret ls)" "^acme-key +all +file +api.acme.dev x.acme.dev:8443"
is "... and is a readable file" "$(cat "$SBX_HOME/config/services/acme-key")" "service acme-key
env ACME_KEY
header X-Acme-Key: %s
host api.acme.dev:443
host x.acme.dev:8443
placeholder ak_%s"
check "a command" "$SBX" secret set xai --command 'printf from-command' --refresh 55m
like "... is listed as one" "$("$SBX" secret ls --json | tr -d '\n')" '"command": "printf from-command", *"refresh_seconds": 3300'
like "import takes what is in the environment and not kept" "$(GROQ_API_KEY=g OPENAI_API_KEY=o "$SBX" secret import 2>/dev/null)" "^groq from GROQ_API_KEY$"
is "... and says when there is nothing" "$(GROQ_API_KEY=g "$SBX" secret import 2>&1)" "There is nothing in the environment that is not kept already."

# ---- what running sandboxes are told ----

for name in one two; do
	mkdir -p "$SBX_HOME/data/sandboxes/$name"
	printf '{"agent": "shell", "template": "base", "cpus": 1, "memory_mib": 1024, "disk_mib": 1024}' >"$SBX_HOME/data/sandboxes/$name/sandbox.json"
	python3 "$lib/supervisor.py" "$SBX_HOME/run/$name.sock" "$scratch/$name.told" &
	listeners="${listeners:-} $!"
	within 10 test -S "$SBX_HOME/run/$name.sock"
done
told() { # told NAME SERVICE: the lines of its binding, in the last message
	tail -n 1 "$scratch/$1.told" | python3 -c '
import json, sys
text = json.loads(sys.stdin.read())["secrets"]
for block in text.split("service ")[1:]:
    if block.split("\n")[0] == sys.argv[1]:
        print("service " + block.removesuffix("end\n"), end="")' "$2"
}
begin=$(now_ms)
printf '%s-2\n' "$canary" | "$SBX" secret set openai 2>/dev/null
took=$(($(now_ms) - begin))
check "a change is told in less than a second ($took ms)" test $took -lt 1000
like "... to each that runs, with the value" "$(told one openai)" "^value $canary-2$"
like "... a placeholder that looks like a key" "$(told one openai)" '^placeholder sk-proj-[A-Za-z0-9]{36}$'
like "... variables" "$(told one openai)" '^env OPENAI_API_KEY$'
check "... and another placeholder for each" test "$(told one openai | grep placeholder)" != "$(told two openai | grep placeholder)"
is "... nothing of other services" "$(tail -n 1 "$scratch/one.told" | grep -c acme)" 0
before=$(told one openai | grep placeholder)
printf 'own\n' | "$SBX" secret set openai --sandbox one 2>/dev/null
like "one for a sandbox counts there" "$(told one openai)" '^value own$'
is "... with the same placeholder" "$(told one openai | grep placeholder)" "$before"
like "... and not in others" "$(told two openai)" "^value $canary-2$"
is "... and is listed" "$(listed | grep openai)" "openai all file
openai one file"
"$SBX" secret rm openai --sandbox one 2>/dev/null
like "removed, the one for all counts again" "$(told one openai)" "^value $canary-2$"
"$SBX" secret rm OPENAI_API_KEY
is "removed there too, it is forgotten" "$(told one openai | tail -n 1)" forget
is "... by all" "$(told two openai | tail -n 1)" forget
is "... and lies nowhere" "$(listed | grep -c openai)" 0
"$SBX" secret rm acme-key
is "a service of one's own goes with its secret" "$(told one acme-key | tail -n 1) $(ls "$SBX_HOME/config/services")" "forget "
"$SBX" secret set xai --command 'echo not-this; exit 7' 2>"$scratch/err"
like "a command that fails is named" "$(cat "$scratch/err")" "secret 'xai' cannot be used: the command ended with status 7"
is "... without what it said" "$(grep -c not-this "$scratch/err")" 0
is "... and what was there stays" "$(told one xai | tail -n 1)" keep
is "changes at once are all kept" "$(for name in groq mistral nebius cursor droid google; do echo "v-$name" | "$SBX" secret set $name 2>/dev/null & done; wait; listed | grep -cE '^(groq|mistral|nebius|cursor|droid|google) ')" 6
echo own | "$SBX" secret set groq --sandbox one 2>/dev/null
# shellcheck disable=SC2086 # numbers have no blanks
kill -STOP $listeners
"$SBX" secret rm mistral 2>"$scratch/err"
is "a removal that a running sandbox did not hear of is no success" $? 1
like "... which is named" "$(cat "$scratch/err")" "sandbox 'one' does not answer: it keeps the secrets"
# shellcheck disable=SC2086
kill -CONT $listeners
# shellcheck disable=SC2086
kill $listeners
rm -f "$SBX_HOME"/run/*.sock
"$SBX" rm -f one >/dev/null 2>&1
is "what is for a sandbox alone goes with it" "$(listed | grep groq)" "groq all file"
is "nothing of it is in what was said or written" "$(grep -rlF "$canary" "$SBX_HOME" "$scratch/out" "$scratch/err")" ""

# Without a passphrase the kernel has the key; a host without keyrings refuses, in one sentence.
without() { env -u SBX_PASSPHRASE_FILE SBX_HOME="$SBX_HOME/kernel" "$@"; }
if echo one | without "$SBX" secret set openai >"$scratch/out" 2>&1; then
	without python3 "$lib/forget-key.py" "$SBX_HOME/kernel/data/secrets"
	echo two | without "$SBX" secret set openai >"$scratch/out" 2>&1
	is "after a restart, which takes the key, secrets can be set again" $? 0
	like "... and it is said that the others are lost" "$(cat "$scratch/out")" "has to be set again"
else
	like "without a keyring there is a sentence" "$(cat "$scratch/out")" "no kernel keyring"
fi

for verb in set set-custom import ls rm; do
	like "sbx secret $verb --help explains itself" "$("$SBX" secret $verb --help)" "^Usage: sbx secret $verb"
done
done_testing
