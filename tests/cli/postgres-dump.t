#!/bin/bash
# SPDX-License-Identifier: MIT
# postgres.dump and postgres.verify: what is in a set, that one can take it apart by hand, and
# that what is not whole is seen by nobody as whole.
. "${0%/*}/tap.sh"
. "${0%/*}/postgres.sh"
odd='it'\''s "odd" \ ü = x'
conn_odd="dbname='it\\'s \"odd\" \\\\ ü = x'"
sql postgres -c 'CREATE DATABASE app' -c "CREATE DATABASE \"${odd//\"/\"\"}\"" \
	-c "CREATE ROLE reader LOGIN PASSWORD 'a reader''s'" -c 'CREATE ROLE "poor" LOGIN PASSWORD '\''poor-password'\'
sql app -f "$top_srcdir/tests/services/postgres.sql"
sql "$conn_odd" -c 'CREATE TABLE t AS SELECT 1'
pg_site
odd_text=${odd//\\/\\\\} odd_text=${odd_text//\"/\\\"}
# dump NAME [KEYS]: a graph that dumps into $dir/NAME.set
dump() { echo "$1 = { tasks = { dump = { action = \"postgres.dump\"; database = \"app\"; ${2-} };
	keep = { action = \"core.exec\"; argv = [ \"/bin/cat\" ]; stdout = \"$dir/$1.set\"; from = \"dump\"; }; }; };"; }
verify() { echo "verify-$1 = { tasks = { $(cat_task read "$dir/$1.set")
	verify = { action = \"postgres.verify\"; from = \"read\"; ${2-} }; }; };"; }
graphs <<END
$(dump app) $(verify app) $(verify other 'database = "other";') $(verify cut) $(verify flip) $(verify bare)
odd = { tasks = { dump = { action = "postgres.dump"; database = "$odd_text"; };
	keep = { action = "core.exec"; argv = [ "/bin/cat" ]; stdout = "$dir/odd.set"; from = "dump"; }; }; };
$(verify odd)
$(dump less 'exclude = [ "select.*", "*.UPPER" ]; exclude_data = [ "public.measure*" ]; count_rows = false; role_passwords = false;')
$(dump absent 'database = "absent";' | sed 's/database = "app"; //')
$(dump locked 'lock_timeout = "200ms";')
full = { tasks = { dump = { action = "postgres.dump"; database = "app"; };
	keep = { action = "core.exec"; argv = [ "/bin/sh", "-c", "head -c 300000 >/dev/null; echo no space left >&2; exit 1" ]; from = "dump"; }; }; };
sinks = { tasks = { dump = { action = "postgres.dump"; database = "app"; };
	gzip = { action = "core.exec"; argv = [ "/bin/gzip" ]; stdout = "$dir/sink.gz"; from = "dump"; };
	sh = { action = "core.exec"; argv = [ "/bin/sh", "-c", "cat >/dev/null; touch $dir/saw-end" ]; changes = "none"; from = "dump"; }; }; };
$(for end in 0 3; do echo "psql-$end = { tasks = {
	write = { action = \"core.exec\"; argv = [ \"/bin/sh\", \"-c\", \"echo 'CREATE TABLE public.sunk ();'; exit $end\" ]; changes = \"none\"; };
	psql = { action = \"core.exec\"; from = \"write\"; argv = [ \"$postgres_bin/psql\", \"-Xq1f-\", \"-h\", \"$postgres_socket\", \"-p\", \"$postgres_port\", \"-U\", \"admin\", \"app\" ]; }; }; };"; done)
unread = { tasks = { dump = { action = "postgres.dump"; database = "app"; }; }; };
END
member() { tar -xOf "$dir/$1.set" "$2"; }
asked() { local got; got=$(member "$1" "$2" | jq -c "$3"); [ "$got" = "$4" ] || { echo "# $3: $got"; return 1; }; }
ok "the graphs are right" code 0 "$upkeep" check
ok "plan" code 2 "$upkeep" plan app
ok "dump" code 0 "$upkeep" run app
ok "what is in it" test "$(tar -tf "$dir/app.set" | tr '\n' ' ')" = \
	"about.json globals.sql database.dump.000001 contents.json SHA256SUMS "
ok "... for its owner alone" test "$(tar -tvf "$dir/app.set" | cut -c1-10 | sort -u)" = -rw-------
ok "... of what database" asked app about.json '[.database, .owner, .encoding]' '["app","admin","UTF8"]'
ok "... of what server" asked app about.json .server "$(sql postgres -c 'SHOW server_version_num')"
ok "... how many rows" asked app contents.json '[.relations[] | select(.name == "child")][0].rows' 1000
ok "... of the oddest table" asked app contents.json '[.relations[] | select(.name | startswith("table;"))][0].rows' 500
ok "... all of them" asked app contents.json '[.relations[].rows | numbers] | add' "$(rows app)"
ok "... large objects" asked app contents.json .large_objects 2
ok "... roles with their passwords" asked app about.json '[.roles[] | select(.name == "reader")][0].password[:13]' '"SCRAM-SHA-256"'
ok "... and for psql" grep -q '^CREATE ROLE reader;' <(member app globals.sql)
mkdir "$dir/hand"
ok "by hand: tar" tar -xf "$dir/app.set" -C "$dir/hand"
ok "... sha256sum" eval '(cd "$dir/hand" && sha256sum --quiet -c SHA256SUMS)'
ok "... pg_restore" eval 'cat "$dir"/hand/database.dump.* | "$postgres_bin/pg_restore" --file="$dir/hand/app.sql"'
ok "... has the data" grep -q "long and longer" "$dir/hand/app.sql"
ok "verify" code 0 "$upkeep" run verify-app
ok "a database with an odd name" code 0 "$upkeep" run odd
ok "... its name" asked odd about.json .database "$(jq -nc --arg n "$odd" '$n')"
ok "... verify" code 0 "$upkeep" run verify-odd
ok "less of it" code 0 "$upkeep" run less
ok "... is not in the list" asked less contents.json '[.relations[] | select(.schema == "select" or .name == "UPPER")] | length' 0
ok "... is not in the dump" eval '! member less database.dump.000001 | "$postgres_bin/pg_restore" --list | grep -qE "UPPER|TABLE DATA (select|public measure)"'
ok "... without rows, so it is said" asked less contents.json '[.relations[] | select(.name == "measure_2025")][0].rows' 0
ok "... others are not counted" asked less contents.json '[.relations[] | select(.name == "child")][0].rows' null
ok "... no password" asked less about.json '[.roles[].password | strings] | length' 0
ok "... not for psql either" eval '! member less globals.sql | grep -q SCRAM'
cp "$dir/app.set" "$dir/other.set"
ok "verify: of another database" code 10 "$upkeep" run verify-other
ok "... says of which" has out 'the set is of the database "app", not of "other"'

# what is damaged: a bit in each part of it, its end, a part of it missing
size=$(stat -c %s "$dir/app.set")
# flip AT: one bit
flip() { local byte; byte=$(od -An -tu1 -j "$1" -N 1 "$dir/app.set"); cp "$dir/app.set" "$dir/flip.set"
	printf "\\$(printf %o $((byte ^ 4)))" | dd of="$dir/flip.set" bs=1 seek="$1" conv=notrunc status=none; }
flips() { local at; for at in 10 $((size / 2)) "$@"; do
	flip "$at"; code 10 "$upkeep" run verify-flip || { echo "# bit at $at of $size"; return 1; }; done; }
at() { grep -abo "$1" "$dir/app.set" | tail -n 1 | cut -d: -f1; }
ok "a bit flipped, wherever" flips "$(at '"encoding"')" "$(at 'CREATE ROLE')" \
	"$(at 'cluster dump complete')" "$(at PGDMP)" "$(at 'long and longer')" "$(at large_objects)" "$(at '  about.json')"
ok "... says so" has out 'the set is'
cuts() { local at; for at in 0 100 1500 50000 $((size / 2)) $((size - 2000)) $((size - 1500)); do
	head -c "$at" "$dir/app.set" >"$dir/cut.set"; code 10 "$upkeep" run verify-cut || { echo "# cut at $at of $size"; return 1; }; done; }
ok "a tail cut, wherever" cuts
tar -cf "$dir/bare.set" -C "$dir/hand" --format=ustar about.json database.dump.000001 contents.json SHA256SUMS
ok "globals missing" code 10 "$upkeep" run verify-bare
ok "... says so" has out "the set has no globals.sql where it should be"
member app database.dump.000001 >"$dir/bare.set"
ok "a dump that is no set" code 10 "$upkeep" run verify-bare
ok "... says so" has out "the set is cut off, damaged, or none"

# what fails leaves nothing
gone_or() { [ ! -e "$dir/$1" ] || { echo "# there is $1"; return 1; }; }
rm "$dir/app.set"
ok "a database that is not there" code 12 "$upkeep" run absent
ok "... says so" has out 'database "absent" does not exist'
ok "... and nothing is kept" gone_or absent.set
ok "a sink whose disk is full" code 12 "$upkeep" run full
ok "nobody reads it" code 10 "$upkeep" run unread
ok "... says so" has out "nobody reads what it writes"
pg_site "programs = \"$dir/old\";"
mkdir "$dir/old"; printf '#!/bin/sh\necho "pg_dump (PostgreSQL) 11.22"\n' >"$dir/old/pg_dump"; chmod 755 "$dir/old/pg_dump"
ok "a client older than the server" code 12 "$upkeep" run app
ok "... says so" has out "client older than server: version 15 is needed, the newest pg_dump here is 11.22"
ok "... what to install" has out "postgresql-client-15"
ok "... and nothing is kept" gone_or app.set
pg_site "programs = \"$dir/loud\";"
mkdir "$dir/loud"; ln -s "$postgres_bin/pg_dumpall" "$dir/loud"
cat >"$dir/loud/pg_dump" <<END
#!/bin/sh
[ "\$1" != --version ] || exec "$postgres_bin/pg_dump" --version
echo the first words >&2
head -c 20000000 /dev/zero | tr '\\0' w | fold >&2
printf "\nthe last words\n" >&2
exit 3
END
chmod 755 "$dir/loud/pg_dump"
ok "a program that warns without end" code 12 "$upkeep" run app
ok "... its last words are the reason" has out "pg_dump ended with 3: the last words"
ok "... its first are in the log" eval '"$upkeep" log last dump | grep -q "the first words"'
ok "... and how much is left out" eval '"$upkeep" log last dump | grep -q "bytes are left out here"'
ok "... and nothing is kept" gone_or app.set
pg_site; sed -i 's/user = "admin"/user = "poor"/' "$UPKEEP_SITE"
ok "a wrong password" code 12 "$upkeep" run app
ok "... says so" has out "password authentication failed"
ok "... and nothing is kept" gone_or app.set
echo poor-password >"$dir/password"
ok "a role that may not read" code 12 "$upkeep" run app
ok "... says so" has out "permission denied"
ok "... and nothing is kept" gone_or app.set
pg_site; cat "$postgres_password" >"$dir/password"

hold app 'LOCK TABLE public.parent'
ok "a table that somebody changes" code 12 "$upkeep" run locked
ok "... says so" has out "canceling statement due to lock timeout"
ok "... and nothing is kept" gone_or locked.set
free
# pg_dump waits in the middle, for a sequence that somebody renames
begin_dump() { hold app 'ALTER SEQUENCE public."sequence ""at"" 4711" RENAME TO other'
	"$upkeep" run "$1" >"$dir/out" 2>&1 & run=$!
	until_true ask postgres "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeep dump' AND wait_event_type = 'Lock'" 1 >/dev/null; }
ended() { wait "$run"; local got=$?; free; [ $got = "$1" ] || { echo "# $got, not $1"; sed 's/^/# /' "$dir/out"; return 1; }; }
cut_off() { sql postgres -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'app' AND application_name = '$1'" >/dev/null; }
begin_dump sinks; kill_dump
ok "pg_dump is killed" ended 12
ok "... says by what" has out "pg_dump was killed by signal 9"
ok "... no sink has seen an end" gone_or saw-end
ok "... nor made a file" gone_or sink.gz
sunk() { ask app "SELECT count(*) FROM pg_class WHERE relname = 'sunk'" "$1"; }
ok "psql, of what is not whole" code 12 "$upkeep" run psql-3
ok "... has not seen the end, where it would commit" sunk 0
ok "psql, of what is whole" code 0 "$upkeep" run psql-0
ok "... has" sunk 1
sql app -c 'DROP TABLE public.sunk'
begin_dump app
ok "the password is on no disk while it runs" eval '! grep -rqF -f "$dir/password" /tmp/upkeep-* "$dir/state" 2>/dev/null'
cut_off 'upkeep dump'
ok "its connection is cut" ended 12
ok "... says so" has out "terminating connection due to administrator command"
ok "... and nothing is kept" gone_or app.set
begin_dump app; cut_off upkeep
ok "the connection with the snapshot is cut" ended 12
ok "... and nothing is kept" gone_or app.set
begin_dump app; seen=; grep -sqF "$(cat "$dir/password")" /proc/[0-9]*/cmdline && seen=yes
kill -TERM $run
ok "cancelled in the middle" ended 12
ok "... no argument had the password" test -z "$seen"
ok "... and nothing is kept" gone_or app.set
ok "... no session is left" until_true ask postgres "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'upkeep%'" 0
pg stop
ok "a server that refuses" code 12 "$upkeep" run app
ok "... says so" has out "Connection refused"
ok "... what to do" has out "start the server"
ok "... and nothing is kept" gone_or app.set
echo "1..$n"
