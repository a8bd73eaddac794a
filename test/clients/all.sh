#!/bin/sh
# all.sh PORT [GRPC-PORT]: asks the test's servers as each client does, and prints a line "CLIENT: ANSWER" for each. All verify
# certificates as they do by themselves, and take credentials from the environment: ACME_KEY, GH_TOKEN.
set -f
place=host.docker.internal:$1
here=$(dirname "$0")

tell() { # tell NAME COMMAND...
	name=$1
	shift
	# shellcheck disable=SC2046 # one line of all
	echo "$name:" $("$@" 2>&1)
}

clone() (
	repository=$(mktemp -d) &&
		GIT_TERMINAL_PROMPT=0 git clone -q --template= "https://x-access-token:$GH_TOKEN@github.com/acme/tools.git" "$repository" &&
		cat "$repository/greeting"
	status=$?
	rm -rf "$repository"
	return $status
)

printf 'keys: %s %s\n' "$ACME_KEY" "$GH_TOKEN"
tell curl-1.1 curl -sS -m 60 --http1.1 -H "X-Acme-Key: $ACME_KEY" "https://$place/curl-1.1"
tell curl-2 curl -sS -m 60 --http2 -H "X-Acme-Key: $ACME_KEY" -w '%{http_version}' "https://$place/curl-2"
tell curl-bearer curl -sS -m 60 -H "Authorization: Bearer $GH_TOKEN" https://api.github.com/curl-bearer
tell python python3 "$here/ask.py" "https://$place/python"
tell static "$here/static-client" host.docker.internal "$1" /static
tell git clone
node --no-warnings --experimental-websocket "$here/ask.mjs" "$place" ${2:+"host.docker.internal:$2"}
