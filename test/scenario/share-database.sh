#!/bin/bash
# A container whose data lie in the folder, as a user of its own: what its image's start does (root gives the data away), and what a
# database does (locks, syncs, modes).
. "$(dirname "$0")/../lib/share.sh"
home_own
mkdir data
"$SBX" create shell . --name x --memory 2g -q >/dev/null
make_image x
# Programs come from the sandbox itself, as there is no network to get an image from.
in_container() { "$SBX" exec x docker run --rm --network none -v /usr:/usr:ro -e PATH=/usr/bin -v "$PWD/data:/data" "$@"; }

check "root gives the data to the user of the database" in_container tiny sh -ec 'chown 999:999 /data; chmod 700 /data'
cat >"$scratch/work/database.py" <<'END'
import os, sqlite3, sys
os.umask(0o077)
for mode in ("delete", "wal"):
    base = sqlite3.connect(f"/data/{mode}.db", timeout=30)
    base.execute(f"pragma journal_mode={mode}")
    base.execute("create table if not exists t(n integer)")
    for i in range(50):
        with base:
            base.execute("insert into t values(?)", (i,))
    print(base.execute("pragma integrity_check").fetchone()[0], base.execute("select count(*), sum(n) from t").fetchone())
    base.close()
os.close(os.open("/data/pid", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
os.link("/data/pid", "/data/pid.lock")
os.unlink("/data/pid")
os.mkdir("/data/sub", 0o700)
os.close(os.open("/data/sub/read-only", os.O_CREAT | os.O_WRONLY, 0o400))
END
is "SQLite works for that user, in both journal modes" \
	"$(in_container -v "$PWD/database.py:/database.py:ro" --user 999:999 tiny python3 /database.py 2>&1)" "$(printf 'ok (50, 1225)\nok (50, 1225)')"
is "what it has made is that user's" "$(in_container tiny sh -c 'stat -c "%u:%g %a %n" /data /data/wal.db /data/pid.lock /data/sub /data/sub/read-only')" \
	"$(printf '%s\n' '999:999 700 /data' '999:999 600 /data/wal.db' '999:999 600 /data/pid.lock' '999:999 700 /data/sub' '999:999 400 /data/sub/read-only')"
in_container --user 998:998 tiny sh -c 'cat /data/wal.db' >"$scratch/out" 2>&1
is "another user inside is refused" $? 1
is "on the host all of it is the user's own" "$(find data -printf "%U\n" | sort -u)" "$(id -u)"
is "... who can read it" "$(python3 -c 'import sqlite3; print(sqlite3.connect("data/delete.db").execute("select sum(n) from t").fetchone())')" "(1225,)"
"$SBX" stop x
is "a second container goes on where the first has ended, also after the sandbox was suspended" "$(in_container --user 999:999 tiny python3 -c '
import sqlite3
base = sqlite3.connect("/data/wal.db")
with base:
    base.execute("insert into t values(1000)")
print(base.execute("select sum(n) from t").fetchone()[0])')" 2225
check "root in a container removes all of it" in_container tiny sh -c 'rm -rf /data/*'
is "... and it is gone" "$(ls -A data)" ""
done_testing
