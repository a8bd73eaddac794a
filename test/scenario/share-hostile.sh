#!/bin/bash
# A guest that speaks to the server of a folder by itself: the server answers or ends the session, stays small, and the sandbox's other
# folders and the folder itself, mounted again, are none the worse.
. "$(dirname "$0")/../lib/share.sh"
home_own
guarded_folder "$scratch/outside"
mkdir attacked other
echo fine >other/file
"$SBX" create shell attacked other --name x --memory 2g -q >/dev/null
programs_into x
server=$(share_pid x "$PWD/attacked")
check "the folder has a server" test -n "$server"

"$SBX" exec -u root -w / x python3 /opt/test/fuse-raw.py sbx.share.0 >"$scratch/out" 2>&1
adopt raw "$scratch/out"
is "the server lives" "$(share_pid x "$PWD/attacked")" "$server"
peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$server/status")
say "its memory at most: $peak KiB; descriptors: $(find "/proc/$server/fd" -type l | wc -l)"
check "it has stayed below 100 MiB" test "${peak:-1000000}" -lt 102400
check "nothing was made that the host must not have" has_only_plain_files "$PWD/attacked"
check "the folder outside is as it was" is_untouched "$scratch/outside"
is "nothing evil lies anywhere" "$(find "$scratch" -name 'evil*')" ""
is "the sandbox's other folder still works" "$("$SBX" exec -w / x cat "$PWD/other/file")" fine

"$SBX" exec -u root -w / x umount -l "$PWD/attacked" 2>/dev/null
check "the folder can be taken away" "$SBX" umount x attacked
check "... and shared again" "$SBX" mount x attacked
is "... and works" "$("$SBX" exec -w / x sh -c "echo again >'$PWD/attacked/again' && cat '$PWD/attacked/again'")" again
done_testing
