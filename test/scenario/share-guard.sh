#!/bin/bash
# What a host program would run or obey stays as it is, by every way to it; git goes on undisturbed; a person can change the rules.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
guest=$(realpath "$lib/../guest")
work=$scratch/work
mkdir -p "$work"
cd "$work" || exit
git init -q .
git config core.sshCommand "ssh -i mine"
git -c user.name=h -c user.email=h@example.com commit -q --allow-empty -m host
echo kept >.envrc
before=$(sha256sum .git/config .git/hooks/* .envrc)

"$SBX" create shell "$work" --name x --memory 2g -q >/dev/null
refused() { # refused DESCRIPTION SCRIPT: run by root inside, it fails, and what is guarded is as before
	! "$SBX" exec -u root -w "$work" x sh -c "$2" >"$scratch/out" 2>&1
	result $? "$1"
	[ "$(sha256sum .git/config .git/hooks/* .envrc)" = "$before" ] && [ ! -e .vscode ] && [ ! -L .envrc ]
	result $? "... and nothing has changed"
}
refused "a hook is not made" 'echo id >.git/hooks/post-checkout'
refused "... nor moved there" 'echo id >made && mv made .git/hooks/post-checkout'
refused "... nor linked" 'ln made .git/hooks/post-checkout'
refused "... nor by a link in place of the folder" 'mv .git/hooks .git/hooks.old'
refused "... nor by moving the repository away and back" 'mv .git elsewhere'
refused "... nor over an absent folder" 'mkdir .vscode'
refused "... nor in another case" 'mkdir .VSCode'
refused "a file that is there is not written to" 'echo id >>.envrc'
refused "... nor removed" 'rm -f .envrc; test ! -e .envrc'
refused "... nor replaced" 'ln -sf /etc/passwd .envrc'
refused "... nor exchanged" 'python3 -c "
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
sys.exit(libc.renameat2(-100, b\"made\", -100, b\".envrc\", 2) and 1)"'
refused "git's configuration is not written to" 'echo "[alias]" >>.git/config'
refused "git does not set what it would run" 'git config core.hooksPath /tmp'
refused "... nor where it would read on" 'git config include.path ../x'
refused "a pointer to a folder of git's elsewhere is not made" 'mkdir -p sub && echo "gitdir: /tmp/x" >sub/.git'
refused "a file system that is mounted over it is only the sandbox's" 'mount -t tmpfs none .git/hooks && echo id >.git/hooks/x && umount .git/hooks && false'
git status >"$scratch/out" 2>&1
is "git works on the host, and runs nothing" "$?" 0

journal=$SBX_HOME/data/sandboxes/x/journal
check "the journal tells of it, a JSON object a line" python3 -c '
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert any(line["path"] == ".git/hooks/post-checkout" and line["operation"] == "create" for line in lines), lines
assert all(line["event"] == "guard" and line["folder"] == sys.argv[2] for line in lines)' "$journal" "$work"
check "ls shows it" within 10 sh -c "'$SBX' ls | grep -Eq '^x .*running, [0-9]+ refused'"

# ---- what must go on ----
check "packages that bring editors' settings install" "$SBX" exec -w "$work" x sh -c \
	'mkdir -p node_modules/p/.vscode && echo x >node_modules/p/.vscode/settings.json && echo x >node_modules/p/.envrc'
mkdir "$work/git"
"$SBX" exec -i -w "$work" x sh -c "cat >/tmp/git-work.sh; sh /tmp/git-work.sh '$work/git'" <"$guest/git-work.sh" >"$scratch/git" 2>&1
status=$?
[ $status -eq 0 ] || tail -n 5 "$scratch/git" | sed 's/^/#   /'
is "ordinary work with git goes on undisturbed" $status 0
check "git adds a remote beside what the person has set" "$SBX" exec -w "$work" x git remote add origin https://example.com/x.git
is "... which stays" "$(git config core.sshCommand) $(git config remote.origin.url)" "ssh -i mine https://example.com/x.git"

# ---- a person's rules ----
"$SBX" guard allow '.vscode/**' >/dev/null
check "what a person allows may be made, at once" within 5 "$SBX" exec -w "$work" x mkdir -p .vscode
"$SBX" guard add 'Makefile' >/dev/null
check "what a person guards may not" within 5 sh -c "! '$SBX' exec -w '$work' x sh -c 'echo x >Makefile' 2>/dev/null && ! test -e Makefile"
like "guard ls shows both" "$("$SBX" guard ls | tr '\n' ' ')" "allow +root +\.vscode/\*\* .*guard +root +Makefile "
"$SBX" guard rm 'Makefile' >/dev/null
check "a rule that was removed counts no more" within 5 "$SBX" exec -w "$work" x sh -c 'echo x >Makefile'
"$SBX" create shell "$work" --name y --memory 2g --allow-guarded '.envrc' -q >/dev/null
check "--allow-guarded is for one sandbox" "$SBX" exec -w "$work" y sh -c 'echo changed >.envrc'
check "... and not for another" sh -c "! '$SBX' exec -w '$work' x sh -c 'echo no >.envrc' 2>/dev/null"
is "... whose file it is" "$(cat .envrc)" changed

# ---- links that lead out ----
echo outside >"$scratch/outside"
ln "$scratch/outside" "$work/linked"
check "a file with a name outside can be read" "$SBX" exec -w "$work" x grep -q outside linked
check "... and not written" sh -c "! '$SBX' exec -u root -w '$work' x sh -c 'echo in >>linked' 2>/dev/null"
is "... so that what is outside stays" "$(cat "$scratch/outside")" outside
check "the journal tells of it" grep -q '"linked"' "$journal"
check "links inside are written to" "$SBX" exec -w "$work" x sh -c 'echo 1 >one && ln one two && echo 2 >>one && grep -q 2 two'
done_testing
