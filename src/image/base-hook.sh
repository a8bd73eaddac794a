#!/bin/sh
# Turns the tree that mmdebstrap has installed into the files of the base template. mmdebstrap calls it with
# the tree's folder, as root of its namespaces; the results are written to inherited descriptors, because that
# root may be a sub-uid which cannot enter the user's own folders:
#
#   13 kernel    14 modules.cpio    15 base.img
#
# They are opened again through /proc: dash redirects to single digits only, and those are mmdebstrap's own.
#
# Lines that begin with "SBX: " are read by the builder as the names of phases.
set -eu

# Mounts made here must never reach the host, not even when this script is killed.
if [ "${SBX_HOOK_STAGE:-}" != mounts ]; then
	export SBX_HOOK_STAGE=mounts
	exec unshare --mount --propagation private "$0" "$1"
fi

root=$1
unset SBX_HOOK_STAGE

# Needed before the root file system is mounted.
early_modules='virtio_pci virtio_blk virtio_console virtio_rng ext4 overlay vmgenid fuse'

make_user() {
	chroot "$root" useradd --create-home --user-group --uid 1000 --shell /bin/bash agent
	chroot "$root" usermod --append --groups docker,sudo agent
	install -d -m 0755 "$root/home/agent/workspace"
	chroot "$root" chown agent:agent /home/agent/workspace
	echo 'agent ALL=(ALL:ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/agent"
	chmod 0440 "$root/etc/sudoers.d/agent"
}

write_settings() {
	path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

	# shellcheck disable=SC2016 # expanded by the shell that reads it
	echo 'PATH="$HOME/.local/bin:'"$path"'"; export PATH' >"$root/etc/profile.d/sbx.sh"
	printf 'PATH=/home/agent/.local/bin:%s\nLANG=C.UTF-8\n' "$path" >"$root/etc/environment"
	echo sandbox >"$root/etc/hostname"
	printf '127.0.0.1\tlocalhost sandbox\n::1\tlocalhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
	rm -f "$root/etc/resolv.conf" "$root/etc/machine-id" "$root/var/lib/dbus/machine-id"
	: >"$root/etc/resolv.conf"
	: >"$root/etc/machine-id"
	# No systemd to hand cgroups out; a runaway log must not fill the sandbox's disk.
	mkdir -p "$root/etc/docker"
	cat >"$root/etc/docker/daemon.json" <<-'END'
	{
	  "exec-opts": ["native.cgroupdriver=cgroupfs"],
	  "log-opts": {"max-size": "10m", "max-file": "3"}
	}
	END
}

write_runc() {
	cat >"$root/usr/local/sbin/runc" <<'END'
#!/bin/sh
# Stands before runc, for Docker: gives each container the certificates that this machine trusts. They lie in the
# container's own /dev, so that no image gets a file for it, and the usual variables name them. Containers that are
# run find them in the usual places as well, where there is a file and nothing else was mounted; in a build that
# could not be replaced by the image's own packages. What cannot be done is left out: a container starts all the same.
set -u
real=/usr/sbin/runc
trusted=/etc/ssl/certs/ca-certificates.crt
inside=/dev/.sbx-certificates
places='/etc/ssl/certs/ca-certificates.crt /etc/ssl/cert.pem /etc/ssl/ca-bundle.pem /etc/pki/tls/certs/ca-bundle.crt
	/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem'
# shellcheck disable=SC2016 # of jq
variables='def named: reduce ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")
	as $name (.; if any(.[]; startswith($name + "=")) then . else . + [$name + "=" + $inside] end);'

edit() { # edit FILE FILTER [PLACE...]
	file=$1 filter=$2
	shift 2
	jq -c --arg inside "$inside" --arg trusted "$trusted" "$variables $filter" "$file" --args "$@" >"$file.sbx" 2>/dev/null &&
		cat "$file.sbx" >"$file"
	rm -f "$file.sbx"
}

change_container() {
	config=$bundle/config.json
	root=$(jq -r .root.path "$config") || return
	case $root in
	/*) ;;
	*) root=$bundle/$root ;;
	esac
	set --
	case $bundle in
	*/buildkit/*) ;;
	*) for place in $places; do
		[ -f "$root$place" ] && [ ! -L "$root$place" ] && set -- "$@" "$place"
	done ;;
	esac
	# shellcheck disable=SC2016 # of jq
	edit "$config" 'def bind: {destination: ., type: "bind", source: $trusted, options: ["rbind", "ro"]};
		if any(.mounts[]; .destination == "/dev" and .type == "tmpfs") then
			[.mounts[].destination | select(. != "/")] as $taken
			| .process.env = (.process.env // [] | named)
			| .mounts += [($inside, ($ARGS.positional[] | select(. as $place | any($taken[]; . as $taken
				| $place == $taken or ($place | startswith($taken + "/"))) | not))) | bind]
		else . end' "$@"
}

verb='' bundle=. process='' state=/run/runc previous='' word=''
for word; do
	case $previous in
	--bundle | -b) bundle=$word ;;
	--process | -p) process=$word ;;
	--root) state=$word ;;
	esac
	case $word in
	create | run | exec) verb=${verb:-$word} ;;
	--bundle=*) bundle=${word#*=} ;;
	--process=*) process=${word#*=} ;;
	--root=*) state=${word#*=} ;;
	esac
	previous=$word
done
case $verb in
create | run) change_container ;;
exec) [ -n "$process" ] && grep -qs "$inside" "$state/$word/state.json" && edit "$process" '.env = (.env // [] | named)' ;;
esac
exec "$real" "$@"
END
	chmod 0755 "$root/usr/local/sbin/runc"
}

# What can be made again, belongs to this build, or must differ between machines.
strip_tree() {
	rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old \
		"$root"/var/lib/dpkg/*-old "$root"/var/cache/ldconfig/aux-cache "$root"/root/.cache \
		"$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow- \
		"$root"/etc/subuid- "$root"/etc/subgid- "$root"/etc/ssh/ssh_host_* \
		"$root"/vmlinuz* "$root"/initrd.img*
	# mmdebstrap's own settings, which it wants to remove itself later.
	: >"$root/etc/apt/apt.conf.d/00mmdebstrap"
	find "$root/var/log" -type f -delete
	find "$root/boot" -type f ! -name 'config-*' -delete
	mkdir -p "$root/var/lib/apt/lists/partial" "$root/var/cache/apt/archives/partial"
}

# Writes /modules/NAME.ko, uncompressed, and /modules/order: their names in the order of loading.
write_modules() {
	version=$1
	work=$root/tmp/sbx-modules/modules

	mkdir -p "$work"
	: >"$work/order"
	for module in $early_modules; do
		chroot "$root" modprobe --set-version "$version" --show-depends "$module"
	done | while read -r kind file _; do
		[ "$kind" = insmod ] || continue
		name=$(basename "$file" .xz)
		[ ! -e "$work/$name" ] || continue
		case $file in
		*.xz) chroot "$root" xz -dc "$file" >"$work/$name" ;;
		*) cp "$root/$file" "$work/$name" ;;
		esac
		echo "$name" >>"$work/order"
	done
	chroot "$root" sh -c 'cd /tmp/sbx-modules && find modules | sort | cpio --quiet -o -H newc -R 0:0' \
		>/proc/self/fd/14
	rm -rf "$root/tmp/sbx-modules"
}

# The tree is looked at through a second, non-recursive mount, in which what mmdebstrap has mounted on /proc,
# /sys and single device nodes is not seen.
write_image() {
	view=$root/tmp/sbx-view

	mkdir "$view"
	mount --bind "$root" "$view"
	mount -t tmpfs -o mode=0755 none "$view/dev"
	mount -t tmpfs -o mode=0755 none "$view/run"
	mount -t tmpfs -o mode=1777 none "$view/tmp"
	mebibytes=$(du -s --block-size=1M "$view" | cut -f1)
	inodes=$(find "$view" | wc -l)
	truncate -s "$((mebibytes + mebibytes / 8 + 64))M" /proc/self/fd/15
	chroot "$root" mke2fs -q -t ext4 -m 0 -L sbx-base -N "$((inodes + inodes / 8))" \
		-O none,dir_index,dir_nlink,ext_attr,extent,extra_isize,filetype,flex_bg,huge_file \
		-O large_file,metadata_csum,sparse_super \
		-E assume_storage_prezeroed=1,root_owner=0:0 -d /tmp/sbx-view /proc/self/fd/15
}

echo 'SBX: setting up the user and the system'
make_user
write_settings
write_runc
version=$(ls "$root/lib/modules")
cat "$root/boot/vmlinuz-$version" >/proc/self/fd/13
write_modules "$version"
strip_tree
echo "SBX: kernel $version"
echo 'SBX: writing the disk image'
write_image
echo 'SBX: image written'
