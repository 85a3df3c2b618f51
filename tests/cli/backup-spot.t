#!/bin/bash
# SPDX-License-Identifier: MIT
# spot: files chosen at random against the newest backup; what nobody changed and is not the same.
. "${0%/*}/tap.sh"
export HOME=$dir
site <<END
plugins = { backup = { stores = ( { name = "local"; path = "$dir/store"; } ); keyring = "$dir/keys"; }; };
END
mkdir -p "$dir/tree/sub"
for i in $(seq 300); do echo "file $i" >"$dir/tree/sub/$i"; done
seq 100000 >"$dir/tree/numbers"; ln "$dir/tree/numbers" "$dir/tree/again"
truncate -s 3M "$dir/tree/holes"; seq 2000 >>"$dir/tree/holes"; truncate -s 6M "$dir/tree/holes"
touch -d '2 days ago' "$dir"/tree/sub/* "$dir/tree/numbers" "$dir/tree/holes"
# spot NAME KEYS
spot() { printf '%s = { tasks = { spot = { action = "backup.spot"; name = "tree"; %s }; }; };\n' "$1" "$2"; }
graphs <<END
init = { tasks = { key = { action = "backup.init"; create_key = true; }; }; };
keep = { tasks = { keep = { action = "backup.create"; name = "tree"; paths = [ "$dir/tree" ]; }; }; };
part = { tasks = { keep = { action = "backup.create"; name = "part"; paths = [ "$dir/tree" ]; exclude = [ "sub", "*ag*" ]; };
  spot = { action = "backup.spot"; name = "part"; sample = "100%"; after = [ "keep" ]; }; }; };
$(spot few '')
$(spot seeded 'seed = 7; files = 20;')
$(spot all 'sample = "100%";')
$(spot some 'sample = "100%"; data_tolerance = "2%";')
$(spot loose 'sample = "100%"; data_tolerance = "100%"; count_tolerance = "100%";')
$(spot without 'sample = "100%"; exclude = [ "sub" ];')
$(spot one "sample = \"100%\"; paths = [ \"$dir/tree/numbers\" ];")
$(spot none "paths = [ \"$dir/absent\" ];")
END
# sums NAME: of the table of what was counted
sums() { jq -r ".tables | to_entries[] | .value | select(.[0].sampled) | .[0].$1" "$dir/out" 2>/dev/null; }
rows() { jq -r '.tables.differ // [] | map(.what + " " + (.path | sub(".*/"; ""))) | sort | join(",")' "$dir/out"; }
is() { local got; got=$("${@:2}"); [ "$got" = "$1" ] || { echo "# $got"; sed 's/^/# /' "$dir/out"; return 1; }; }
ok "a key" code 0 "$upkeep" run init
ok "no backup" code 10 "$upkeep" run few
ok "a backup" code 0 "$upkeep" run keep
ok "nothing has changed" code 0 "$upkeep" run --json few
ok "... files of both" is "302 302" eval 'echo $(sums live) $(sums stored)'
ok "... a sample of them" is "4 4" eval 'echo $(sums sampled) $(sums same)'
ok "all" code 0 "$upkeep" run --json all
ok "... are the same" is 302 sums same
ok "a part" code 0 "$upkeep" run --json one
ok "... alone" is "1 1" eval 'echo $(sums stored) $(sums sampled)'
ok "without what is left out" code 0 "$upkeep" run --json without
ok "... on both sides" is "2 2" eval 'echo $(sums live) $(sums stored)'
ok "a backup that leaves something out" code 0 "$upkeep" run --json part
ok "... is compared without that, untold" is "2 2" eval 'echo $(sums live) $(sums stored)'
ok "neither has a file" code 10 "$upkeep" run none
ok "... says so" has out "has a file to compare"
touch "$dir/tree/sub/1"; cp --sparse=never "$dir/tree/holes" "$dir/tree/h"; touch -r "$dir/tree/holes" "$dir/tree/h"; mv "$dir/tree/h" "$dir/tree/holes"
ok "other times, other holes" code 0 "$upkeep" run --json all
ok "... are no difference" is 302 sums same

# since the backup
echo more >>"$dir/tree/sub/2"; echo "file x" >"$dir/tree/sub/3"; rm "$dir/tree/sub/4"; echo new >"$dir/tree/sub/new"
rm "$dir/tree/sub/5"; mkdir "$dir/tree/sub/5"
ok "changed, new and missing files" code 10 "$upkeep" run --json all
ok "... each by its name" is "changed 2,changed 3,missing 4,missing 5,new new" rows
ok "... which are too many" has out "more than the 0.5 % of data_tolerance"
ok "... unless that is allowed" code 0 "$upkeep" run some
"$upkeep" run --json seeded >"$dir/one" 2>&1; "$upkeep" run --json seeded >"$dir/two" 2>&1
ok "the same seed, the same files" cmp <(jq .tables "$dir/one") <(jq .tables "$dir/two")
ok "... which is told" test "$(cp "$dir/one" "$dir/out"; sums seed)" = 7
for i in $(seq 20 80); do rm "$dir/tree/sub/$i"; done
ok "many files less" code 10 "$upkeep" run some
ok "... are said" has out "of count_tolerance"

# nobody says that it has changed
"$upkeep" run keep >"$dir/run" 2>&1; ok "a new backup" code 0 "$upkeep" run all
printf X | dd of="$dir/tree/numbers" bs=1 seek=300000 conv=notrunc 2>"$dir/err"; touch -d '2 days ago' "$dir/tree/numbers"
touch -r "$dir/tree/sub/100" "$dir/tree/numbers"
"$upkeep" run keep >"$dir/run" 2>&1
time=$(stat -c %y "$dir/tree/numbers"); sleep 1
printf Y | dd of="$dir/tree/numbers" bs=1 seek=300000 conv=notrunc 2>"$dir/err"; touch -d "$time" "$dir/tree/numbers"
ok "other bytes, the same size and time" code 10 "$upkeep" run --json loose
ok "... whatever is allowed" is "silent again" rows
ok "... which byte" has out "from byte 300000 on"
ok "... and who may have done it" has out "put its time back"
ok "... what to do" has out "look at both"
for pack in "$dir"/store/*/*.pack; do printf x | dd of="$pack" bs=1 seek=100 conv=notrunc 2>"$dir/err"; done
ok "a backup that cannot say" code 10 "$upkeep" run loose
ok "... is damaged itself" has out "its hash is not the manifest's"
echo "1..$n"
