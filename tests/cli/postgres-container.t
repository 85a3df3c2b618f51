#!/bin/bash
# SPDX-License-Identifier: MIT
# A server in a container without a published port: reached at its own address, with the
# programs inside it.
. "${0%/*}/tap.sh"
docker_script=$top_srcdir/tests/services/docker
docker_env=$("$docker_script" start "$dir/docker" 2>"$dir/why") ||
	{ echo "1..0 # SKIP $(tail -n 1 "$dir/why")"; exit; }
eval "$docker_env"
. "${0%/*}/postgres.sh"
trap '"$docker_script" stop "$dir/docker"; end_used' EXIT
docker() { command docker -H "$docker_host" "$@"; }
quiet() { "$@" >/dev/null; }
sql postgres -c 'CREATE DATABASE app'
sql app -f "$top_srcdir/tests/services/postgres.sql"
everything app >"$dir/before"
pg stop

# An image of this machine's own files: the server's programs and what they are linked with.
image() { local root=$dir/image; mkdir -p "$root"/{bin,tmp,etc,usr/share,usr/lib}
	find "$postgres_bin"/{postgres,pg_dump,pg_dumpall,pg_restore,psql} /bin/sh "${postgres_bin%/*}"/lib/*.so ! -name 'llvm*' |
		while read -r file; do realpath "$file"; echo "$file"; ldd "$file" | grep -o '/[^ ]*'; done |
		sed 's,^/,,' | sort -u | tar -ch -C / -T - | tar -x -C "$root"
	cp -rL /usr/share/postgresql /usr/share/zoneinfo "$root/usr/share/"; cp -r /usr/lib/locale "$root/usr/lib/"
	cp /etc/passwd "$root/etc/"; ln -sf "$postgres_bin"/{pg_dump,pg_dumpall,pg_restore,psql} "$root/bin/"
	tar -c -C "$root" . | docker import --change "ENV PATH=$postgres_bin:/bin" - pg:1 >/dev/null; }
echo 'host all all all scram-sha-256' >>"$dir/postgres/data/pg_hba.conf"
image || { echo "1..0 # SKIP the engine cannot unpack an image here, as in a chroot"; exit; }
ok "a container" quiet docker run -d --stop-signal INT --name db --user "$(stat -c %u:%g "$dir/postgres/data")" -v "$dir/postgres:$dir/postgres" pg:1 \
	"$postgres_bin/postgres" -D "$dir/postgres/data" -p 5432 -c "listen_addresses=*"
postgres_port=5432
ok "... is up" until_true eval "sql app -c \"\" 2>/dev/null" || docker logs db 2>&1 | sed "s/^/# /"

# Not even this machine has programs: a directory without any.
site <<END
plugins = { postgres = { container = "db"; user = "admin"; password = "file:$dir/password"; programs = "$dir/none"; }; };
END
mkdir "$dir/none"
env="env = { DOCKER_HOST = \"$docker_host\"; };"
graphs <<END
dump = { tasks = { dump = { action = "postgres.dump"; database = "app"; $env };
	keep = { action = "core.exec"; argv = [ "/bin/cat" ]; stdout = "$dir/app.set"; from = "dump"; }; }; };
verify = { tasks = { $(cat_task read "$dir/app.set") verify = { action = "postgres.verify"; from = "read"; $env }; }; };
drill = { tasks = { $(cat_task read "$dir/app.set") drill = { action = "postgres.drill"; from = "read"; $env }; }; };
restore = { tasks = { $(cat_task read "$dir/app.set") restore = { action = "postgres.restore"; from = "read"; $env }; }; };
late = { tasks = { $(cat_task read "$dir/app.set") restore = { action = "postgres.restore"; from = "read"; $env };
	bad = { action = "core.exec"; argv = [ "/bin/false" ]; changes = "none"; after = [ "restore" ]; }; }; };
slow = { tasks = { read = { action = "core.exec"; argv = [ "/bin/sh", "-c", "head -c 400000 $dir/app.set; touch $dir/going; exec sleep 300" ]; changes = "none"; };
	restore = { action = "postgres.restore"; from = "read"; $env }; }; };
END
was() { [ "$1" = "$2" ] || { echo "# $1, not $2"; sed "s,^,# ," "$dir/run"; return 1; }; }
inside() { nsenter --net="$docker_netns" "$upkeep" "$@"; }
same() { everything app >"$dir/now"; cmp "$dir/before" "$dir/now" && names_are app; }
ok "dump" code 0 inside run dump
ok "verify" code 0 inside run verify
ok "drill" code 0 inside run drill
ok "a restore that is undone" code 11 inside run late
ok "... nothing has changed" same
sql app -c 'DROP TABLE public.kinds'
ok "restore" code 0 inside run restore
everything app >"$dir/now"
ok "... it is what was dumped, all of it" cmp "$dir/before" "$dir/now"
sql postgres -c "DROP DATABASE $(sql postgres -c "SELECT datname FROM pg_database WHERE datname ~ '^upkeep_old_'")"
nsenter --net="$docker_netns" "$upkeep" run slow >"$dir/run" 2>&1 & run=$!
until_true test -e "$dir/going"
until_true eval '[[ $(names) == *upkeep_new_* ]]'
ok "... and no argument has the password" eval '! grep -sqF "$(cat "$dir/password")" /proc/[0-9]*/cmdline'
kill -TERM $run; wait $run
ok "cancelled in the middle" was $? 11
ok "... nothing has changed" same
ok "... no program is left in the container" until_true eval '! docker top db -eo pid,args | grep -q pg_restore'
ok "the container is stopped" quiet docker stop -t 5 db
ok "... and the dump fails" code 12 inside run dump
ok "... says why" has out 'the container "db" has no address'
echo "1..$n"
