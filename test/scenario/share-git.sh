#!/bin/bash
# One repository, both sides: ordinary work with git inside, and the host and the guest see the same.
. "$(dirname "$0")/../lib/share.sh"
home_own
host_git() { git -c safe.directory='*' -c user.name=host -c user.email=host@test "$@"; }
git init -q -b main
echo first >file
host_git add file
host_git commit -q -m first
mkdir fresh
"$SBX" create shell . --name x --memory 2g -q >/dev/null
programs_into x

is "the guest sees a clean work tree" "$("$SBX" exec x git status --porcelain -- file)" ""
"$SBX" exec x sh -ec 'git config user.name guest; git config user.email guest@test
	echo second >>file; git add file; git commit -q -m second; git checkout -q -b side; echo side >side; git add side; git commit -q -m side
	git checkout -q main' >"$scratch/out" 2>&1
is "the guest commits" $? 0
is "the host sees its commits" "$(host_git log --topo-order --format=%an:%s main side)" "$(printf 'guest:side\nguest:second\nhost:first')"
is "... and a clean work tree" "$(host_git status --porcelain -- file side)" ""
host_git merge -q --no-edit side
echo third >>file
host_git commit -q -a -m third
is "the guest sees the host's" "$("$SBX" exec x git log --format=%an:%s -1)" host:third
is "... and a clean work tree" "$("$SBX" exec x git status --porcelain -- file side)" ""
host_git checkout -q -b other 'HEAD~2'
is "the guest follows when the host changes the branch" "$("$SBX" exec x sh -c 'git branch --show-current; cat file')" "$(printf 'other\nfirst\nsecond')"
check "both say that it is sound" host_git fsck --strict
check "... both" "$SBX" exec x git fsck --strict

"$SBX" exec x sh -c "sh /opt/test/git-work.sh '$PWD/fresh'" >"$scratch/out" 2>&1
status=$?
[ $status -eq 0 ] || tail -n 20 "$scratch/out" | sed 's/^/# /'
is "ordinary work with git goes on inside" $status 0
done_testing
