#!/bin/bash
# The sandbox has a Docker engine of its own: it answers from the first moment, builds and runs.
. "$(dirname "$0")/../lib/scenario.sh"
home_shared

version=$("$SBX" exec shared docker version)
like "docker version shows the client" "$version" "^Client:"
like "and the server" "$version" "^Server:"
is "its storage does not lie on overlayfs" "$("$SBX" exec shared stat -f -c %T /var/lib/docker)" "ext2/ext3"

make_image shared >"$scratch/import" 2>&1
is "an image can be made" $? 0
is "a container runs" "$("$SBX" exec shared docker run --rm tiny /bin/sh -c 'echo inside')" inside
like "in a name space of its own" "$("$SBX" exec shared docker run --rm tiny /bin/cat /proc/self/cgroup)" "^0::"
is "an image can be built" "$("$SBX" exec -i shared sh -c 'docker build -q -t built - >/dev/null && docker run --rm built' <<'END'
FROM tiny
RUN ["/bin/sh", "-c", "echo built > /file"]
CMD ["/bin/cat", "/file"]
END
)" built
pid=$("$SBX" exec -u root shared pgrep -x dockerd)
"$SBX" exec -u root shared kill -9 "$pid"
is "a dockerd that dies is started again, and clients wait for it" \
	"$("$SBX" exec shared docker run --rm tiny /bin/sh -c 'echo again')" again
"$SBX" exec shared docker rmi -f tiny built >/dev/null
done_testing
