#!/bin/bash
# SPDX-License-Identifier: MIT
# A stream becomes a file of a backup: whole, sealed, restored; or there is no backup.
. "${0%/*}/tap.sh"
export HOME=$dir
site <<END
plugins = { backup = { stores = ( { name = "local"; path = "$dir/store"; } ); keyring = "$dir/keys"; }; };
END
seq 9500000 >"$dir/big"
mkdir "$dir/etc" "$dir/back"; echo setting >"$dir/etc/app.conf"; : >"$dir/empty"
# keep NAME PRODUCER MORE: a graph that backs up what a program writes
keep() { cat <<END
$1 = { tasks = { dump = { action = "core.exec"; argv = [ "/bin/sh", "-c", "$2" ]; changes = "none"; };
  keep = { action = "backup.create"; name = "$1"; from = "dump"; $3 }; }; };
END
}
# back NAME: brings its newest backup back
back() { cat <<END
back-$1 = { tasks = { back = { action = "backup.restore"; name = "$1"; target = "$dir/back/$1"; }; }; };
END
}
graphs <<END
init = { tasks = { key = { action = "backup.init"; create_key = true; }; }; };
list = { tasks = { list = { action = "backup.list"; }; }; };
verify = { tasks = { verify = { action = "backup.verify"; all = true; }; }; };
$(keep dump "cat $dir/big" 'paths = [ ]; as = "app.dump";')
$(keep plain "cat $dir/empty" 'paths = [ ];')
$(keep both "echo one; cat $dir/big" "paths = [ \"$dir/etc\" ]; as = \"app.dump\";")
$(keep fails "head -c 50000000 $dir/big; exit 3" 'paths = [ ];')
$(keep torn "head -c 50000000 $dir/big; kill -9 \$\$" 'paths = [ ];')
$(keep hangs "head -c 50000000 $dir/big; touch $dir/going; exec sleep 300" 'paths = [ ];')
$(keep slash "echo" 'paths = [ ]; as = "a/b";')
$(keep clash "echo" "paths = [ \"/\" ]; exclude = [ \"/*\" ];")
nothing = { tasks = { keep = { action = "backup.create"; name = "nothing"; paths = [ ]; }; }; };
$(back dump) $(back plain) $(back both)
END
# count: how many backups there are
count() { "$upkeep" run --json list | jq '.tables | to_entries[0].value | length'; }
backups_are() { local is; is=$(count); [ "$is" = "$1" ] || { echo "# $is backups"; return 1; }; }
ok "a key" code 0 "$upkeep" run init
ok "plan" code 2 "$upkeep" plan dump
ok "... says what" has out "what the task reads"
ok "a stream of several packs" code 0 "$upkeep" run --json dump
ok "... of all its bytes" json ".tables.stored[0] | .bytes == $(stat -c %s "$dir/big") and .entries == 1"
ok "... in more than one" test "$(find "$dir/store" -name '*.pack' | wc -l)" -ge 3
ok "... compressed" test "$(du -sb "$dir/store" | cut -f1)" -lt $(($(stat -c %s "$dir/big") / 3))
ok "an empty one" code 0 "$upkeep" run plain
ok "beside files" code 0 "$upkeep" run both
ok "verify reads them back" code 0 "$upkeep" run verify
ok "no plain byte is in the store" test -z "$(grep -rlF 1234567 "$dir/store")"
for name in dump plain both; do ok "restore of $name" code 0 "$upkeep" run "back-$name"; done
ok "... the same bytes" cmp "$dir/big" "$dir/back/dump/app.dump"
ok "... for its owner alone" test "$(stat -c %a "$dir/back/dump/app.dump")" = 600
ok "... no bytes" test -f "$dir/back/plain/plain" -a ! -s "$dir/back/plain/plain"
ok "... both" cmp "$dir/back/both/app.dump" <(echo one; cat "$dir/big")
ok "... the files too" cmp "$dir/etc/app.conf" "$dir/back/both$dir/etc/app.conf"

# whoever writes it fails: no backup
ok "a writer that fails at its end" code 11 "$upkeep" run fails
ok "... leaves none" backups_are 3
ok "one that is killed" code 11 "$upkeep" run torn
ok "... leaves none" backups_are 3
"$upkeep" run hangs >"$dir/run" 2>&1 & run=$!
until_true test -e "$dir/going"
temps() { compgen -G "/tmp/upkeep-$("$upkeep" history --json | jq -r ".[] | select(.graph == \"hangs\").run")-*" >"$dir/temps"; }
ok "its keys are in a directory of its own" until_true temps
# shellcheck disable=SC2046
die $run $(cat /proc/$run/task/$run/children)
"$upkeep" recover >"$dir/out" 2>&1
ok "one whose run is killed" has out "rolled back"
ok "... leaves no such directory" eval '! temps'
ok "... leaves none" backups_are 3
ok "... nothing of it is visible in the store" test "$(find "$dir/store" -name 'manifest*' -path '*hangs*' | wc -l)" = 0

# refused before anything is stored
ok "a name with a slash" code 10 "$upkeep" run slash
ok "... which part" has out 'as "a/b" may have letters'
ok "a name that paths may hold as well" code 10 "$upkeep" run clash
ok "... what to do" has out "set as to another name"
ok "neither paths nor a stream" code 10 "$upkeep" run nothing
ok "... what to do" has out "set paths, or from to the task that it is to read"
ok "... and nothing is there" backups_are 3
echo "1..$n"
