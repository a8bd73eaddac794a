#!/bin/bash
# Real clients work where TLS is opened for a credential, from the sandbox, from a container and from a step of a build: the server
# gets the true value, the client never had but the placeholder, and has verified a certificate. See test/clients.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
export DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent
unset GH_TOKEN GITHUB_TOKEN
canary=canary-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
record=$scratch/record
clients=$scratch/work/clients

# ---- the servers, which this machine trusts ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test \
	-addext subjectAltName=DNS:localhost,DNS:github.com,DNS:api.github.com -keyout "$scratch/key" -out "$scratch/certificate" 2>/dev/null
cat "$scratch/certificate" "$scratch/key" >"$scratch/server.pem"
cat "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$scratch/certificate" >"$scratch/store.pem"
export SSL_CERT_FILE=$scratch/store.pem
mkdir -p "$scratch/repositories/acme"
git init -q -b main "$scratch/tools"
echo "hello from the repository" >"$scratch/tools/greeting"
git -C "$scratch/tools" add greeting
git -C "$scratch/tools" -c user.name=test -c user.email=test@localhost commit -q -m 'Say hello'
git clone -q --bare "$scratch/tools" "$scratch/repositories/acme/tools.git"

trap 'kill ${server:-} ${grpc_server:-} 2>/dev/null; finish' EXIT
python3 "$lib/../clients/server.py" "$scratch/server.pem" "$record" "$scratch/repositories" >"$scratch/port" 2>"$scratch/server.err" &
server=$!
"$lib/../proxy/grpc-echo.py" serve "$scratch/key" "$scratch/certificate" "$record" >"$scratch/grpc-port" 2>"$scratch/grpc.err" &
grpc_server=$!
within 10 test -s "$scratch/port" && within 10 test -s "$scratch/grpc-port" || { echo "Bail out! no servers"; exit 1; }
port=$(cat "$scratch/port")
grpc_port=$(cat "$scratch/grpc-port")

# ---- what a person sets ----
"$SBX" policy allow network "localhost:$port" "localhost:$grpc_port" >/dev/null
"$SBX" settings set network.resolve "github.com:443=127.0.0.1:$port,api.github.com:443=127.0.0.1:$port"
printf '%s-acme' "$canary" | "$SBX" secret set-custom --host "host.docker.internal:$port" --host "host.docker.internal:$grpc_port" \
	--header 'X-Acme-Key: %s' --env ACME_KEY 2>/dev/null
printf '%s-github' "$canary" | "$SBX" secret set github 2>/dev/null

# ---- the clients ----
mkdir "$clients"
cp "$lib/../clients"/{all.sh,ask.py,ask.mjs} "$clients"
static=$SBX_BUILD/test/clients/static-client # where OpenSSL can be linked so
[ ! -x "$static" ] || cp "$static" "$clients"
"$SBX" create shell --name x --memory 2g -q >/dev/null || { echo "Bail out! no sandbox"; exit 1; }
fetch=(npm install --silent --no-audit --no-fund --no-save --ignore-scripts --prefix "$clients" @grpc/grpc-js)
if ! command -v npm >/dev/null || ! "${fetch[@]}" >/dev/null 2>&1; then
	grpc_port='' # to the clients: none
fi
find "$clients" -path '*/node_modules/*' -type f ! -name '*.js' ! -name '*.json' -delete

# An image of the sandbox's own programs, with what they need: libraries, and modules that are files. What Python compiled
# fits only files of the same age.
"$SBX" exec x sh -ec '
	cd "$(mktemp -d)"
	programs="/usr/bin/cat /usr/bin/dirname /usr/bin/mktemp /usr/bin/rm /usr/bin/curl /usr/bin/python3 /usr/bin/node /usr/bin/git
		/usr/lib/git-core/git-remote-https"
	modules=$(python3 -c "
import sys, encodings.idna, urllib.request
for module in list(sys.modules.values()):
    for name in {getattr(module, \"__file__\", None), getattr(module, \"__cached__\", None)} - {None}:
        print(name)
")
	modules="$modules $(grep -aho "/usr/share/nodejs/[a-z0-9/._-]*\.js" /usr/lib/*/libnode.so.*)"
	libraries=$(ldd $programs $(printf "%s\n" $modules | grep "\.so$") | grep -o "/[^ :]*")
	mkdir -p root/bin root/etc root/tmp
	cp -Lp --parents $(printf "%s\n" $programs $modules $libraries | sort -u) root/
	cp /usr/bin/dash root/bin/sh
	cp -r "$1" root/clients
	echo "hosts: files dns" >root/etc/nsswitch.conf
	tar -C root -c . | docker import - clients >/dev/null' sh "$clients" || { echo "Bail out! no image"; exit 1; }

# What each client has to say.
answers() {
	cat <<-END
		curl-1.1: hello /curl-1.1
		curl-2: hello /curl-2 2
		curl-bearer: hello /curl-bearer
		python: hello /python
		git: hello from the repository
		node-fetch: hello /node-fetch
		node-https: hello /node-https
		websocket: egassem a, 1000
	END
	[ ! -x "$static" ] || echo 'static: hello /static'
	[ -z "$grpc_port" ] || echo 'grpc: eno owt eerht, status 0 , trailer behind'
}

# What the servers heard from each client: heard CLIENT
heard() {
	local path
	case $1 in
	git) path=/acme/tools.git/ ;;
	grpc) path=/test.Echo/Chat ;;
	*) path=/$1 ;;
	esac
	grep "^$path" "$record" | cut -d' ' -f2- | grep -E '^(x-acme-key|authorization): ' | sort -u
}

# What they had to hear: credential CLIENT
credential() {
	case $1 in
	git) echo "authorization: Basic $(printf 'x-access-token:%s-github' "$canary" | base64 -w 0)" ;;
	curl-bearer) echo "authorization: Bearer $canary-github" ;;
	*) echo "x-acme-key: $canary-acme" ;;
	esac
}

acme_key=$("$SBX" exec x printenv ACME_KEY)
gh_token=$("$SBX" exec x printenv GH_TOKEN)
like "the sandbox has placeholders" "$acme_key $gh_token" '^[^ ]+ ghp_[A-Za-z0-9]{36}$'

# All clients at one place: clients_work WHERE COMMAND..., which prints what all.sh does
clients_work() {
	local where=$1 begin client answer
	shift
	begin=$(now_ms)
	: >"$record"
	"$@" >"$scratch/said" 2>&1 || { say "status $?"; sed 's/^/#   /' "$scratch/said"; }
	is "$where: the clients have nothing but placeholders" "$(grep '^keys: ' "$scratch/said")" "keys: $acme_key $gh_token"
	while IFS= read -r answer; do
		client=${answer%%:*}
		is "$where: $client is answered" "$(grep "^$client: " "$scratch/said")" "$answer"
		is "$where: ... and the server got the true credential" "$(heard "$client")" "$(credential "$client")"
	done < <(answers)
	is "$where: no placeholder came out" "$(grep -cF -e "$acme_key" -e "$gh_token" "$record")" 0
	say "$where: $(($(now_ms) - begin)) ms"
}

in_build() {
	"$SBX" exec -i x docker build --progress plain --no-cache --build-arg GH_TOKEN --secret id=acme,env=ACME_KEY - <<-END 2>&1 | sed 's/^#[0-9]* [0-9.]* //'
		FROM clients
		ARG GH_TOKEN
		RUN --mount=type=secret,id=acme ACME_KEY=\$(cat /run/secrets/acme) /clients/all.sh $port $grpc_port
	END
}

clients_work "sandbox" "$SBX" exec x "$clients/all.sh" "$port" "$grpc_port"
clients_work "container" "$SBX" exec x docker run --rm -e ACME_KEY -e GH_TOKEN clients /clients/all.sh "$port" "$grpc_port"
clients_work "build" in_build
[ -x "$static" ] || echo "ok $((n_checks += 1)) - a static client # SKIP there is no OpenSSL to link it with"
[ -n "$grpc_port" ] || echo "ok $((n_checks += 1)) - gRPC # SKIP npm cannot fetch a client here"

# ---- that they verify: with another authority than the sandbox's, nobody says anything ----
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other -keyout /dev/null -out "$clients/other.pem" 2>/dev/null
: >"$record"
"$SBX" exec x env SSL_CERT_FILE="$clients/other.pem" CURL_CA_BUNDLE="$clients/other.pem" GIT_SSL_CAINFO="$clients/other.pem" \
	GIT_SSL_CAPATH=/var/empty NODE_EXTRA_CA_CERTS="$clients/other.pem" "$clients/all.sh" "$port" "$grpc_port" >"$scratch/said" 2>&1
while IFS=: read -r client _; do
	like "who trusts another authority is not spoken to: $client" "$(grep "^$client: " "$scratch/said")" '[Cc]ertificate|network error'
done < <(answers)
is "... so the servers heard nothing" "$(cat "$record")" ""

"$SBX" stop x
is "neither the sandbox's memory nor its disk has seen a value" "$(python3 "$lib/search.py" "$canary" "$SBX_HOME/data/sandboxes")" ""
done_testing
