#!/bin/bash
# A folder that is shared for reading cannot be changed from inside by anybody: the host's server refuses, not the guest's kernel.
. "$(dirname "$0")/../lib/share.sh"
home_own
mkdir work read
echo content >read/file
echo alone >one
"$SBX" create shell work read:ro --mount one:/opt/one:ro --name x --memory 2g -q >/dev/null
programs_into x
folder=$PWD/read
find read one -printf '%p %s %i %m %n %T@ %C@\n' >"$scratch/before"

is "it is read" "$("$SBX" exec x sh -c "cat '$folder/file' /opt/one")" "$(printf 'content\nalone')"
changes="echo x >'$folder/file'; echo x >'$folder/new'; mkdir '$folder/d'; rm -f '$folder/file'; mv '$folder/file' '$folder/moved'
	chmod 777 '$folder/file'; touch '$folder/file'; ln '$folder/file' '$folder/hard'; ln -s x '$folder/soft'; echo x >/opt/one; : >>/opt/one
	truncate -s 0 '$folder/file' /opt/one; chown 5 '$folder/file' /opt/one; setfattr -n user.x -v y '$folder/file'"
"$SBX" exec -u root x sh -c "$changes" >"$scratch/out" 2>&1
like "changes are refused" "$(cat "$scratch/out")" "Read-only file system"
is "... and nothing else is said" "$(grep -vc 'Read-only file system\|setfattr: not found' "$scratch/out")" 0
"$SBX" exec -u root x sh -c "mount -o remount,rw,bind '$folder'; mount -o remount,rw '$folder'; mount -o remount,rw,bind /opt/one" >"$scratch/out" 2>&1
"$SBX" exec -u root x sh -c "$changes" >"$scratch/out" 2>&1
like "... also when the guest has mounted it for writing" "$(cat "$scratch/out")" "Read-only file system"
check "nothing has changed" sh -c "find read one -printf '%p %s %i %m %n %T@ %C@\n' | diff '$scratch/before' -"
"$SBX" exec -u root -w / x python3 /opt/test/fuse-raw.py sbx.share.1 read-only >"$scratch/out" 2>&1
adopt raw "$scratch/out"
check "nothing has changed by raw messages either" sh -c "find read one -printf '%p %s %i %m %n %T@ %C@\n' | diff '$scratch/before' -"
echo changed >>one
is "what the host changes is read" "$("$SBX" exec x cat /opt/one)" "$(printf 'alone\nchanged')"
done_testing
