# shellcheck shell=bash
# For scenarios about shared folders: the programs of test/guest, and what they print.
. "$(dirname "${BASH_SOURCE[0]}")/scenario.sh"
guest=$(realpath "$lib/../guest")

# Puts the programs into /opt/test of a sandbox: programs_into SANDBOX
programs_into() { tar -C "$guest" -c . | "$SBX" exec -i -u root -w / "$1" sh -c 'mkdir -p /opt/test && tar -C /opt/test -x --no-same-owner'; }

# Takes over the tests that a program has printed as TAP: adopt WHOSE FILE
adopt() {
	local line planned="" n_seen=0
	while IFS= read -r line; do
		case $line in
		1..*) planned=${line#1..} ;;
		"ok "* | "not ok "*)
			n_seen=$((n_seen + 1))
			[ "${line%%ok *}" = "" ]
			result $? "$1: ${line#*- }"
			;;
		"#"*) printf '%s\n' "$line" ;;
		*) say "$line" ;;
		esac
	done <"$2"
	is "$1 has done all that it had planned" "$n_seen" "$planned"
}

# What an attacker must not change: a folder that is not shared, with a file, and how it looks. guarded_folder PATH
guarded_folder() {
	mkdir -p "$1"
	echo untouched >"$1/sentinel"
	echo untouched >"$1/only-outside"
	find "$1" -printf '%p %s %i %m %T@ %C@\n' | sort >"$scratch/outside-before"
}
is_untouched() { find "$1" -printf '%p %s %i %m %T@ %C@\n' | sort | diff "$scratch/outside-before" -; }

# Nothing in a folder of the host that a share must never make: has_only_plain_files PATH
has_only_plain_files() { ! find "$1" \( -type b -o -type c -o -type p -o -type s -o -perm /6000 \) | grep .; }

# The process that serves the folder in a share's port: share_pid SANDBOX FOLDER
share_pid() {
	local supervisor keeper pid
	supervisor=$(role_pid "$1" supervisor)
	for keeper in $(pgrep -x -P "$supervisor" sbx-keeper); do
		for pid in $(pgrep -x -P "$keeper" sbx-share); do
			[ "$(readlink "/proc/$pid/fd/4")" != "$2" ] || echo "$pid"
		done
	done
}
