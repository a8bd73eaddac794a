#!/bin/bash
# What a machine can lack: QEMU, space, rights on /dev/kvm, a whole template. Each has its sentence.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
if [ "$(id -u)" -ne 0 ]; then
	echo "1..0 # SKIP needs root to take things away"
	exit 0
fi

# A mount namespace in which something is missing.
without() { # without SETUP COMMAND...
	local setup=$1
	shift
	unshare --mount bash -c "$setup"' && exec "$@"' bash "$@"
}

without 'mount --bind /dev/null /usr/bin/qemu-system-x86_64' "$SBX" create shell --name aa 2>"$scratch/err"
is "no QEMU: status 1" $? 1
like "no QEMU: which package" "$(cat "$scratch/err")" "install the package qemu-system-x86"
is "no QEMU: nothing is left" "$("$SBX" ls -q)" ""
like "diagnose says it too" "$(without 'mount --bind /dev/null /usr/bin/qemu-system-x86_64' "$SBX" diagnose)" "^error +engine"

small='mkdir -p $SBX_HOME/data/sandboxes && mount -t tmpfs -o size=64m small $SBX_HOME/data/sandboxes'
without "$small" "$SBX" create shell --name bb 2>"$scratch/err"
is "no space: status 1" $? 1
like "no space: how much is needed" "$(cat "$scratch/err")" "only [0-9]+ MiB are free .* at least [0-9]+ MiB"

# Enough to begin with, too little for what the guest writes: it waits for space instead of losing anything.
small='mkdir -p $SBX_HOME/data/sandboxes && mount -t tmpfs -o size=800m small $SBX_HOME/data/sandboxes'
without "$small" bash -c '
	"$0" create shell --name cc -q >/dev/null &&
	"$0" exec cc sh -c "dd if=/dev/urandom of=/home/agent/big bs=1M count=600 conv=fsync" >/dev/null 2>&1 &
	end=$((SECONDS + 120))
	until "$0" ls | grep -q "disk full"; do [ $SECONDS -lt $end ] || break; read -r -t 0.5 <> <(:); done
	"$0" ls
	mount -o remount,size=2g "$SBX_HOME/data/sandboxes"
	wait %1 && "$0" exec cc sh -c "stat -c %s /home/agent/big"
	"$0" rm -f cc' "$SBX" >"$scratch/out" 2>&1
like "a full disk is shown" "$(cat "$scratch/out")" "^cc .*disk full"
like "and once there is space again, everything has been written" "$(cat "$scratch/out")" "^629145600$"

# /dev/kvm that may not be used, for an ordinary user.
if [ -e /dev/kvm ]; then
	mkdir "$scratch/user" && chown 65534:65534 "$scratch/user" && chmod 755 "$scratch"
	like "no rights on /dev/kvm are explained" \
		"$(SBX_HOME=$scratch/user setpriv --reuid=65534 --regid=65534 --clear-groups "$SBX" diagnose 2>&1)" \
		"usermod -aG kvm.*software emulation"
fi

# A template that lost its end.
rm "$SBX_HOME/data/templates"
mkdir -p "$SBX_HOME/data/templates/base"
cp "$SBX_TEST_HOME"/data/templates/base/{kernel,modules.cpio,template.json} "$SBX_HOME/data/templates/base/"
head -c 1000 "$SBX_TEST_HOME/data/templates/base/base.img" >"$SBX_HOME/data/templates/base/base.img"
"$SBX" template verify 2>"$scratch/err"
is "a damaged template is found" $? 1
like "and named" "$(cat "$scratch/err")" "base"
without 'mount --bind /dev/null /usr/bin/mmdebstrap' "$SBX" create shell --name dd 2>"$scratch/err"
is "and if it cannot be built again, nothing is made" "$?$("$SBX" ls -q)" 1
like "with the package that is missing" "$(cat "$scratch/err")" "mmdebstrap"
done_testing
