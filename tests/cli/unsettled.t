#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs that are not settled, and those that wait for them; runs that stay as they were.
. "${0%/*}/tap.sh"
. "${0%/*}/undone.sh"
site <<<'locks = [ "db" ]; plugins = { files = { }; };'
mkdir "$dir/data"
stuck() { t "$1" "$say $1; $waits" "$(undo "test -e $dir/mended && $say -$1" 'retry = { attempts = 1; };') ${2-}"; }
graphs <<END
waited = { overlap = "wait"; tasks = { $(stuck a) $(bad 'after = [ "a" ];') }; };
owner = { tasks = { $(stuck a 'lock = [ "db" ];') $(bad 'after = [ "a" ];') }; };
needs = { tasks = { $(t n "$say n" 'changes = "none"; lock = [ "db" ];') }; };
starts = { tasks = { $(said n 'lock = [ "db" ];') }; };
meek = { tasks = { $(t n "$say n" 'changes = "none"; lock = [ "db" ]; ignore_failure = true;') $(t z "exit 1" 'changes = "none"; after = [ "n" ];') }; wait_max = "300ms"; };
fine = { tasks = { $(said a 'lock = [ "db" ];') }; };
idle = { tasks = { $(t i "$say i" 'changes = "none";') }; };
halt = { on_failure = "stop"; tasks = { old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d"; }; $(bad 'after = [ "old" ];') }; };
hold = { tasks = { $(t h "touch $dir/going; exec sleep 300" 'changes = "none"; lock = [ "db" ];') }; };
forth = { on_interrupt = "resume"; tasks = { $(said a) $(t b "$say b" "$(undo "test -e $dir/mended && $say -b" 'retry = { attempts = 1; };') after = [ \"a\" ];") }; };
mixed = { tasks = { old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d";
	rollback = { action = "core.exec"; argv = [ "/bin/sh", "-c", "mv $dir/data/.upkeep-*/* $dir/data/a.log || true; $say -old" ]; }; }; }; };
END
ok "the graphs are right" code 0 "$upkeep" check
id() { "$upkeep" history "$1" --json | jq -r '.[0].run'; }
is() { local got; got=$("$upkeep" history "$1" --json | jq -r ".[0].$2"); [ "$got" = "$3" ] || { echo "# $2: $got"; return 1; }; }

# what waited for a run that ends badly
begin waited
"$upkeep" run waited >"$dir/second" 2>&1 & second=$!
sleep 0.5; touch "$dir/go"; wait "$run"; got=$?
ok "a run whose undo fails" test $got = 13
wait $second; got=$?; cp "$dir/second" "$dir/out"
ok "who waited for its graph does not start" test $got = 14
ok "... says which run" has out "is not settled (rollback failed)"
ok "... nothing of it ran" order a
touch "$dir/mended"; "$upkeep" rollback --quiet last; : >"$dir/order"; rm "$dir/mended"
for graph in needs starts; do
	begin owner
	"$upkeep" run $graph >"$dir/second" 2>&1 & second=$!
	sleep 0.5; touch "$dir/go"; wait "$run"
	wait $second; got=$?; cp "$dir/second" "$dir/out"
	ok "who waited for its lock does not start, either: $graph" test $got = 14
	ok "... says whose it is" has out 'it owns the lock "db"'
	ok "... nothing of it ran" order a
	touch "$dir/mended"; "$upkeep" rollback --quiet "$(id owner)"; : >"$dir/order"; rm "$dir/mended"
done

# a rollback that does not come about
"$upkeep" run --quiet fine; : >"$dir/order"
begin hold; "$upkeep" rollback "$(id fine)" >"$dir/second" 2>&1 & second=$!
sleep 0.7; kill -TERM $second; wait $second; got=$?
ok "a rollback that is cancelled while it waits" test $got = 12
ok "... the run is as it was" is fine state succeeded
ok "... its code, too" is fine exit_code 0
ok "... nothing is undone" order ""
"$upkeep" cancel last; wait "$run"
ok "... its graph runs" code 0 "$upkeep" run --quiet fine
: >"$dir/order"
ok "a lock that an ignored task does not get" eval 'begin hold; code 10 "$upkeep" run meek'
"$upkeep" cancel "$(id hold)"; wait "$run"; : >"$dir/order"
"$upkeep" run --quiet idle; : >"$dir/order"
ok "rollback of what changed nothing" code 0 "$upkeep" rollback last
ok "... it has still succeeded" is idle state succeeded

# drift, wherever a run was settled
old() { rm -rf "$dir"/data/* "$dir"/data/.upkeep*; echo old >"$dir/data/a.log"; touch -d '9 days ago' "$dir/data/a.log"; }
old; "$upkeep" run --quiet halt >/dev/null; echo new >"$dir/data/a.log"; ended=$("$upkeep" history halt --json | jq '.[0].ended_ms')
ok "rollback of what a stopped run left, and somebody changed" code 12 "$upkeep" rollback last
ok "... is refused" has out "has been changed since"
ok "... nothing is touched" test "$(cat "$dir/data/a.log")" = new
ok "... nor is the run's end" is halt ended_ms "$ended"
rm "$dir/data/a.log"
ok "... and is not where nobody did" code 0 "$upkeep" rollback last
ok "... it is back" test "$(cat "$dir/data/a.log")" = old

# put right by a person, then gone on with
begin waited; touch "$dir/go"; wait "$run"; : >"$dir/order"
"$upkeep" resolve --quiet last --why "first"
ok "rollback of what was put right, which fails" code 13 "$upkeep" rollback last
ok "... is not settled again" code 14 "$upkeep" run waited
ok "... and can be put right again" code 0 "$upkeep" resolve last --why "second"
ok "... once" code 64 "$upkeep" resolve last --why "third"
: >"$dir/order"
"$upkeep" run --quiet forth; "$upkeep" rollback --quiet last >/dev/null; : >"$dir/order"
ok "a rollback that failed" is forth state "rollback failed"
touch "$dir/mended"
ok "... is completed by recover, whatever on_interrupt says" code 11 "$upkeep" recover "$(id forth)"
ok "... in order" order "-b -a"
rm "$dir/mended"
"$upkeep" run --quiet forth; "$upkeep" rollback --quiet last >/dev/null
ok "... is not resumed: half of it is undone" code 64 "$upkeep" resume "$(id forth)"
ok "... nor offered" eval 'code 14 "$upkeep" run forth && hasnt err "upkeep resume"'
touch "$dir/mended"; "$upkeep" rollback --quiet "$(id forth)"; : >"$dir/order"

# long ago
sed -i 's/^plugins/undo_keep = "1s"; plugins/; s/^locks/undo_keep = "1s"; locks/' "$UPKEEP_SITE"
"$upkeep" run --quiet fine; sleep 1.2; : >"$dir/order"
ok "rollback of what ended longer ago than undo_keep" code 12 "$upkeep" rollback last
ok "... says so" has out "longer ago than undo_keep"
ok "... what to type" has out "--force to put it back all the same"
ok "... nothing is undone" order ""
ok "... --force" code 0 "$upkeep" rollback last --force
ok "... is undone" order "-a"
sed -i 's/undo_keep = "1s"; //' "$UPKEEP_SITE"

# a rollback in place of the action's undo
old; "$upkeep" run --quiet mixed
ok "a task's rollback" code 0 "$upkeep" rollback last
ok "... closes the records of its action" test "$("$upkeep" show last --json | jq -r '[.undo_records[]?.state] | unique[]')" = "put back"
ok "... and their texts" eval '! ls "$dir"/state/runs/*/undo/*.txt 2>/dev/null | grep -v done.txt'
echo "1..$n"
