#!/bin/bash
# SPDX-License-Identifier: MIT
# A backup that is killed goes on by resume, or with the next run: what was stored is used.
. "${0%/*}/tap.sh"
export HOME=$dir
site <<END
plugins = { backup = { stores = ( { name = "local"; path = "$dir/store"; } ); keyring = "$dir/keys"; }; };
END
mkdir "$dir/tree"
for i in 0 1 2 3 4 5; do seq -f "$i%.0f" 2400000 >"$dir/tree/$i"; done # two do not fit a pack
# keep NAME HOW: a graph that backs the tree up
keep() { cat <<END
$1 = { on_interrupt = "$2"; tasks = { keep = { action = "backup.create"; name = "$1"; paths = [ "$dir/tree" ]; }; }; };
END
}
graphs <<END
init = { tasks = { key = { action = "backup.init"; create_key = true; }; }; };
verify = { tasks = { verify = { action = "backup.verify"; all = true; }; }; };
prune = { tasks = { prune = { action = "backup.prune"; keep_daily = 1; }; }; };
$(keep held hold) $(keep undone undo)
END
# interrupt GRAPH: killed when its second pack is stored
interrupt() { "$upkeep" run "$1" >"$dir/run" 2>&1 & local run=$!
	while kill -0 $run 2>/dev/null && ! compgen -G "$dir/keys/memory/local/*-$1-*~part~00001" >/dev/null; do :; done
	# shellcheck disable=SC2046
	die $run $(cat /proc/$run/task/$run/children)
	! compgen -G "$dir/store/*-$1-*/manifest" >/dev/null || { echo "# it was too fast"; return 1; }; }
# used GRAPH: packs that the whole one needs of others, and its own
used() { local whole; whole=$(echo "$dir"/store/*-"$1"-*/manifest); whole=${whole%/manifest}
	local borrowed own; borrowed=$(awk '{ n += $3 - $2 + 1 } END { print n + 0 }' "$whole/needs")
	own=$(find "$whole" -name '*.pack' | wc -l)
	[ "$borrowed" -ge 2 ] && [ $((borrowed + own)) = 6 ] || { echo "# $borrowed borrowed, $own own"; return 1; }; }

ok "a key" code 0 "$upkeep" run init
ok "killed" interrupt held
ok "resume" code 0 "$upkeep" resume last
ok "... used what was stored" used held
ok "killed" interrupt undone
ok "rolled back" code 11 "$upkeep" recover
ok "... twice: there is nothing to do" code 0 "$upkeep" recover
ok "prune leaves it for a while" code 0 "$upkeep" run prune
ok "the next run" code 0 "$upkeep" run undone
ok "... used what was stored" used undone
ok "all are whole" code 0 "$upkeep" run --json verify
ok "... both" json '.tables | to_entries[0].value | length == 2'
ok "after prune too" eval 'code 0 "$upkeep" run prune && code 0 "$upkeep" run verify'
echo "1..$n"
