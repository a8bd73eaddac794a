#!/bin/bash
# Each sandbox has an authority of its own, which what runs inside trusts; a denial over TLS can be read. Two machines at once, for a moment.
. "$(dirname "$0")/../lib/scenario.sh"
home_own
"$SBX" policy init deny-all >/dev/null

file() { printf '%s/data/sandboxes/%s/authority' "$SBX_HOME" "$1"; }
certificate() { sed -n '/BEGIN CERTIFICATE/,$p' "$(file "$1")"; }

"$SBX" create shell --name x --no-mount -q >/dev/null
is "the authority is for the user alone" "$(stat -c %a "$(file x)")" 600
like "... ECDSA" "$(openssl x509 -in "$(file x)" -noout -text)" "prime256v1"
like "a denial over TLS can be read" "$("$SBX" exec x curl -sS https://denied.test/path 2>&1)" "^Blocked by sbx policy: denied.test:443"
like "... by Python too" "$("$SBX" exec x python3 -c 'import urllib.request as u
try: u.urlopen("https://denied.test/")
except u.HTTPError as e: print(e.code, e.read().decode())' 2>&1)" "^403 Blocked by sbx policy"
like "... by git" "$("$SBX" exec x git ls-remote https://denied.test/repo.git 2>&1)" "403"
"$SBX" exec x sh -c 'cat >/tmp/one.pem' <<<"$(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=one 2>/dev/null)"
like "who does not trust it sees a certificate error" \
	"$("$SBX" exec x curl -sS --cacert /tmp/one.pem https://denied.test/ 2>&1)" "certificate"
for days in -1 30; do
	"$SBX" exec -u root x date -s "@$(($(date +%s) + days * 86400))" >/dev/null
	like "a guest's clock that is $days days off changes nothing" \
		"$("$SBX" exec x curl -sS https://skewed.test/ 2>&1)" "^Blocked by sbx policy"
done
"$SBX" exec -u root x date -s "@$(date +%s)" >/dev/null
like "the journal has each" "$("$SBX" policy log x --json)" '"path": ?"/path"'
check "the key is nowhere inside" "$SBX" exec x sh -c '! grep -rlq "BEGIN PRIVATE KEY" /etc/ssl/certs /tmp /run 2>/dev/null'

before=$(certificate x)
vault=$("$SBX" ls --json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["pids"]["vault"])')
kill -KILL "$vault"
check "another vault goes on with it" within 10 sh -c "'$SBX' exec x curl -sS https://denied.test/ 2>&1 | grep -q Blocked"
is "... the same one" "$(certificate x)" "$before"
"$SBX" stop x >/dev/null
"$SBX" run --name x -- -c true >/dev/null 2>&1 </dev/null || true
is "it outlives a suspension" "$(certificate x)" "$before"
like "... and is still trusted" "$("$SBX" exec x curl -sS https://denied.test/ 2>&1)" "^Blocked by sbx policy"

"$SBX" fork x y >/dev/null
is "a fork has its parent's" "$(certificate y)" "$before"
"$SBX" rm -f y
"$SBX" create shell --name z --no-mount -q >/dev/null
check "another sandbox of the same start state has its own" test "$(certificate z)" != "$before"
like "... and trusts it" "$("$SBX" exec z curl -sS https://denied.test/ 2>&1)" "^Blocked by sbx policy"
done_testing
