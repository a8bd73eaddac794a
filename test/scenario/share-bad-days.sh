#!/bin/bash
# Folders have bad days: taken away, full, closed, changed under an open file, served by a process that dies, suspended, forked.
# What works inside gets an error that says so, and goes on when the folder does.
if [ "$(id -u)" -eq 0 ] && [ -z "${SBX_OWN_MOUNTS:-}" ]; then
	export SBX_OWN_MOUNTS=1
	exec unshare -m --propagation private "$0"
fi
. "$(dirname "$0")/../lib/share.sh"
home_own
mkdir work small moved
[ "$(id -u)" -ne 0 ] || mount -t tmpfs -o size=4m none small
"$SBX" create shell work small moved --name x --memory 2g -q >/dev/null
inside() { "$SBX" exec -w / x timeout 60 sh -c "$1" 2>&1; }
work=$PWD/work small=$PWD/small moved=$PWD/moved

# ---- the folder goes, and comes back ----
echo here >moved/file
is "before: it is there" "$(inside "cat $moved/file")" here
mv moved elsewhere
is "a folder that was renamed on the host is still the same one" "$(inside "cat $moved/file")" here
mkdir moved
is "... also when another stands in its place" "$(inside "cat $moved/file; ls $moved")" "$(printf 'here\nfile')"
rmdir moved
mv elsewhere moved
is "... and when it is put back" "$(inside "echo again >$moved/file && cat $moved/file")" again
rm -rf moved
like "a folder that was removed gives errors that say so" "$(inside "cat $moved/file; echo x >$moved/new")" "No such file|Stale file"
is "... and nothing else is slower for it" "$(inside "echo fine >$work/fine && cat $work/fine")" fine
mkdir moved

# ---- full ----
if [ "$(id -u)" -eq 0 ]; then
	like "a full folder says that it is full" "$(inside "dd if=/dev/zero of=$small/big bs=64k count=200")" "No space left"
	is "... and takes more once there is room" "$(inside "rm $small/big && echo room >$small/room && cat $small/room")" room
	mkdir work/other
	mount -t tmpfs none work/other
	echo other >work/other/file
	is "what is mounted below a folder on the host is not shown" "$(inside "cat $work/other/file" | grep -c '^other$')" 0
	umount work/other
	rmdir work/other
else
	say "not root: no small file system to fill"
fi

# ---- closed ----
echo mine >work/closed
chmod 000 work/closed
is "a file without rights is refused to the agent" "$(inside "cat $work/closed" | grep -c 'Permission denied')" 1
chmod 644 work/closed
is "... and given when it has them again" "$(inside "cat $work/closed")" mine

# ---- changed under an open file ----
"$SBX" exec -w / x sh -c "exec 7<>'$work/open'; echo one >&7; echo ready
	until [ -e /tmp/go ]; do sleep 0.1; done; echo two >&7; cat '$work/open'" >"$scratch/out" 2>&1 &
writer=$!
within 30 grep -q ready "$scratch/out"
echo 'one of the host' >work/open.new
mv work/open.new work/open
inside "touch /tmp/go" >/dev/null
wait $writer
is "who has a file open that the host has replaced goes on; by its name it is the new one" "$(cat "$scratch/out")" "$(printf 'ready\none of the host')"
is "... which the other's words have not got into" "$(cat work/open)" "one of the host"

# ---- the server dies ----
inside "exec 8>$work/before; echo open >&8" >/dev/null
"$SBX" exec -w / x sh -c "exec 8>>'$work/kept'; echo ready; i=0; while [ ! -e /tmp/enough ]; do i=\$((i + 1)); echo \$i >&8 || echo error; sleep 0.1; done" \
	>"$scratch/out" 2>&1 &
writer=$!
within 30 grep -q ready "$scratch/out"
server=$(share_pid x "$work")
check "the folder has a server" test -n "$server"
kill -9 "$server"
check "another one takes its place" within 20 sh -c "[ \"\$(pgrep -cx sbx-share -P \$(pgrep -x sbx-keeper -P $(role_pid x supervisor)))\" -ge 2 ]"
check "... and the folder works by itself" within 20 sh -c "'$SBX' exec -w / x timeout 10 cat '$work/fine' | grep -q fine"
is "... for reading and writing" "$(inside "echo after >$work/after && cat $work/after && ls $work | grep -c after")" "$(printf 'after\n1')"
inside "touch /tmp/enough" >/dev/null
wait $writer
check "who was writing has been told at most, and has not hung" grep -q ready "$scratch/out"
check "... and what was written before is there" test "$(head -n 1 work/kept)" = 1

# ---- suspended and forked, with files open ----
"$SBX" exec -w / x sh -c "(exec 9>>'$work/log'; echo before >&9; until [ -e /tmp/resumed ]; do sleep 0.1; done; echo after >&9; cat <'$work/fine' >>'$work/log'
	cd '$work' && pwd >>log) </dev/null >/dev/null 2>&1 &"
within 20 grep -q before work/log
check "a sandbox with files open is suspended" "$SBX" stop x
echo while-suspended >work/fine
inside "touch /tmp/resumed" >/dev/null
check "... and its files are open when it comes back" within 30 grep -q after work/log
check "... and what the host has changed meanwhile is seen" within 30 grep -q while-suspended work/log
check "... and the folder is the same place" within 30 grep -qx "$work" work/log
for i in $(seq 300); do echo "$i" >"work/many-$i"; done
inside "cd $work && for i in many-*; do exec 6<\$i; done; ls | wc -l" >/dev/null
"$SBX" fork x y >"$scratch/out" 2>&1
is "it is forked" $? 0
is "the copy has the folder too, and both see what one writes" \
	"$("$SBX" exec -w / y sh -c "echo from-the-copy >'$work/copy' && cat '$work/many-300'" 2>&1)$(inside "cat $work/copy")" "300from-the-copy"
is "many files are all there" "$(inside "cat $work/many-* | wc -l")" 300
[ "$(id -u)" -ne 0 ] || { "$SBX" rm -f x y >/dev/null; umount -l small; }
done_testing
