#!/bin/bash
# SPDX-License-Identifier: MIT
# The postgres plugin under upkeep itself: two servers as two instances, secrets that stay secret,
# a run that is killed in the middle of a rebuild.
. "${0%/*}/tap.sh"
chmod 711 "$dir"
service=$top_srcdir/tests/services/postgres
trap '"$service" stop "$dir/a"; "$service" stop "$dir/b"; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
started=$("$service" start "$dir/a" $$) || { echo "1..0 # SKIP no PostgreSQL server is installed"; exit; }
eval "${started//postgres_/a_}"
started=$("$service" start "$dir/b" $$) || exit $?
eval "${started//postgres_/b_}"
# psql_a DATABASE ARGUMENT...
psql_a() { "$a_bin/psql" -XAtq -h "$a_socket" -p "$a_port" -U "$a_user" -d "$@"; }
psql_b() { "$b_bin/psql" -XAtq -h "$b_socket" -p "$b_port" -U "$b_user" -d "$@"; }
cp "$a_password" "$dir/a.pw"; cp "$b_password" "$dir/b.pw"; chmod 600 "$dir"/*.pw
site <<END
plugins = {
  postgres = { host = "$a_host"; port = $a_port; user = "$a_user"; password = "file:$dir/a.pw"; };
  second = { plugin = "postgres"; host = "$b_host"; port = $b_port; user = "$b_user"; password = "file:$dir/b.pw"; };
};
END
graphs <<END
both = { tasks = { first = { action = "postgres.tables"; databases = [ "postgres" ]; };
  other = { action = "second.tables"; databases = [ "postgres" ]; }; }; };
rebuild = { tasks = { rebuild = { action = "postgres.reindex"; databases = [ "postgres" ]; indexes = [ "public.wide_id" ];
  lock_timeout = "0s"; }; }; };
late = { tasks = { rebuild = { action = "postgres.reindex"; databases = [ "postgres" ]; indexes = [ "public.wide_id" ]; };
  fails = { action = "core.exec"; argv = [ "/bin/false" ]; after = [ "rebuild" ]; changes = "none"; }; }; };
waits = { tasks = { clean = { action = "postgres.vacuum"; databases = [ "postgres" ]; tables = [ "public.wide" ];
  lock_timeout = "0s"; timeout = "1s"; }; }; };
copy = { tasks = { copy = { action = "postgres.basebackup"; target = "$dir/copy"; }; }; };
slow = { tasks = { copy = { action = "postgres.basebackup"; target = "$dir/slow"; max_rate = "64KiB"; }; }; };
undone = { tasks = { copy = { action = "postgres.basebackup"; target = "$dir/undone"; };
  fails = { action = "core.exec"; argv = [ "/bin/false" ]; after = [ "copy" ]; changes = "none"; }; }; };
streamed = { tasks = { copy = { action = "postgres.basebackup"; };
  list = { action = "core.exec"; argv = [ "/bin/sh", "-c", "tar -tf - >$dir/listing" ]; from = "copy"; changes = "none"; }; }; };
lag = { tasks = { lag = { action = "postgres.lag"; }; other = { action = "second.lag"; }; }; };
missing = { tasks = { check = { action = "postgres.check"; standbys = 1; skip = [ "durability" ]; }; }; };
standby = { tasks = { check = { action = "postgres.check"; standbys = 1; skip = [ "durability" ]; };
  other = { action = "second.check"; skip = [ "durability" ]; }; }; };
END
psql_a postgres -c 'CREATE TABLE public.wide (id integer); CREATE INDEX wide_id ON public.wide (id)'
psql_b postgres -c 'CREATE TABLE public.here (id integer)'
ok "the site is right" code 0 "$upkeep" check
ok "two servers in one run" code 0 "$upkeep" run --json both
ok "... each shows its own" json '[.tables[][] | .server + " " + .table] | sort == ["postgres wide", "second here"]'
ok "no password in the journal" test -z "$(grep -rlF -f "$dir/a.pw" -f "$dir/b.pw" "$dir/state")"

# waiting NAME: a session of upkeep waits for a lock with such a statement
waiting() { [ "$(psql_a postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeep'
	AND query LIKE '$1%' AND wait_event_type = 'Lock'")" = 1 ]; }
none() { [ "$(psql_a postgres -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'upkeep'")" = 0 ]; }
invalid() { [ "$(psql_a postgres -c 'SELECT count(*) FROM pg_index WHERE NOT indisvalid')" = "$1" ]; }
# A transaction that wrote, or locks, until hold_end.
hold() { coproc HELD { psql_a postgres; }; held=$HELD_PID; exec {to}>&"${HELD[1]}" {from}<&"${HELD[0]}"
	printf 'BEGIN; %s; SELECT 7;\n' "$1" >&$to; until read -r line <&$from && [ "$line" = 7 ]; do :; done; }
hold_end() { exec {to}>&- {from}<&-; eval "exec ${HELD[1]}>&-" 2>/dev/null; wait "$held" 2>/dev/null; }

hold 'INSERT INTO public.wide VALUES (1)'
"$upkeep" run rebuild >"$dir/run" 2>&1 & run=$!
ok "a rebuild waits for a transaction" until_true waiting REINDEX
# shellcheck disable=SC2046
die $run $(cat /proc/$run/task/$run/children)
ok "... is killed: the server's session ends by itself" until_true none
ok "... something is left" invalid 1
hold_end
ok "recover" code 11 "$upkeep" recover
ok "... nothing is left" invalid 0
ok "... and the index is there" test "$(psql_a postgres -c "SELECT indisvalid FROM pg_index WHERE indexrelid = 'wide_id'::regclass")" = t

# killed at any moment: afterwards everything is as if it had not begun, or as if it had ended
psql_a postgres -c 'INSERT INTO public.wide SELECT generate_series(1, 200000)'
rounds=3; [ -z "${UPKEEP_LONG-}" ] || rounds=50
lost=0
for ((i = 0; i < rounds; i++)); do
	"$upkeep" run rebuild >"$dir/run" 2>&1 & run=$!
	sleep "0.$((RANDOM % 90 + 10))"
	# shellcheck disable=SC2046
	die $run $(cat /proc/$run/task/$run/children 2>/dev/null) 2>/dev/null
	"$upkeep" recover >"$dir/out" 2>&1 ; [[ $? == @(0|10|11) ]] || { lost=$((lost + 1)); sed 's/^/# /' "$dir/out"; }
	invalid 0 || { lost=$((lost + 1)); echo "# round $i: an invalid index is left"; }
done
ok "$rounds kills at random leave nothing" test $lost = 0

ok "a later task fails" code 11 "$upkeep" run late
ok "... nothing is left" invalid 0
ok "... nor held" code 0 "$upkeep" recover

hold 'LOCK TABLE public.wide'
ok "a task whose time is over" code 12 "$upkeep" run waits
ok "... its statement has ended at the server" none
hold_end

# a copy of the server becomes its standby, in place of the second server
ok "a copy is not there after a failure" code 11 "$upkeep" run undone
ok "... nor a part of it" test -z "$(find "$dir" -maxdepth 1 -name '*undone*')"
ok "a copy into a stream" code 0 "$upkeep" run streamed
ok "... is a whole archive" has listing backup_manifest
"$upkeep" run slow >"$dir/run" 2>&1 & run=$!
copying() { pgrep -f "pg_basebackup --pgdata=$dir/.upkeep-slow" >/dev/null; }
ok "a copy is being made" until_true copying
ok "no password is in anybody's arguments" test -z "$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -F -f "$dir/a.pw")"
kill -TERM $run; wait $run
ok "... a cancelled one leaves nothing" test $? = 11 -a -z "$(find "$dir" -maxdepth 1 -name '*slow*')"
ok "a copy" code 0 "$upkeep" run copy
"$service" stop "$dir/b"
rm -rf "${dir:?}/b/data"; mv "$dir/copy" "$dir/b/data"; : >"$dir/b/data/standby.signal"
cat >>"$dir/b/data/postgresql.conf" <<END
unix_socket_directories = '$b_socket'
primary_conninfo = 'host=$a_host port=$a_port user=$a_user password=$(cat "$dir/a.pw") application_name=standby'
END
[ "$(id -u)" != 0 ] || chown -R --reference="$dir/a/data" "$dir/b/data"
ok "... runs" code 0 "$service" again "$dir/b"
cp "$dir/a.pw" "$dir/b.pw"
streams() { [ "$(psql_a postgres -c "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")" = 1 ]; }
ok "... as a standby" until_true streams
ok "lag" code 0 "$upkeep" run --json lag
ok "... of the standby, and as it sees itself" json '[.tables[][] | .standby] | sort == ["(this server)", "standby"]'
ok "check counts standbys" code 0 "$upkeep" run --json standby
ok "... and looks at one" json '[.tables[][] | select(.check == "replay" and .server == "second" and .state == "ok" and .value != "")] | length == 1'
"$service" stop "$dir/b"
ok "one that is missing" code 10 "$upkeep" run missing
ok "... is missed" has out "standbys: 0 of 1 standbys"
echo "1..$n"
