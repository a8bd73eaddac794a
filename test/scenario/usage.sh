#!/bin/bash
# What is asked wrongly is answered with one clear sentence and status 2; what cannot be done with status 1.
. "$(dirname "$0")/../lib/scenario.sh"
home_own

refused() { # refused STATUS PATTERN ARGUMENTS...
	local status=$1 pattern=$2 got
	shift 2
	"$SBX" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	got=$?
	is "sbx $(printf '%q ' "$@")ends with $status" $got "$status"
	like "... and says why" "$(cat "$scratch/err")" "$pattern"
	is "... and prints nothing else" "$(cat "$scratch/out")" ""
}

refused 2 "no command 'exce': did you mean 'exec'" exce
refused 2 "no command 'xyzzy'" xyzzy
refused 2 "unknown option '--memroy': did you mean '--memory'" run shell --memroy 1g
refused 2 "unknown option '-Z'" ls -Z
refused 2 "'--name' needs a value" run shell --name
refused 2 "cannot be a name" create shell --name .x
refused 2 "cannot be a name" create shell --name ../../etc
refused 2 "cannot be a name" create shell --name "$(printf 'a%.0s' $(seq 64))"
refused 2 "cannot be a name" create shell --name=-x
refused 2 "takes an agent" create
refused 2 "no folder, so none can be named" create shell --name xx --no-mount .
refused 2 "no folder, so none can be named" run shell --no-mount --mount .
refused 2 "a pattern of paths" create shell --name xx --allow-guarded "$(printf 'a\nguard b')"
refused 2 "has its folders" run --snapshot none --mount .
refused 2 "its agent and its sizes" run --snapshot none shell .
refused 2 "a sandbox and the folder" mount
refused 2 "a sandbox and a folder" umount none
refused 2 "name of a sandbox" diff
refused 2 "sbx settings takes" settings
refused 2 "sbx settings takes" settings set network.resolve
refused 1 "no setting 'network.resolv': did you mean 'network.resolve'" settings set network.resolv x
refused 1 "'x' is not NAME:PORT=ADDRESS:PORT" settings set network.resolve x
refused 1 "one line of text" settings set network.resolve "$(printf 'a:1=127.0.0.1:1\nx y')"
refused 1 "'network.resolve' is not set" settings get network.resolve
refused 2 "sbx guard takes" guard
refused 2 "sbx guard takes" guard ls x
refused 2 "sbx guard takes" guard add
refused 1 "is no pattern" guard add /x
refused 1 "is no pattern" guard allow a/../b
refused 1 "no rule of yours for 'x'" guard rm x
refused 1 "unknown agent 'shel': did you mean 'shell'" create shel --name xx
refused 1 "unknown agent '../shell'" create ../shell --name xx
refused 2 "more than the [0-9]+ MiB that this machine has" create shell --name xx -m 900t
refused 2 "too little" create shell --name xx -m 10m
refused 2 "size such as" create shell --name xx -m lots
refused 2 "more than the [0-9]+ processors|number from 1" create shell --name xx --cpus 9999
refused 2 "number from 1" create shell --name xx --cpus 0
refused 2 "--disk takes a size" create shell --name xx --disk 1k
refused 1 "no sandbox 'none'" exec none true
refused 2 "a sandbox and a command" exec none
refused 1 "no sandbox 'none'" stop none
refused 1 "no sandbox 'none'" mount none .
refused 1 "no sandbox 'none'" umount none .
refused 1 "no sandbox 'none'" diff none
refused 1 "no sandbox 'none'" rm -f none
refused 2 "names of sandboxes, or --all" rm
refused 1 "No such file" create shell --name xx --env-file /no/such/file
refused 1 "is not NAME=VALUE" create shell --name xx -e =x
refused 1 "sbx run AGENT --name none" run --name none
is "nothing was made by all that" "$("$SBX" ls -q)" ""

for command in run create exec ls stats stop pause resume mount umount diff guard policy fork snapshot rm prune template diagnose version; do
	like "sbx $command --help explains itself" "$("$SBX" $command --help)" "^Usage: sbx $command"
done

is "rules of one's own" "$("$SBX" guard add 'deploy/*.sh' x && "$SBX" guard allow x && "$SBX" guard rm x && "$SBX" guard allow .vscode && "$SBX" guard ls | tail -n 2 | tr -s ' ')" "guard root deploy/*.sh your rule
allow root .vscode your rule"
is "the same as JSON" "$("$SBX" guard ls --json | grep -c '"your rule"')" 2
like "what is built in" "$("$SBX" guard ls)" "^check +.git +config "
echo "deny everything" >>"$SBX_HOME/config/guard"
refused 1 "line 3 of the rules" guard ls
refused 1 "line 3 of the rules" guard add y
rm "$SBX_HOME/config/guard"
like "help lists the commands" "$("$SBX" --help)" "^  exec "
like "version" "$("$SBX" version)" "^sbx version [0-9]+\.[0-9]+\.[0-9]+$"
SBX_HOME=relative "$SBX" ls 2>"$scratch/err"
is "SBX_HOME must be absolute" $? 1
done_testing
