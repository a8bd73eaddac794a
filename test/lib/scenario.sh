# shellcheck shell=bash
# What every scenario includes: TAP, a state folder of its own or the shared one, and waiting with a limit.
#
# SBX_BUILD   the build folder              SBX_TEST_HOME  the shared SBX_HOME, whose base template all scenarios use
#
# A scenario calls `home_shared` or `home_own` first, then checks, then `done_testing`.
set -u

SBX=$SBX_BUILD/sbx
n_checks=0
n_failed=0
scratch=$(mktemp -d)
lib=$(realpath "$(dirname "${BASH_SOURCE[0]}")")

# The folder that sandboxes get unless they are told otherwise is this scenario's own.
mkdir "$scratch/work"
cd "$scratch/work" || exit

say() { printf '# %s\n' "$*"; }

result() { # result STATUS DESCRIPTION
	n_checks=$((n_checks + 1))
	if [ "$1" -eq 0 ]; then
		printf 'ok %d - %s\n' "$n_checks" "$2"
	else
		n_failed=$((n_failed + 1))
		printf 'not ok %d - %s\n' "$n_checks" "$2"
	fi
}

check() { # check DESCRIPTION COMMAND...: passes when the command does
	local what=$1
	shift
	"$@" >"$scratch/check.out" 2>&1
	local status=$?
	[ $status -eq 0 ] || sed 's/^/#   /' "$scratch/check.out"
	result $status "$what"
}

is() { # is DESCRIPTION GOT EXPECTED
	[ "$2" = "$3" ]
	local status=$?
	[ $status -eq 0 ] || { say "got:      $2"; say "expected: $3"; }
	result $status "$1"
}

like() { # like DESCRIPTION GOT PATTERN (extended regular expression)
	printf '%s\n' "$2" | grep -Eq -- "$3"
	local status=$?
	[ $status -eq 0 ] || { say "got:     $2"; say "pattern: $3"; }
	result $status "$1"
}

done_testing() {
	printf '1..%d\n' "$n_checks"
	[ "$n_failed" -eq 0 ]
	exit
}

# What the sandboxes' logs say, for whoever looks into a failure; of the run before too, as a sandbox may have been started again.
show_logs() {
	local log
	for log in "$SBX_HOME"/data/sandboxes/*/*.log "$SBX_HOME"/data/sandboxes/*/*.log.1; do
		[ -s "$log" ] || continue
		say "$log:"
		tail -n 60 "$log" | sed 's/^/#   /'
	done
}

# The last sandbox of this scenario goes with it, whatever happened.
finish() {
	local status=$?
	[ "$n_failed" -eq 0 ] || show_logs
	if [ -n "${own_home:-}" ]; then
		"$SBX" rm --all --force >/dev/null 2>&1
		find "$own_home" -path '*/data/secrets' -exec python3 "$lib/forget-key.py" {} +
		rm -rf "$own_home"
	elif [ -n "${own_names:-}" ]; then
		# shellcheck disable=SC2086 # names have no blanks
		"$SBX" rm --force $own_names >/dev/null 2>&1
	fi
	rm -rf "$scratch"
	exit $status
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# On a terminal the first run would ask for it.
choose_policy() { [ -e "$SBX_HOME/config/policy" ] || "$SBX" policy init balanced >/dev/null; }

# The shared state: template, and a sandbox "shared" that scenarios may use but must leave as it was.
home_shared() {
	export SBX_HOME=$SBX_TEST_HOME
	choose_policy
	if ! "$SBX" exec shared true 2>/dev/null; then
		"$SBX" create shell --name shared --no-mount --memory 2g -q >/dev/null || { echo "Bail out! no shared sandbox"; exit 1; }
	fi
}

# A state folder of this scenario's own, with the same template and the same start states in it.
home_own() {
	own_home=$(mktemp -d)
	export SBX_HOME=$own_home
	mkdir -p "$own_home/data" "$own_home/cache" "$SBX_TEST_HOME/cache/starts"
	ln -s "$SBX_TEST_HOME/data/templates" "$own_home/data/templates"
	ln -s "$SBX_TEST_HOME/cache/starts" "$own_home/cache/starts"
	choose_policy
}

# Names in the shared state that this scenario makes and that go with it.
own() { own_names="${own_names:-} $*"; }

within() { # within SECONDS COMMAND...: waits until the command succeeds
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		read -r -t 0.1 <> <(:)
	done
	return 0
}

# Makes the image "tiny" of the sandbox's own shell, cat and sleep: make_image SANDBOX
make_image() {
	"$SBX" exec "$1" sh -ec '
		cd "$(mktemp -d)"
		mkdir -p root/bin root/lib64 root/lib/x86_64-linux-gnu
		cp /usr/bin/dash root/bin/sh
		cp /usr/bin/cat /usr/bin/sleep root/bin/
		cp -L /lib64/ld-linux-x86-64.so.2 root/lib64/
		cp -L /lib/x86_64-linux-gnu/libc.so.6 root/lib/x86_64-linux-gnu/
		tar -C root -c . | docker import - tiny >/dev/null'
}

now_ms() { date +%s%3N; }

# The process id of a role of a sandbox: role_pid NAME supervisor|engine|link
role_pid() {
	"$SBX" ls --json | python3 -c '
import json, sys
for row in json.load(sys.stdin):
    if row["name"] == sys.argv[1]:
        print(row["pids"].get(sys.argv[2], ""))' "$1" "$2"
}

# A process that has ended, also where nobody has reaped it yet.
is_gone() { ! grep -qsE '^State:[[:space:]]+[^ZX[:space:]]' "/proc/$1/status"; }
