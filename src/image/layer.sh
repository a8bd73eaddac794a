# shellcheck shell=sh
# Runs as root in a sandbox of the base template: installs an agent, and writes what has been added below
# /usr/local, /opt and /home/agent to standard output, as the image of a layer.
#
#   layer.sh REGISTRY PACKAGES [FILE CONTENT]...
#
# REGISTRY    npm's, empty for the one that it has built in     PACKAGES  words for npm
# FILE        below /home/agent, belongs to the agent
set -eu
registry=$1 packages=$2
shift 2
# Whatever a program prints must not get into the image.
exec 3>&1 >&2

# What the policy denies is denied the second time too: npm need not wait for a minute before it says so.
# shellcheck disable=SC2086 # words
npm install --global --prefix /usr/local --no-audit --no-fund --fetch-retry-mintimeout=1000 \
	--fetch-retry-maxtimeout=5000 ${registry:+"--registry=$registry"} $packages

while [ $# -gt 1 ]; do
	runuser -u agent -- mkdir -p "$(dirname "/home/agent/$1")"
	printf '%s' "$2" | runuser -u agent -- tee "/home/agent/$1" >/dev/null
	shift 2
done

# The disk once more, at a place where what the sandbox has changed can be seen: its overlay's upper folder.
disk=$(mktemp -d)
mount /dev/vdb "$disk"
rm -rf "$disk/upper/home/agent/.npm" "$disk/upper/home/agent/.cache"
mkdir "$disk/layer"
cd "$disk/upper"
for folder in usr/local opt home/agent; do
	[ ! -d $folder ] || cp -al --parents $folder "$disk/layer"
done
mebibytes=$(du -s --block-size=1M "$disk/layer" | cut -f1)
inodes=$(find "$disk/layer" | wc -l)
truncate -s "$((mebibytes + mebibytes / 8 + 16))M" "$disk/image"
mke2fs -q -t ext4 -m 0 -L sbx-layer -N "$((inodes + inodes / 8 + 32))" \
	-O none,dir_index,dir_nlink,ext_attr,extent,extra_isize,filetype,flex_bg,huge_file \
	-O large_file,metadata_csum,sparse_super \
	-E assume_storage_prezeroed=1,root_owner=0:0 -d "$disk/layer" "$disk/image"
cat "$disk/image" >&3
