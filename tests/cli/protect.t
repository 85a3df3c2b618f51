#!/bin/bash
# SPDX-License-Identifier: MIT
# The shipped graphs of data protection, as they are, on a real database server and a real S3
# server: everything backed up, everything lost, everything back; and put back again where the
# restored site does not live.  UPKEEP_LONG=1: a database of 1 GiB instead of 64 MiB.
. "${0%/*}/tap.sh"
pg_line='fsync = on' # what postgres.check wants to see
. "${0%/*}/postgres.sh"
use rgw
export HOME=$dir S3_ENDPOINT S3_ACCESS_KEY S3_SECRET_KEY
s3() { "$services/s3-request" "$@" </dev/null; }
s3 PUT /backups
umask 077; printf %s "$S3_SECRET_KEY" >"$dir/secret"; umask 022
# point: the site's database is the server that there is now
point() {
	install -m 600 "$postgres_password" "$dir/password"
	site <<END
plugins = {
  system = { kernel_log = "/dev/null"; }; files = { };
  postgres = { host = "127.0.0.1"; port = $postgres_port; user = "admin"; password = "file:$dir/password"; };
  backup = { keyring = "$dir/keys"; stores = (
    { name = "local"; path = "$dir/local"; },
    { name = "offsite"; url = "s3://backups/site1"; endpoint = "$S3_ENDPOINT"; access_key = "$S3_ACCESS_KEY"; secret_key = "file:$dir/secret"; } ); };
};
locks = [ "database", "host-logs" ];
END
	sed -i "s|^graphs = .*|graphs = [ \"graphs/*.conf\" ];|" "$UPKEEP_SITE"
}
mkdir "$dir/graphs"
cp "$top_srcdir"/etc/graphs/*.conf "$dir/graphs"
sed -i 's/attempts = 10; delay = "3s"/attempts = 2; delay = "100ms"/' "$dir/graphs/restore-all.conf"
point
rows=1000000; [ -z "${UPKEEP_LONG-}" ] || rows=16000000
sql postgres -c 'CREATE DATABASE app'
sql app -f "$top_srcdir/tests/services/postgres.sql"
sql app -c "CREATE TABLE bulk AS SELECT n, md5(n::text) AS text FROM generate_series(1, $rows) AS n" \
	-c 'CREATE INDEX ON bulk (n)' -c "INSERT INTO bulk VALUES (0, 'the plain words')"
mkdir -p "$dir/srv/results" "$dir/etc"
seq 300000 >"$dir/srv/results/numbers"; echo 'the plain words' >"$dir/srv/notes"; ln "$dir/srv/notes" "$dir/srv/same"
echo setting >"$dir/etc/app.conf"; echo '{ "json": true }' >"$dir/etc/app.json"; chmod 640 "$dir/etc/app.conf"
cp -a "$dir/srv" "$dir/srv.was"; cp -a "$dir/etc" "$dir/etc.was"
same_files() { diff -r "$dir/srv" "$dir/srv.was" && diff -r "$dir/etc" "$dir/etc.was" &&
	[ "$(stat -c %a "$dir/etc/app.conf")" = 640 ] && [ "$dir/srv/notes" -ef "$dir/srv/same" ]; }
same_rows() { everything app >"$dir/now.sql"; cmp "$dir/now.sql" "$dir/was.sql"; }
go() { "$upkeep" run "$@"; }
with=(--param store=offsite --param with_database=true)
backup() { go backup "${with[@]}" --param database=app --param "data=$dir/srv" --param "config=$dir/etc" \
	--param "sample=$dir/etc/app.conf" --param "staging=$dir/staging" "$@"; }
restore() { go restore-all "${with[@]}" --param database=app --param stop=/bin/true --param start=/bin/true "$@"; }
backups_are() { local is; is=$(go --json backup --only list --param store=offsite | jq '.tables | to_entries[0].value | length')
	[ "$is" = "$1" ] || { echo "# $is backups"; return 1; }; }
nothing_plain() {
	local key
	for key in $(s3 GET '/backups?list-type=2' | grep -oE '<Key>[^<]*' | sed 's/<Key>//'); do
		! s3 GET "/backups/$key" | grep -qaF 'the plain words' || { echo "# in $key"; return 1; }
	done
	! grep -raqF 'the plain words' "$dir/state"
}

ok "the shipped graphs are right" code 0 "$upkeep" check
ok "what backup would do" code 2 "$upkeep" plan backup "${with[@]}" --param database=app
ok "backup" code 0 backup
ok "... of database, data and configuration" backups_are 3
ok "... nothing plain is in the store or left on the disk" nothing_plain
s3 GET '/backups?uploads' >"$dir/out"; ok "... no upload is left open" hasnt out '<Upload>'
ok "backup-verify: restored to nowhere and compared" code 0 go backup-verify "${with[@]}"
ok "db-daily" code 0 go db-daily --param database=app --param store=offsite
ok "... of two dumps of a day the newer stays" backups_are 3
ok "optimize-weekly" code 0 go optimize-weekly --param database=app
ok "integrity-weekly" code 0 go integrity-weekly "${with[@]}" --param database=app --param "json=$dir/etc/*.json"
ok "the database is what it was before" names_are app
everything app >"$dir/was.sql"

# a source that breaks never becomes a backup, and the others of its run are taken away again
sql app -c "CREATE FUNCTION broken() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''broken''; END'" \
	-c 'CREATE TABLE bad (a integer); INSERT INTO bad VALUES (1); ALTER TABLE bad ENABLE ROW LEVEL SECURITY' \
	-c 'ALTER TABLE bad ADD COLUMN b integer GENERATED ALWAYS AS (a) STORED' >"$dir/out" 2>&1
file=$(sql app -c "SELECT pg_relation_filepath('bulk')")
pg stop
printf 'damaged' | dd of="$dir/postgres/data/$file" bs=1 seek=20000000 conv=notrunc 2>"$dir/err"
pg again
ok "a table that cannot be read" code 11 backup
ok "... is no backup, nor is anything else of that run" backups_are 3
ok "... and those before are good" code 0 go backup --only verify --param store=offsite

# everything is lost, the server too
pg stop
rm -rf "${dir:?}/srv" "${dir:?}/etc"
use postgres
point
ok "what restore-all would do" code 2 "$upkeep" plan restore-all "${with[@]}" --param database=app
ok "restored, but the site does not live" code 11 restore --param health=/bin/false
ok "... the server is as empty as before" names_are ""
ok "... no file came" test ! -e "$dir/srv" -a ! -e "$dir/etc"
ok "restore-all" code 0 restore --param health=/bin/true
ok "... every table is what it was" same_rows
ok "... every file too" same_files
run=$("$upkeep" history --json | jq -r '.[0].run')
ok "... and can be taken back hours later" code 0 "$upkeep" rollback "$run"
ok "... to nothing" names_are ""
ok "restore-all again" code 0 restore --param health=/bin/true

# parts
sql app -c 'DROP TABLE bulk'; echo other >"$dir/etc/app.conf"; rm "$dir/srv/notes"
part() { go restore-part --param store=offsite --param database=app "$@"; }
ok "the database alone" code 0 part --param what=database
ok "... is whole again" same_rows
ok "the configuration alone" code 0 part --param what=config
ok "which backups have a file" code 0 go find-files --param store=offsite --param 'pattern=notes'
ok "... is told" has out "$dir/srv/notes"
ok "named files alone" code 0 part --param what=files --param name=data --param "files=$dir/srv/notes"
ok "... all is there again" diff -r "$dir/srv" "$dir/srv.was"
ok "... the configuration too" diff -r "$dir/etc" "$dir/etc.was"
echo "1..$n"
