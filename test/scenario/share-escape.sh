#!/bin/bash
# Nothing outside the folder is reached from inside: by links, by exchanging folders with links while others work, by special files.
. "$(dirname "$0")/../lib/share.sh"
home_own
guarded_folder "$scratch/outside"
ln -s /etc/passwd passwd
ln -s "$scratch/outside/sentinel" absolute
ln -s ../outside/sentinel relative
mkdir sub
ln -s ../../outside sub/folder
"$SBX" create shell . --name x --memory 2g -q >/dev/null
programs_into x

is "a link to /etc/passwd shows the guest's own" "$("$SBX" exec x sha256sum passwd | cut -c 1-64)" \
	"$("$SBX" exec x sha256sum /etc/passwd | cut -c 1-64)"
for name in absolute relative sub/folder/sentinel ../outside/sentinel "$scratch/outside/sentinel"; do
	"$SBX" exec -u root x sh -c "cat '$name'" >"$scratch/out" 2>"$scratch/err"
	is "'$name' leads nowhere" "$?$(cat "$scratch/out")" 1
	check "... also for writing" sh -c "! '$SBX' exec -u root x sh -c \"echo changed >'$name'\""
done
"$SBX" exec -u root x sh -c 'mknod device c 1 3; mknod block b 8 0; mkfifo fifo; cp /bin/true suid; chmod 6755 suid; chown 0:0 suid
	python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\"socket\")"
	setcap cap_setuid+ep suid; setfattr -n trusted.x -v y suid' >"$scratch/out" 2>&1
check "no device, FIFO, socket, set-user-ID or capability gets to the host" has_only_plain_files "$PWD"
is "... and the file is still the user's" "$(stat -c %u suid)" "$(id -u)"
is "... who has no attribute of it but its owner's" "$(python3 -c 'import os; print([one for one in os.listxattr("suid") if one != "user.sbx.owner"])')" "[]"

"$SBX" exec -u root x python3 /opt/test/race-swap.py "$PWD" "$scratch/outside" "${SBX_ATTACK_ROUNDS:-150}" >"$scratch/out" 2>&1
adopt swap "$scratch/out"
check "the folder outside is as it was" is_untouched "$scratch/outside"
is "... and nobody has made anything evil beside it" "$(find "$scratch" -name 'evil*' -not -path "$PWD/*")" ""
done_testing
