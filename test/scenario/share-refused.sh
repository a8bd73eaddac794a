#!/bin/bash
# What may not be shared is refused in one clear sentence before anything is made; no machine is started here.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
export HOME=$scratch/home
mkdir -p "$HOME/src/repo/inner" "$HOME/src/repo-evil" "$HOME/src/lib"
echo x >"$HOME/file"
cd "$HOME/src" || exit

refused() { # refused PATTERN ARGUMENTS...
	local pattern=$1 got
	shift
	"$SBX" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	got=$?
	is "sbx $(printf '%q ' "$@")is refused" $got 1
	like "... and says why" "$(cat "$scratch/err")" "$pattern"
	is "... in one line" "$(wc -l <"$scratch/err")" 1
}

# ---- paths ----

refused "no folder 'none'; what is for the agent goes after '--'" run shell none
refused "no folder 'none'" create shell --mount none:/t
refused "'/' cannot be shared" run shell /
for folder in /etc /etc/ssl /proc /proc/self /sys /dev/shm /usr /usr/bin /usr/local /var /var/lib /home /opt /srv /mnt; do
	[ -e "$folder" ] && refused "'.*' cannot be shared: it belongs to the system" run shell "$folder:ro"
done
ln -s /etc link
refused "'/etc' cannot be shared" run shell link
refused "--allow-home" run shell ~
refused "your home folder lies in it" run shell --allow-home "$scratch"
cd ~ || exit
refused "--no-mount" run shell
cd src || exit
refused "put ':ro' behind it" create shell . --mount ~/file
refused "name the folder to work in first" create shell ~/file:ro
mkfifo fifo
refused "neither a folder nor a file" create shell fifo:ro
refused "empty" create shell ""
refused "control characters" create shell "$(printf 'a\nb')"
refused "not valid UTF-8" create shell "$(printf 'a\xff')"
refused "'--mount repo:/t' takes that" create shell repo:/t
mkdir "lib:ro"
refused "both 'lib:ro' and 'lib' are there" create shell lib:ro
refused "cannot be read-only: it lies in" create shell repo repo/inner:ro
mkdir m{1..17}
refused "at most" create shell m{1..17}

# ---- state ----

refused "part of the state of sbx|keeps its state" create shell "$SBX_HOME/data/sandboxes"
refused "keeps its state" create shell "$SBX_HOME/data"
refused "keeps its state" create shell "$(dirname "$(realpath "$SBX_HOME/data/templates")")"
SBX_HOME=$HOME/src/repo refused "set SBX_HOME" create shell .
rm -rf repo/config repo/data repo/cache repo/run
SBX_HOME='' refused "set SBX_HOME to a folder elsewhere" create shell --allow-home ~

# ---- targets ----

for target in / /usr/bin /etc/ssl /home /home/agent /root /run/x /tmp /proc /var/lib/docker/x /home/agent/../../etc; do
	refused "nothing can be put at" create shell --mount "repo:$target"
done
refused "both be at '/t'" create shell --mount repo:/t --mount lib/:/t/
is "nothing was made by all that" "$("$SBX" ls -q)" ""

# ---- sandboxes that are there ----

share() { # share NAME TARGET PORT
	printf '{"source": "%s", "target": "%s", "port": %d, "read_only": false, "file": false, "gone": false}' "$HOME/src/$1" "$2" "$3"
}
make() { # make NAME SHARES: as a sandbox lies on the disk
	mkdir -p "$SBX_HOME/data/sandboxes/$1"
	cat >"$SBX_HOME/data/sandboxes/$1/sandbox.json" <<-EOF
		{"version": 1, "name": "$1", "agent": "shell", "workspace": "$HOME/src/repo", "template": "base", "cpus": 1,
		"memory_mib": 512, "disk_mib": 1024, "env": [], "shares": [$2], "guard": [],
		"machine_id": "0123456789abcdef0123456789abcdef", "created": 1}
	EOF
}
make box "$(share repo "$HOME/src/repo" 0)"
refused "sandbox 'box' does not have '$HOME/src/lib': 'sbx mount box $HOME/src/lib' adds it" run shell repo lib/:rw
refused "'sbx mount box $HOME/src/lib:/t:ro' adds it" run shell repo --mount lib/:/t:ro
refused "has '$HOME/src/repo' for writing too" run shell repo:ro
refused "'sbx umount box $HOME/src/repo' takes it away" run --name box --no-mount
refused "--allow-guarded counts only when one is made" run shell repo --allow-guarded '.vscode/**'
refused "there is a sandbox 'box' of this agent for this folder" create shell repo
refused "only one that runs knows its changes" diff box

check "a folder is added to one that is stopped" "$SBX" mount box lib/:ro
check "... and a file" "$SBX" mount box ~/file:/home/agent/file:ro
is "... and listed" "$("$SBX" mount box | awk '{print $1, $2, $3}')" "FOLDER ACCESS INSIDE
$HOME/file read-only /home/agent/file
$HOME/src/lib read-only $HOME/src/lib
$HOME/src/repo read-write $HOME/src/repo"
refused "a folder at '$HOME/src/lib' in the sandbox already|both be at" mount box lib/:ro
refused "cannot be read-only" mount box repo/inner:/t:ro
refused "would hide '/home/agent/file'|sandbox has its own" mount box lib/:/home/agent
refused "would hide '$HOME/src/lib'" mount box "repo-evil:$HOME/src"
refused "does not have 'repo-evil'" umount box repo-evil
check "by its path inside it is taken away" "$SBX" umount box /home/agent/file
check "by a path that leads to it too" "$SBX" umount box ../src/./lib/
is "... and is gone" "$("$SBX" mount box | wc -l)" 2
is "ls shows what is left" "$("$SBX" ls --json | python3 -c '
import json, sys
print([(share["source"], share["read_only"]) for row in json.load(sys.stdin) for share in row["shares"]])')" "[('$HOME/src/repo', False)]"

# ---- starts ----

mv repo elsewhere
refused "'$HOME/src/repo' of sandbox 'box' is not there: put it back, or 'sbx umount box $HOME/src/repo'" exec box true
ln -s elsewhere repo
refused "'$HOME/src/repo' of sandbox 'box' is not what it was" exec box true
rm repo
check "what is gone from the host can be taken away" "$SBX" umount box repo
mkdir -p repo/inner
make nested "$(share repo "$HOME/src/repo" 0), $(share repo/inner "$HOME/src/repo/inner" 1)"
rmdir repo/inner
ln -s ~/.ssh repo/inner
mkdir ~/.ssh
refused "is not what it was" run --name nested
done_testing
