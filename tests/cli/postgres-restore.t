#!/bin/bash
# SPDX-License-Identifier: MIT
# postgres.restore: into a new database, proved, then exchanged; and back, whatever happens.
. "${0%/*}/tap.sh"
. "${0%/*}/postgres.sh"
sql postgres -c 'CREATE DATABASE app' \
	-c "CREATE ROLE \"a \"\"group\"\"\"; CREATE ROLE reader LOGIN PASSWORD 'a reader''s' CONNECTION LIMIT 7 VALID UNTIL '2100-01-01' IN ROLE \"a \"\"group\"\"\"" \
	-c "ALTER ROLE reader SET search_path = \"\$user\", 'odd, one', public; ALTER ROLE reader SET default_transaction_read_only = on" \
	-c "COMMENT ON ROLE reader IS 'who it''s for'" \
	-c 'ALTER DATABASE app OWNER TO "a ""group"""; REVOKE CONNECT ON DATABASE app FROM PUBLIC; GRANT CONNECT ON DATABASE app TO reader WITH GRANT OPTION' \
	-c "ALTER DATABASE app SET work_mem = '5MB'; ALTER ROLE reader IN DATABASE app SET statement_timeout = '77s'" \
	-c "ALTER DATABASE app CONNECTION LIMIT 50; COMMENT ON DATABASE app IS 'the ''live'' one'"
sql app -v rows=20000 -f "$top_srcdir/tests/services/postgres.sql"
sql app -c 'GRANT SELECT ON public.upper TO reader; ALTER TABLE public."UPPER" OWNER TO "a ""group"""'
pg_site
# restore NAME [KEYS [TASKS]]: a graph that restores $dir/app.set
restore() { echo "$1 = { tasks = { $(cat_task read "$dir/app.set")
	restore = { action = \"postgres.restore\"; from = \"read\"; ${2-} }; ${3-} }; };"; }
fails='bad = { action = "core.exec"; argv = [ "/bin/false" ]; changes = "none"; after = [ "restore" ]; };'
graphs <<END
dump = { tasks = { dump = { action = "postgres.dump"; database = "app"; };
	keep = { action = "core.exec"; argv = [ "/bin/cat" ]; stdout = "$dir/app.set"; from = "dump"; }; }; };
$(restore app) $(restore late '' "$fails") $(restore ends 'terminate = true;') $(restore ends-late 'terminate = true;' "$fails")
$(restore other 'database = "It'\''s \"other\"";') $(restore other-late 'database = "It'\''s \"other\"";' "$fails")
$(restore postgres 'database = "postgres";') $(restore reserved 'database = "upkeep_old_0123456789ab";')
$(restore short 'undo_keep = "0s";')
torn = { tasks = { read = { action = "core.exec"; argv = [ "/bin/sh", "-c", "cat $dir/app.set; exit 3" ]; changes = "none"; };
	restore = { action = "postgres.restore"; from = "read"; }; }; };
slow = { tasks = { read = { action = "core.exec"; argv = [ "/bin/sh", "-c", "head -c 1000000 $dir/app.set; touch $dir/going; exec sleep 300" ]; changes = "none"; };
	restore = { action = "postgres.restore"; from = "read"; }; }; };
damaged = { tasks = { $(cat_task read "$dir/damaged.set") restore = { action = "postgres.restore"; from = "read"; }; }; };
END
ok "the graphs are right" code 0 "$upkeep" check
ok "a set" code 0 "$upkeep" run dump
ok "plan" code 2 "$upkeep" plan app
ok "... says what, and how it is undone" has out "rename both back"
everything app >"$dir/before"
oid() { sql postgres -c "SELECT oid FROM pg_database WHERE datname = '$1'"; }
live=$(oid app)
# stays: the live database is the same one, alone and open; same: with all its things, which shows
# it of all that was tried since the last time as well
same() { everything app >"$dir/now"; cmp "$dir/before" "$dir/now" && stays; }
stays() { [ "$(oid app)" = "$live" ] && names_are app &&
	ask postgres "SELECT datallowconn FROM pg_database WHERE datname = 'app'" t; }

# changed since the dump, then brought back
sql app -c 'DELETE FROM public.child; DROP TABLE public.booking; CREATE TABLE public.newer ()'
ok "restore" code 0 "$upkeep" run app
everything app >"$dir/now"
ok "... it is what was dumped, all of it" cmp "$dir/before" "$dir/now"
ok "... with statistics" ask app "SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'bulk'" t
old=$(sql postgres -c "SELECT datname FROM pg_database WHERE datname ~ '^upkeep_old_'")
ok "... the old one is kept" names_are "app $old"
ok "... says what it is" ask postgres "SELECT shobj_description(oid, 'pg_database') ~ 'was \"app\", until 20' FROM pg_database WHERE datname = '$old'" t
ok "... nobody can connect to it" eval '! sql "$old" -c "SELECT 1" 2>/dev/null'
ok "rollback, later" code 0 "$upkeep" rollback last
ok "... the newer state is back" ask app "SELECT to_regclass('public.newer') IS NOT NULL AND to_regclass('public.booking') IS NULL" t
ok "... as the same database" test "$(oid app)" = "$live"
ok "... its comment too" ask postgres "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'app'" "the 'live' one"
ok "... and nothing else is left" names_are app

# from here on the live one is as it was dumped
ok "restore once more" code 0 "$upkeep" run short
ok "... and the one after it drops what was kept, its time being over" code 0 "$upkeep" run short
ok "... so there is one old one" ask postgres "SELECT count(*) FROM pg_database WHERE datname ~ '^upkeep_old_'" 1
sql postgres -c "DROP DATABASE $(sql postgres -c "SELECT datname FROM pg_database WHERE datname ~ '^upkeep_old_'")"
live=$(oid app)
ok "as before" same
ok "a later task fails" code 11 "$upkeep" run late
ok "... the old one is back" stays
ok "an upstream that fails at its very end" code 11 "$upkeep" run torn
ok "... nothing has changed" same

# sessions
hold app 'SELECT 1'
ok "somebody is connected" code 10 "$upkeep" run app
ok "... says who" has out 'sessions are in the database "app": admin'
ok "... what to do" has out "set terminate = true"
ok "... nothing has changed" stays
ok "... is ended, and it is undone all the same" code 11 "$upkeep" run ends-late
ok "... nothing has changed" same
free

# at the time of the undo nothing can be set any more: what is said can be typed
ok "restore" code 0 "$upkeep" run app
hold app 'SELECT 1'
ok "rollback while somebody is connected" code 13 "$upkeep" rollback last
ok "what is to be done" code 0 "$upkeep" show last
ok "... is not to set what is recorded" hasnt out "terminate = true"
ended=$(grep -o "SELECT pg_terminate_backend.*'app'" "$dir/out" | head -n 1)
ok "... is said as SQL" test -n "$ended"
ok "... and what comes then" grep -q "; then upkeep rollback 2" "$dir/out"
ok "the SQL" eval 'sql postgres -c "$ended" >/dev/null'
free
ok "... and the rollback" code 0 "$upkeep" rollback last
ok "... the old one is back" same

# written to after the restore: not lost
ok "restore, and somebody writes" code 0 "$upkeep" run app
sql app -c "INSERT INTO public.upper VALUES (99)"
ok "rollback refuses" code 12 "$upkeep" rollback last
ok "... it is still there" ask app "SELECT count(*) FROM public.upper WHERE id = 99" 1
ok "rollback --force" code 0 "$upkeep" rollback last --force
undone=$(sql postgres -c "SELECT datname FROM pg_database WHERE datname ~ '^upkeep_undone_'")
ok "... what was written is kept" ask "$undone" "SELECT count(*) FROM public.upper WHERE id = 99" 1
sql postgres -c "DROP DATABASE $undone"
ok "... the old one is back" same

# not rows: definitions and large objects are what somebody has written too; nor is a server believed
# that does not count
for write in "SELECT lo_from_bytea(0, 'x')" "CREATE FUNCTION public.newer() RETURNS integer LANGUAGE sql AS 'SELECT 1'" \
	"SET track_counts = off; INSERT INTO public.upper VALUES (99); ALTER DATABASE app SET track_counts = off"; do
	ok "restore, then $write" code 0 "$upkeep" run app
	sql app -c "$write" >/dev/null
	ok "... rollback refuses" code 12 "$upkeep" rollback last
	ok "... and with --force" code 0 "$upkeep" rollback last --force
	undone=$(sql postgres -c "SELECT datname FROM pg_database WHERE datname ~ '^upkeep_undone_'")
	ok "... it is kept" test -n "$undone"
	sql postgres -c "DROP DATABASE $undone"
	ok "... the old one is back" same
done
# a session that writes its last words while the undo waits for it to end
ok "restore once more" code 0 "$upkeep" run app
sql app -c 'BEGIN; INSERT INTO public.upper VALUES (99); SELECT pg_sleep(0.5); COMMIT' >/dev/null & last=$!
until_true ask postgres "SELECT count(*) FROM pg_stat_activity WHERE datname = 'app' AND query ~ 'pg_sleep'" 1 >/dev/null
ok "rollback while somebody writes" code 0 "$upkeep" rollback last --force
wait $last
ok "what was written last is kept" eval '[[ $(names) == *upkeep_undone_* ]]'
sql postgres -c "DROP DATABASE $(sql postgres -c "SELECT datname FROM pg_database WHERE datname ~ '^upkeep_undone_'")"
ok "... the old one is back" same

# onto a server that has nothing
sql postgres -c 'DROP DATABASE app' -c 'DROP ROLE reader, "a ""group"""'
ok "without the database and its roles: undone" code 11 "$upkeep" run late
ok "... no database" names_are ""
ok "... no role" ask postgres "SELECT count(*) FROM pg_roles WHERE rolname IN ('reader', 'a \"group\"')" 0
ok "... done" code 0 "$upkeep" run app
everything app >"$dir/now"
ok "... it is what was dumped, all of it" cmp "$dir/before" "$dir/now"
ok "... the role, its limits" ask postgres "SELECT rolconnlimit, rolvaliduntil::date, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'reader'" "7|2100-01-01|who it's for"
ok "... its settings" ask postgres "SELECT unnest(rolconfig) FROM pg_roles WHERE rolname = 'reader'" \
	$'search_path="$user", "odd, one", public\ndefault_transaction_read_only=on'
ok "... its group" ask postgres "SELECT pg_has_role('reader', 'a \"group\"', 'MEMBER')" t
ok "... its password" test "$(PGPASSWORD="a reader's" "$postgres_bin/psql" -XqAt -h 127.0.0.1 -p "$postgres_port" -U reader -d app -c 'SELECT count(*) FROM public.upper')" = 2
sql postgres -c 'ALTER ROLE reader CREATEDB'
ok "beside it, under another name" code 0 "$upkeep" run other
ok "... a role that differs stays, and it is said" has out "kept: its createdb differs from the set's"
ok "... both are there" names_are "It's \"other\" app"
ok "... and in its place, undone" code 11 "$upkeep" run other-late
ok "... both are there" names_are "It's \"other\" app"
sql postgres -c "DROP DATABASE \"It's \"\"other\"\"\"" -c 'ALTER ROLE reader NOCREATEDB'
live=$(oid app)
ok "as before" same

# refused
ok "the database for administration" code 10 "$upkeep" run postgres
ok "... what to do" has out "set database in the settings"
ok "a reserved name" code 10 "$upkeep" run reserved
at=$(grep -abo 'long and longer' "$dir/app.set" | head -n 1 | cut -d: -f1)
cp "$dir/app.set" "$dir/damaged.set"; printf L | dd of="$dir/damaged.set" bs=1 seek="$at" conv=notrunc status=none
ok "one byte of a row is another" code 11 "$upkeep" run damaged
ok "... says so" has out 'the set is damaged: "database.dump.000001" has another hash'
ok "... nothing has changed" stays
head -c 1500000 "$dir/app.set" >"$dir/damaged.set"
ok "a tail is missing" code 11 "$upkeep" run damaged
ok "... nothing has changed" stays
mkdir "$dir/hand"; tar -xf "$dir/app.set" -C "$dir/hand"
# again MEMBER...: the set made anew by hand, with right sums
again() { (cd "$dir/hand" && sha256sum about.json globals.sql database.dump.0* contents.json >SHA256SUMS &&
	tar --format=ustar -cf "$dir/damaged.set" about.json globals.sql database.dump.0* contents.json SHA256SUMS); }
sed -i 's/"rows": 1000$/"rows": 1001/' "$dir/hand/contents.json"; again
ok "rows are missing" code 11 "$upkeep" run damaged
ok "... says which" has out '"public.child" has 1000 rows and had 1001'
ok "... nothing has changed" stays
sql template1 -c 'CREATE TABLE public.extra ()'
tar -xf "$dir/app.set" -C "$dir/hand"; again
ok "a set that was put together by hand" code 0 "$upkeep" run damaged
ok "... undone" code 0 "$upkeep" rollback last
ok "... nothing has changed" same
sql template1 -c 'DROP TABLE public.extra'
head -c 4000 /dev/urandom >>"$dir/hand/database.dump.000001"; sed -i 's/PGDMP/PGDMQ/' "$dir/hand/database.dump.000001"; again
ok "a dump that pg_restore refuses" code 11 "$upkeep" run damaged
ok "... says why" has out "pg_restore ended with 1: pg_restore: error"
ok "... nothing has changed" same

# somebody makes a role of the set just before it is made
sql postgres -c 'ALTER ROLE reader RENAME TO elsewhere'
hold postgres 'CREATE ROLE reader LOGIN'
"$upkeep" run app >"$dir/out" 2>&1 & run=$!
until_true ask postgres "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeep' AND wait_event_type = 'Lock' AND query ~ 'CREATE ROLE'" 1 >/dev/null
echo "COMMIT; SELECT 'there';" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"
wait $run; free
ok "a role that somebody else makes meanwhile" has out "making a role failed"
ok "... is left alone" ask postgres "SELECT count(*) FROM pg_roles WHERE rolname = 'reader'" 1
ok "... no hash is in the server's log" eval '! grep SCRAM-SHA "$dir/postgres/log/postgres"'
sql postgres -c 'DROP ROLE reader' -c 'ALTER ROLE elsewhere RENAME TO reader'
ok "... nothing has changed" same

# killed in the middle
"$upkeep" run slow >"$dir/run" 2>&1 & run=$!
until_true test -e "$dir/going"
until_true eval '[[ $(names) == *upkeep_new_* ]]'
until_true eval '[ "$(sql postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '\''^upkeep_new_'\''")" -ge 1 ]'
# shellcheck disable=SC2046
die $run $(cat /proc/$run/task/$run/children)
ok "killed in the middle: recover" code 11 "$upkeep" recover
ok "... nothing has changed" stays
# killed while the server makes the new database, which it goes on with
hold postgres 'LOCK TABLE pg_database IN SHARE MODE'
"$upkeep" run app >"$dir/run" 2>&1 & run=$!
until_true ask postgres "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeep' AND wait_event_type = 'Lock' AND query ~ 'CREATE DATABASE'" 1 >/dev/null
# shellcheck disable=SC2046
die $run $(cat /proc/$run/task/$run/children)
ok "killed before the server has made it: recover" code 11 "$upkeep" recover
ok "... the session that makes it is ended" ask postgres "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^CREATE DATABASE'" 0
free
until_true ask postgres "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeep'" 0
ok "... nor is it made later" same
# killed when its record is written and both are to be renamed: for that it waits here
hold postgres "COMMENT ON DATABASE app IS 'the ''live'' one'"
"$upkeep" run app >"$dir/run" 2>&1 & run=$!
until_true ask postgres "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeep' AND wait_event_type = 'Lock' AND query ~ 'RENAME'" 1 >/dev/null
# shellcheck disable=SC2046
die $run $(cat /proc/$run/task/$run/children)
free
ok "killed before the exchange: recover" code 11 "$upkeep" recover
ok "... nothing has changed" same
# the server's disk is full at half: no file may be larger than a segment of its log
sql app -c "CREATE TABLE public.wide AS SELECT repeat(md5(n::text), 30) AS a FROM generate_series(1, 20000) AS n"
ok "a larger set" code 0 "$upkeep" run dump
everything app >"$dir/before"
pg stop; (ulimit -f 17408; pg again)
ok "the server's disk is full" code 11 "$upkeep" run app
ok "... says so" has out "could not extend file"
pg stop; pg again
ok "... nothing has changed" same
ok "no session is left" until_true ask postgres "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'upkeep%'" 0
echo "1..$n"
