#!/bin/bash
# The journal as a person sees it: sums, lines as they come, across a change of files. No machine runs.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
shelf=$SBX_HOME/data/sandboxes
mkdir -p "$shelf/one" "$shelf/two"

record() { # record HOST PORT DECISION RULE [MORE]
	printf '{"time":"2026-01-01T00:00:%02dZ","sandbox":"x","host":"%s","port":%s,"rule":"%s","decision":"%s","bytes_in":1000,"bytes_out":10,"duration_ms":5%s}\n' \
		$((++n_records)) "$1" "$2" "$4" "$3" "${5:-}"
}
n_records=0

like "where nothing was reached it says so" "$("$SBX" policy log)" "^Denied: nothing"
{
	record a.test 443 allow 'allow a.test'
	record b.test 443 deny ''
} >"$shelf/one/journal.1"
{
	record a.test 443 allow 'allow a.test'
	record a.test 80 allow 'allow a.test' ',"method":"GET","path":"/x"'
	printf '{"time":"2026-01-01T00:00:00Z","sandbox":"one","folder":"/home","note":"no connection"}\nnonsense\n[1]\n'
	printf '{"host":"c.test","port":"x","decision":"deny"}\n{"host":7,"port":1}\n'
	record 'evil\u001b[2J\u202e.test' 443 deny ''
	record '::1' 80 deny 'deny ::1'
} >"$shelf/one/journal"
record a.test 443 deny 'deny a.test' >"$shelf/two/journal"

log=$("$SBX" policy log one)
like "a host that was denied, with the reason" "$log" "^one +b.test:443 +1 .*no rule allows it$"
like "a host that was reached, summed up over both files" "$log" "^one +a.test:443 +2 +2.0 KiB +20 B +2026-01-01T00:00:03Z  allow a.test$"
like "... each port for itself" "$log" "^one +a.test:80 +1 "
like "IPv6" "$log" "^one +\[::1\]:80 .*deny ::1$"
like "what a terminal would obey is shown instead" "$log" 'evil\\x1b\[2J\\u\{202e\}.test:443'
is "what makes no sense is left out" "$(printf '%s\n' "$log" | grep -c 'c.test')" 0
is "... and so is another sandbox" "$(printf '%s\n' "$log" | grep -c '^two')" 0
like "without a name all are there" "$("$SBX" policy log)" "^two +a.test:443 "
is "--denied leaves out what was reached" "$("$SBX" policy log --denied | grep -c 'allow a.test')" 0
is "--json prints a record a line" "$("$SBX" policy log --json --denied | python3 -c 'import json,sys; print(*sorted(json.loads(l)["sandbox"] for l in sys.stdin))')" "one one one two"
is "... that a terminal can show" "$("$SBX" policy log --json | LC_ALL=C grep -c '[^ -~]')" 0
"$SBX" policy log none 2>"$scratch/err"
is "a sandbox that is not there ends with 1" $? 1
like "... and says so" "$(cat "$scratch/err")" "no sandbox 'none'"
ln -s /etc/hostname "$shelf/two/journal.link"
mv "$shelf/two/journal" "$shelf/two/kept"
mv "$shelf/two/journal.link" "$shelf/two/journal"
"$SBX" policy log two >/dev/null 2>"$scratch/err"
is "a link is not followed" $? 1
mv "$shelf/two/kept" "$shelf/two/journal"

# ---- as it comes ----

seen() { grep -q "$1" "$scratch/follow"; }
watches() { # watches PROCESS COUNT: whether it watches that many folders and files
	[ "$(cat /proc/"$1"/fdinfo/* 2>/dev/null | grep -c '^inotify wd:')" -eq "$2" ]
}

"$SBX" policy log --follow >"$scratch/follow" &
follower=$!
check "follow waits" within 10 watches $follower 5
record f1.test 443 deny '' >>"$shelf/one/journal"
check "a line is shown when it comes" within 10 seen "one  denied   f1.test:443  (no rule allows it)"
is "... and what was there before is not" "$(grep -c b.test "$scratch/follow")" 0
printf '{"time":"T","host":"f2.test",' >>"$shelf/one/journal"
record f3.test 443 allow 'allow f3.test' ',"method":"GET","path":"/p"' >>"$shelf/two/journal"
check "one of another sandbox too" within 10 seen "two  allowed  f3.test:443  GET /p  by 'allow f3.test'"
inner='it leads to an address that no rule allows'
record inner.test 443 deny 'allow inner.test' ",\"reason\":\"$inner\",\"address\":\"10.1.2.3\"" >>"$shelf/two/journal"
check "what was denied for where it leads is shown with that" within 10 seen "inner.test:443  by 'allow inner.test'  ($inner; address 10.1.2.3)"
like "... in the sums too" "$("$SBX" policy log two)" "inner.test:443 +1 .*$inner; address 10.1.2.3$"
is "half a line is not shown" "$(grep -c f2.test "$scratch/follow")" 0
printf '"port":1,"decision":"deny"}\n' >>"$shelf/one/journal"
check "... but the whole of it is" within 10 seen "f2.test:1"
# Written and moved aside at once, twice: nothing of it may be lost.
record f4.test 443 deny '' >>"$shelf/one/journal"
mv "$shelf/one/journal" "$shelf/one/journal.1"
record f5.test 443 deny '' >"$shelf/one/journal"
check "nothing is lost when the file changes: the last of the old" within 10 seen f4.test
check "... the first of the new" within 10 seen f5.test
record f6.test 443 deny '' >>"$shelf/one/journal"
check "... and what follows" within 10 seen f6.test
kill -STOP $follower
mv "$shelf/one/journal" "$shelf/one/journal.1"
record f7.test 443 deny '' >"$shelf/one/journal"
mv "$shelf/one/journal" "$shelf/one/journal.1"
record f8.test 443 deny '' >"$shelf/one/journal"
kill -CONT $follower
check "two changes while it did not look: the file between" within 10 seen f7.test
check "... and the one there is" within 10 seen f8.test
mkdir "$shelf/.new-1-three"
record f9.test 443 deny '' >"$shelf/.new-1-three/journal"
mv "$shelf/.new-1-three" "$shelf/three"
check "a sandbox that is made meanwhile is seen" within 10 seen "three  denied   f9.test"
mv "$shelf/three" "$shelf/.gone-1-three"
rm -r "$shelf/.gone-1-three"
record f10.test 443 deny '' >>"$shelf/one/journal"
check "one that goes does not matter" within 10 seen f10.test
is "each line is there once" "$(grep -o 'f[0-9]*\.test:443' "$scratch/follow" | sort | uniq -d)" ""
kill $follower

"$SBX" policy log --follow two >"$scratch/follow" &
follower=$!
check "follow one" within 10 watches $follower 2
mv "$shelf/two" "$shelf/.gone-1-two"
check "it ends with its sandbox" within 10 is_gone $follower
mkfifo "$scratch/pipe"
"$SBX" policy log --follow >"$scratch/pipe" &
follower=$!
exec 5<"$scratch/pipe"
check "follow into a pipe" within 10 watches $follower 3
exec 5<&-
check "it ends with its reader, though nothing comes" within 10 is_gone $follower
done_testing
