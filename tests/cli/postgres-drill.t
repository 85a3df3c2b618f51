#!/bin/bash
# SPDX-License-Identifier: MIT
# postgres.drill: a dump is tried out in a scratch database, which is gone afterwards; nothing
# else is ever touched.
. "${0%/*}/tap.sh"
. "${0%/*}/postgres.sh"
sql postgres -c 'CREATE DATABASE app' -c 'CREATE DATABASE upkeep_drill_mine'
sql app -v rows=20000 -f "$top_srcdir/tests/services/postgres.sql"
pg_site
# drill NAME FILE [ASSERTION EXPECT]
drill() { local with=; [ $# = 2 ] || with="assertions = ( { sql = \"${3//\"/\\\"}\"; expect = \"$4\"; } );"
	echo "$1 = { tasks = { $(cat_task read "$dir/$2.set") drill = { action = \"postgres.drill\"; from = \"read\"; $with }; }; };"; }
evil=("DROP DATABASE app" "DELETE FROM public.parent RETURNING 1" "SELECT 1) x; DROP TABLE public.parent; --"
	"SELECT 1; DROP DATABASE app" "COMMIT" "WITH d AS (DELETE FROM public.parent RETURNING 1) SELECT 1 FROM d"
	"SELECT lo_unlink(4242)" "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = 'app'")
graphs <<END
dump = { tasks = { dump = { action = "postgres.dump"; database = "app"; };
	keep = { action = "core.exec"; argv = [ "/bin/cat" ]; stdout = "$dir/app.set"; from = "dump"; }; }; };
$(drill plain app) $(drill right app 'SELECT count(*), 5 FROM public.parent' 101)
$(drill wrong app "SELECT name FROM public.parent ORDER BY id LIMIT 1" "name 2") $(drill none app 'SELECT 1 WHERE false' '')
$(drill broken app "SELECT * FROM nowhere" 1)
$(for i in "${!evil[@]}"; do drill "evil$i" app "${evil[i]}" 1; done)
$(drill damaged damaged)
torn = { tasks = { read = { action = "core.exec"; argv = [ "/bin/sh", "-c", "cat $dir/app.set; exit 3" ]; changes = "none"; };
	drill = { action = "postgres.drill"; from = "read"; }; }; };
early = { tasks = { read = { action = "core.exec"; argv = [ "/bin/sh", "-c", "head -c 6000 $dir/app.set; touch $dir/going; exec sleep 300" ]; changes = "none"; };
	drill = { action = "postgres.drill"; from = "read"; }; }; };
slow = { tasks = { read = { action = "core.exec"; argv = [ "/bin/sh", "-c", "head -c 1000000 $dir/app.set; touch $dir/going; exec sleep 300" ]; changes = "none"; };
	drill = { action = "postgres.drill"; from = "read"; }; }; };
both = { tasks = { $(cat_task read "$dir/app.set") drill = { action = "postgres.drill"; from = "read"; };
	verify = { action = "postgres.verify"; from = "read"; }; }; };
straight = { tasks = { dump = { action = "postgres.dump"; database = "app"; }; drill = { action = "postgres.drill"; from = "dump"; }; }; };
END
ok "the graphs are right" code 0 "$upkeep" check
ok "a set" code 0 "$upkeep" run dump
everything app >"$dir/before"
same() { everything app >"$dir/now"; cmp "$dir/before" "$dir/now" && names_are "app upkeep_drill_mine"; }
ok "plan" code 2 "$upkeep" plan plain
ok "drill" code 0 "$upkeep" run plain
ok "... leaves nothing" same
ok "with an assertion" code 0 "$upkeep" run --json right
ok "... says what it was" json '.tables | to_entries[0].value[0].is == "101"'
ok "no row is empty" code 0 "$upkeep" run none
ok "a wrong one" code 10 "$upkeep" run wrong
ok "... says so" has out 'gives "name 1", not "name 2"'
ok "... leaves nothing" same
ok "one that is no query" code 10 "$upkeep" run broken
ok "... says so" has out 'assertion 1 failed'
ok "... leaves nothing" same
hold app 'SELECT 1'
for i in "${!evil[@]}"; do
	ok "${evil[i]}" code 10 "$upkeep" run "evil$i"
	ok "... changes nothing" same
done
ok "... ends nobody's session" kill -0 "$holder"
free
ok "drill and verify of one stream" code 0 "$upkeep" run both
ok "straight from the dump" code 0 "$upkeep" run straight
ok "... leaves nothing" same
ok "an upstream that fails at its very end" code 10 "$upkeep" run torn
ok "... leaves nothing" same
head -c 1500000 "$dir/app.set" >"$dir/damaged.set"
ok "a tail is missing" code 10 "$upkeep" run damaged
ok "... leaves nothing" same
sql postgres -c 'ALTER ROLE "odd ""role"" ü" RENAME TO renamed'
ok "roles that the server has not" code 0 "$upkeep" run plain
ok "... are not made" ask postgres "SELECT count(*) FROM pg_roles WHERE rolname ~ '^odd'" 0
sql postgres -c 'ALTER ROLE renamed RENAME TO "odd ""role"" ü"'

# killed: what is left is found, by recover or by the next drill, and nothing else is
scratch() { sql postgres -c "SELECT datname FROM pg_database WHERE datname ~ '^upkeep_drill_[0-9a-f]{12}\$'"; }
begin() { rm -f "$dir/going"; "$upkeep" run "$1" >"$dir/run" 2>&1 & run=$!
	until_true test -e "$dir/going"; until_true eval '[ -n "$(scratch)" ]'; }
# ... and pg_restore is at work in it
begin_slow() { begin slow
	until_true eval '[ "$(sql postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '\''^upkeep_drill_'\''")" -ge 1 ]'; }
begin early
ok "while one runs, another leaves it alone" code 0 "$upkeep" run plain
ok "... it is there" test -n "$(scratch)"
kill -TERM $run; wait $run
ok "cancelled: it has cleared up" same
begin_slow
# shellcheck disable=SC2046
die $run $(cat /proc/$run/task/$run/children)
ok "killed: something is left" test -n "$(scratch)"
ok "... recover drops it" code 11 "$upkeep" recover
ok "... it" same
begin_slow
# shellcheck disable=SC2046
die $run $(cat /proc/$run/task/$run/children)
rm -rf "$dir/state"
ok "killed, and its journal lost" test -n "$(scratch)"
until_true ask postgres "SELECT count(*) FROM pg_stat_activity WHERE datname ~ '^upkeep_drill_'" 0 >/dev/null
ok "... the next drill drops it" code 0 "$upkeep" run plain
ok "... it" same
# another site's drill holds its database in another one
sql postgres -c 'CREATE DATABASE upkeep_drill_0123456789ab'
hold app "SELECT pg_advisory_lock(1970301808, $((0x456789ab)))"
ok "while one of other settings runs" code 0 "$upkeep" run plain
ok "... its database is left alone" names_are "app upkeep_drill_0123456789ab upkeep_drill_mine"
free
ok "... afterwards it is dropped" code 0 "$upkeep" run plain
ok "... it" same

# pg_restore has read all, and builds an index for minutes
sql app -c "CREATE FUNCTION public.slow(n bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS
	'BEGIN IF current_database() <> ''app'' THEN PERFORM pg_sleep(100); END IF; RETURN n; END'" \
	-c 'CREATE TABLE public.slowly AS SELECT n::bigint FROM generate_series(1, 9) AS n; CREATE INDEX ON public.slowly (public.slow(n))'
ok "a set with a slow index" code 0 "$upkeep" run dump
everything app >"$dir/before"
"$upkeep" run plain >"$dir/run" 2>&1 & run=$!
until_true ask postgres "SELECT count(*) FROM pg_stat_activity WHERE datname ~ '^upkeep_drill_' AND query ~ 'CREATE INDEX slowly'" 1 >/dev/null
kill -TERM $run; wait $run
ok "cancelled while an index is built: stops by itself" grep -q 'stopped before the end' "$dir/run"
ok "... and has cleared up" same
echo "1..$n"
