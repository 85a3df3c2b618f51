# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by the tests of the postgres plugin's dumps, after tap.sh: a server with a database
# "app" full of odd things, and what one asks of them.
. "$top_srcdir/tests/services/use.sh"
chmod 711 "$dir"
use postgres "log_checkpoints = off" ${pg_line+"$pg_line"}
# pg stop|again: the server
pg() { "$services/postgres" "$1" "$dir/postgres" >"$dir/pg-answers"; }
install -m 600 "$postgres_password" "$dir/password"
# sql DATABASE [OPTIONS]: as a superuser
sql() { "$postgres_bin/psql" -XqAt -h "$postgres_socket" -p "$postgres_port" -U admin -v ON_ERROR_STOP=1 -d "$@"; }
# ask DATABASE QUERY WANT
ask() { local got; got=$(sql "$1" -c "$2"); [ "$got" = "$3" ] || { echo "# $2: $got"; return 1; }; }
# pg_site [KEYS]: a site with the server as "postgres"
pg_site() { site <<<"plugins = { postgres = { host = \"127.0.0.1\"; port = $postgres_port; user = \"admin\";
	password = \"file:$dir/password\"; ${1-} }; };"; }
# everything DATABASE: all of it as text
everything() { "$postgres_bin/pg_dump" -h "$postgres_socket" -p "$postgres_port" -U admin -C "$1" |
	grep -v '^\\\(un\)\?restrict '; }
# names: the databases that there are
names() { sql postgres -c "SELECT datname FROM pg_database WHERE datname !~ '^(template|postgres\$)' ORDER BY 1" | tr '\n' ' '; }
names_are() { local got; got=$(names); [ "${got% }" = "$1" ] || { echo "# databases: $got"; return 1; }; }
# cat_task NAME FILE [MORE]: a task that gives a file to others
cat_task() { echo "$1 = { action = \"core.exec\"; argv = [ \"/bin/cat\", \"$2\" ]; changes = \"none\"; ${3-} };"; }
# rows DATABASE: of all its tables
rows() { sql "$1" -c "SELECT sum((xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM ONLY %I.%I',
	n.nspname, c.relname), false, true, '')))[1]::text::bigint) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)'"; }
# hold DATABASE STATEMENT...: a transaction that keeps what the statements lock, until free
hold() { coproc HOLD { exec "$postgres_bin/psql" -XqAt -h "$postgres_socket" -p "$postgres_port" -U admin -d "$1" 2>/dev/null; }
	holder=$HOLD_PID; printf '%s;\n' BEGIN "${@:2}" "SELECT 'held'" >&"${HOLD[1]}"; read -r _ <&"${HOLD[0]}"; }
free() { kill "$holder" 2>/dev/null; wait "$holder" 2>/dev/null; }
# kill_dump: the pg_dump that reads from this server
kill_dump() { local p; for p in $(pgrep -x pg_dump); do
	! grep -qzxF "PGPORT=$postgres_port" "/proc/$p/environ" 2>/dev/null || kill -KILL "$p"; done; }
