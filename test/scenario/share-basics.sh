#!/bin/bash
# The folder in which one runs is there inside at the same path; more can be shared, mounted and taken away while the sandbox runs.
. "$(dirname "$0")/../lib/share.sh"
home_own
mkdir project library more extra
echo of-the-host >project/file
echo library >library/code
echo secret >token
cd project || exit

is "it is the working folder, with what is in it" "$("$SBX" run shell --name x --memory 2g -- -c 'pwd; cat file')" "$(printf '%s\nof-the-host' "$PWD")"
"$SBX" exec x sh -c 'echo of-the-guest >made; mkdir -p dir; echo deep >dir/deep; chmod 750 dir; ln -s made link'
is "what is made inside is there" "$(cat made dir/deep link)" "$(printf 'of-the-guest\ndeep\nof-the-guest')"
is "... and belongs to the user" "$(stat -c %u:%a made dir)" "$(printf '%s:644\n%s:750' "$(id -u)" "$(id -u)")"
is "... and to the agent inside" "$("$SBX" exec x stat -c %U file made dir)" "$(printf 'agent\nagent\nagent')"
echo changed-by-the-host >file
is "what the host changes is seen" "$("$SBX" exec x cat file)" changed-by-the-host
"$SBX" exec x sh -c 'echo line >>file; rm made link; mv dir folder'
is "what the guest changes is seen" "$(cat file)" "$(printf 'changed-by-the-host\nline')"
is "... and what it removes and moves" "$(ls)" "$(printf 'file\nfolder')"
echo old >kept
"$SBX" exec x sh -c 'umask 022; echo root >by-root; cat /etc/shadow >/dev/null; echo new >kept' -- 2>/dev/null
is "diff tells what the sandbox has changed" "$("$SBX" diff x --json | python3 -c '
import json, os, sys
print(sorted((os.path.basename(row["path"]), row["change"]) for row in json.load(sys.stdin)
             if os.path.basename(row["path"]) in ("by-root", "kept", "file", "made")))')" \
	"[('by-root', 'created'), ('file', 'modified'), ('kept', 'modified')]"

# ---- more folders, while it runs ----
check "a folder is shared with a running sandbox" "$SBX" mount x ../extra
is "... at its own path" "$("$SBX" exec x sh -c "echo more >'$scratch/work/extra/new' && cat '$scratch/work/extra/new'")" more
check "... and one at another path, for reading" "$SBX" mount x ../library:/opt/library:ro
is "... which is read" "$("$SBX" exec x cat /opt/library/code)" library
"$SBX" exec -u root x sh -c 'echo x >/opt/library/code' 2>"$scratch/err"
is "... and not written" "$?$(cat ../library/code)" 2library
check "... and a single file" "$SBX" mount x ../token:/opt/token:ro
is "... which is read" "$("$SBX" exec x cat /opt/token)" secret
like "mount lists them" "$("$SBX" mount x)" "/opt/library"
"$SBX" exec -w /opt/library x sh -c 'echo there; exec sleep 1000' >"$scratch/out" 2>&1 &
user=$!
within 20 grep -q there "$scratch/out"
"$SBX" umount x /opt/library 2>"$scratch/err"
is "a folder in use is not taken away" $? 1
like "... and why is said" "$(cat "$scratch/err")" "in use in sandbox"
kill $user
wait $user 2>/dev/null
check "one that is not in use is" within 20 "$SBX" umount x /opt/library
check "... and another" "$SBX" umount x ../extra
is "they are gone inside" "$("$SBX" exec x find /opt/library "$scratch/work/extra" -mindepth 1)" ""
is "... and as they were outside" "$(cat ../library/code ../extra/new)" "$(printf 'library\nmore')"

# ---- a stopped sandbox ----
"$SBX" stop x
echo while-stopped >file
check "a stopped sandbox gets another one" "$SBX" mount x ../more
is "it comes back with its folders, and what has changed in them" "$("$SBX" exec x sh -c "cat file /opt/token; echo m >'$scratch/work/more/m'")" \
	"$(printf 'while-stopped\nsecret')"
is "... with the new one too" "$(cat ../more/m)" m
"$SBX" rm -f x
is "none: a folder of its own" "$("$SBX" run --rm shell --no-mount --memory 2g -- -c 'pwd; mount -t fuse.sbx')" /home/agent/workspace
is "the folders outlive their sandbox" "$(cat file)" while-stopped
done_testing
