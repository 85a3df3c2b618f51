#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs whose upkeep was killed: what recover, and every run, does about them.
. "${0%/*}/tap.sh"
. "${0%/*}/undone.sh"
site <<<'plugins = { files = { }; }; locks = [ "db" ];'
mkdir "$dir/from" "$dir/to"; echo 1 >"$dir/from/1"
graphs <<END
undo = { tasks = { $(said a) $(t b "$say b; $waits" "$(undo "$say -b") after = [ \"a\" ];") $(said c 'after = [ "b" ];') }; };
none = { tasks = { $(t a true 'changes = "none";') $(t b "$say b; $waits" 'changes = "none"; after = [ "a" ];') }; };
hold = { on_interrupt = "hold"; tasks = { $(said a 'lock = "db";') $(t b "$say b; $waits" "$(undo "$say -b") after = [ \"a\" ];") }; };
unknown = { tasks = { $(t a "$say a") $(t b "$say b; $waits" 'after = [ "a" ];') }; };
resume = { on_interrupt = "resume"; tasks = { $(said a) $(t b "$say b; $waits" "$(undo "$say -b") after = [ \"a\" ];")
	$(said c 'after = [ "b" ];') }; };
own = { tasks = { store = { action = "files.archive"; paths = [ "$dir/from/*" ]; to = "$dir/to"; };
	$(t b "$say b; $waits" 'changes = "none"; after = [ "store" ];') }; };
needs = { tasks = { $(said n 'lock = "db";') }; };
fine = { tasks = { $(said f) }; };
owed = { tasks = { $(said a) $(t tell "$say \${run.verdict}; $waits" 'run_if = "done"; changes = "none";') }; };
undoing = { tasks = { $(said a) $(t b "$say b" "$(undo "$say -b; $waits; $say -b.") after = [ \"a\" ];") $(bad 'after = [ "b" ];') }; };
strays = { tasks = { $(t a "setsid sleep 517 \& setsid sh -c 'sleep 517 \& sleep 517' \& $say a; $waits" "$(undo "$say -a")") }; };
END
sed -i 's/\\&/\&/g' "$dir/g.conf"
ok "the graphs are right" code 0 "$upkeep" check
ok "recover of nothing" code 0 "$upkeep" recover
ok "... says nothing" test ! -s "$dir/out" -a ! -s "$dir/err"

# the keeper and the engine at once
begin undo; crash
ok "killed: shown as interrupted" run_is .state interrupted
ok "recover puts it back" code 11 "$upkeep" recover
ok "... the half of it, too" order "a b -b -a"
ok "... says of which run" has err "of undo was interrupted: recovering it"
ok "... the same run" run_is .state "rolled back"
ok "... what ran then is not known" task b '"\(.state) \(.undo)"' "unknown undone"
ok "... once" code 0 "$upkeep" recover
ok "... nothing more is undone" order ""
begin undo; kill -KILL "$(engine)"; wait "$run"
ok "the engine alone" test $? = 70
ok "... what to type" grep -q '^next: upkeep show 2' "$dir/run"
ok "recover puts it back" code 11 "$upkeep" recover
ok "... so" order "a b -b -a"
begin undo; engine=$(engine); kill -KILL "$run"; wait "$run" 2>/dev/null
ok "the keeper alone: the engine puts it back" until_true gone "$engine"
ok "... so" order "a b -b -a"
ok "... nothing is left to do" code 0 "$upkeep" recover
ok "... it says how it ended" run_is .state "rolled back"
begin undo; engine=$(engine); kill -STOP "$engine"; kill -KILL "$run"; wait "$run" 2>/dev/null
{ sleep 0.3; kill -KILL "$engine"; } &
ok "an engine that is still being killed is waited for" code 11 "$upkeep" recover
ok "... so" order "a b -b -a"
begin own; crash
ok "recover: the action's own undo" code 11 "$upkeep" recover
ok "... the file is back" test "$(cat "$dir/from/1")" = 1
: >"$dir/order"

# a run that lives
begin undo
ok "recover leaves a live run alone" code 0 "$upkeep" recover
ok "... says nothing" test ! -s "$dir/out" -a ! -s "$dir/err"
live=$("$upkeep" history --json | jq -r '.[0].run')
ok "recover of it by its name" code 75 "$upkeep" recover "$live"
ok "... says so" has err "is alive: it is left alone"
ok "rollback of it" code 75 "$upkeep" rollback "$live"
ok "resume of it" code 75 "$upkeep" resume "$live"
ok "resolve of it" code 75 "$upkeep" resolve "$live" --why no
ok "... says what to type" has err "next: upkeep cancel $live, or wait for it"
touch "$dir/go"; wait "$run"
ok "... it ends well" test $? = 0
ok "... untouched" order "a b c"

# at the beginning of every run
begin undo; crash
ok "run recovers what was interrupted" code 0 "$upkeep" run fine
ok "... first" order "a b -b -a f"
ok "... says so" has err "of undo was interrupted: recovering it"
begin undo; crash
ok "... --quiet" code 0 "$upkeep" run --quiet fine
ok "... still" order "a b -b -a f"
begin undo; crash
ok "... --json" code 0 "$upkeep" run --json fine
ok "... one object, its own" test "$(jq -s 'length == 1 and .[0].graph == "fine"' "$dir/out")" = true
ok "... what was recovered aside" has err "undo: run 2"
: >"$dir/order"

# two at once
begin undoing; crash
ok "killed while it rolled back" order "a b -b"
"$upkeep" recover >"$dir/first" 2>&1 & first=$!
rm -f "$dir/going"; until_true test -e "$dir/going"
ok "recover against recover" code 0 "$upkeep" recover
touch "$dir/go"; wait $first
ok "... the first does it" test $? = 11
ok "... each undo to its end, once" order "-b -b. -a"

# on_interrupt
begin none; crash
ok "nothing was changed: nothing to decide" code 10 "$upkeep" recover
ok "... so" order "b"
begin unknown; crash
ok "what cannot be undone waits for a person" code 13 "$upkeep" recover
ok "... says so" has out "what to do is left to a person"
ok "... its state" run_is .state interrupted
ok "... and what to type" has out "upkeep resume"
ok "... show" code 0 "$upkeep" show last
ok "... says the same" grep -q "^next: upkeep resume 2.* to go on, upkeep rollback 2" "$dir/out"
ok "... it stands in the way" code 14 "$upkeep" run unknown
"$upkeep" resolve --quiet last --why "looked at it"
: >"$dir/order"
begin hold; crash
ok "hold" code 13 "$upkeep" recover
ok "... nothing is undone" order "a b"
ok "... its state" run_is .state interrupted
ok "... recover leaves it to a person" code 0 "$upkeep" recover
ok "... its graph does not run" code 14 "$upkeep" run hold
ok "... says which run" has err "is not settled (interrupted)"
ok "... nor what needs its lock" code 14 "$upkeep" run needs
ok "... which is named" has err 'it owns the lock "db"'
ok "rollback" code 0 "$upkeep" rollback "$("$upkeep" history hold --json | jq -r '.[0].run')"
ok "... puts it back" order "-b -a"
ok "... the lock is free" code 0 "$upkeep" run needs
: >"$dir/order"
begin resume; crash; touch "$dir/go"
ok "resume" code 0 "$upkeep" recover
ok "... what was interrupted is undone, and runs again" order "a b -b b c"
ok "... the state" run_is .state succeeded
begin resume; crash
"$upkeep" recover >"$dir/run" 2>&1 & run=$!
rm -f "$dir/going"; until_true test -e "$dir/going"; crash; touch "$dir/go"
ok "recover that is killed is recovered" code 0 "$upkeep" recover
ok "... so" order "a b -b b -b b c"

# what is owed
begin owed; crash; touch "$dir/go"
ok "a run_if task that was interrupted" code 0 "$upkeep" recover
ok "... runs again" order "a succeeded succeeded"
ok "... the state" run_is .state succeeded

# what is left of it
if [ "$(id -u)" = 0 ]; then
	begin strays; crash
	alive() { pgrep -f "sleep 517" >/dev/null; }
	ok "what it left lives" alive
	ok "recover ends it" code 11 "$upkeep" recover
	ok "... all of it" eval '! alive'
	ok "... then it is undone" order "a -a"
fi

# messages
begin undo; crash
ok "recover --json" code 11 "$upkeep" recover --json
ok "... one object" json '.state == "rolled back" and .exit_code == 11 and (.tasks | length) == 3'
begin hold; first=$run first_engine=$(engine)
begin undo; kill -STOP "$first_engine"; die "$first" "$first_engine"; crash
ok "recover --json of two" code 13 "$upkeep" recover --json
ok "... two objects, the newest first" test "$(jq -c -s '[.[] | .graph, .exit_code]' "$dir/out")" = '["undo",11,"hold",13]'
"$upkeep" resolve --quiet "$("$upkeep" history hold --json | jq -r '.[0].run')" --why "seen"; : >"$dir/order"
begin undo; crash
ok "recover --quiet" code 11 "$upkeep" recover --quiet
ok "... a block" has out "undo: run 2"
ok "... what was killed" has out "task b unknown"
ok "... the next command" has out "next: upkeep "
ok "... and no more" test ! -s "$dir/err"
ok "recover of no run" code 64 "$upkeep" recover 19
ok "recover with a state directory that is not there" code 0 "$upkeep" recover --state-dir "$dir/none"
rm "$UPKEEP_SITE"
ok "recover without a site" code 0 "$upkeep" recover
echo "1..$n"
