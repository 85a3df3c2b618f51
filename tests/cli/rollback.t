#!/bin/bash
# SPDX-License-Identifier: MIT
# What a failed run puts back by itself, and what upkeep rollback and resolve do later.
. "${0%/*}/tap.sh"
. "${0%/*}/undone.sh"
plugins=$dir/plugins; mkdir -m 755 "$plugins"; cp "$UPKEEP_PLUGIN_DIR"/*.so "$plugins"; chmod 755 "$plugins"/*
export UPKEEP_PLUGIN_DIR=$plugins
site <<<'plugins = { files = { }; }; locks = [ "db" ];'
fill() { rm -rf "$dir/from" "$dir/to"; mkdir "$dir/from" "$dir/to"; echo 1 >"$dir/from/1"; echo 2 >"$dir/from/2"; echo 3 >"$dir/from/3"; }
in_place() { [ "$(cat "$dir"/from/* 2>/dev/null | tr -d '\n')" = 123 ] && [ -z "$(ls "$dir/to")" ] ||
	{ ls -R "$dir/from" "$dir/to" | sed 's/^/# /'; return 1; }; }
moved() { [ -z "$(ls "$dir/from")" ] && [ "$(cat "$dir"/to/* | tr -d '\n')" = 123 ]; }
archive="action = \"files.archive\"; paths = [ \"$dir/from/*\" ]; to = \"$dir/to\";"
graphs <<END
own = { tasks = { store = { $archive }; $(bad 'after = [ "store" ];') }; };
fine = { tasks = { store = { $archive }; }; };
both = { tasks = { store = { $archive $(undo "$say -store") }; $(bad 'after = [ "store" ];') }; };
order = { tasks = { $(said a) $(said b 'after = [ "a" ];') $(said c 'after = [ "a" ];')
	$(said d 'after = [ "b", "c" ];') $(bad 'after = [ "d" ];') }; };
through = { tasks = { $(said a) $(t m true 'changes = "none"; after = [ "a" ];') $(said b 'after = [ "m" ];') $(bad 'after = [ "b" ];') }; };
half = { tasks = { $(t a "$say one; $say two; exit 1" "$(undo "$say -two; $say -one")") }; };
again = { tasks = { $(t a "$say a; exit 75" "$(undo "$say -a") retry = { attempts = 3; delay = \"1ms\"; };") }; };
given = { tasks = {
	w = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo v=1 >&3; echo v=2 >&3; test -e $dir/twice && exit; touch $dir/twice; echo x=1 >&3; exit 75" ];
	  outputs = ( { name = "v"; type = "string"; }, { name = "x"; type = "string"; } ); changes = "none"; retry = { attempts = 2; delay = "1ms"; }; };
	u = { action = "core.exec"; argv = [ "$say", "\${w.v}" ]; rollback = { action = "core.exec"; argv = [ "$say", "-\${w.v}" ]; }; }; }; };
pivot = { tasks = { $(said a) $(said p 'pivot = true; after = [ "a" ];') $(said c 'after = [ "p" ];') $(bad 'after = [ "c" ];') }; };
early = { tasks = { $(said a) $(t p "exit 1" "$(undo "$say -p") pivot = true; after = [ \"a\" ];") }; };
stop = { on_failure = "stop"; tasks = { $(said a) $(bad 'after = [ "a" ];') $(said c 'after = [ "bad" ];') }; };
continue = { on_failure = "continue"; tasks = { $(said a) $(bad) $(said c 'after = [ "a" ];') }; };
finish = { running = "finish"; tasks = {
	$(t bad "until test -e $dir/going; do sleep 0.05; done; exit 1" 'changes = "none";')
	$(t slow "touch $dir/going; sleep 0.5; $say slow" "$(undo "$say -slow")") }; };
cancel = { tasks = {
	$(t bad "until test -e $dir/going; do sleep 0.05; done; exit 1" 'changes = "none";')
	$(t slow "$say slow; touch $dir/going; exec sleep 60" "$(undo "$say -slow")") }; };
tries = { tasks = { $(t a "$say a" "$(undo "$say -a; test \$(grep -c -- -a $dir/order) = 3" 'retry = { attempts = 3; delay = "1ms"; };')") $(bad 'after = [ "a" ];') }; };
fails = { tasks = { $(t a "$say a" "$(undo "$say -a; exit 1")") $(bad 'after = [ "a" ];') }; };
once = { tasks = { $(t a "$say a" "$(undo "$say -a; exit 1" 'retry = { attempts = 1; };')") $(bad 'after = [ "a" ];') }; };
slow = { tasks = { $(t a "$say a" "$(undo "sleep 60" 'timeout = "200ms"; retry = { attempts = 1; };')") $(bad 'after = [ "a" ];') }; };
held = { tasks = { $(said a 'lock = "db";') $(t b "$say b" "$(undo "test -e $dir/mended && $say -b" 'retry = { attempts = 1; };') after = [ \"a\" ];")
	$(said c 'after = [ "b" ];') $(said x) $(bad 'after = [ "c", "x" ];') }; };
locked = { tasks = { $(said l 'lock = "db";') }; };
tell = { tasks = { $(said a) $(bad 'after = [ "a" ];')
	$(t tell "$say '\${run.verdict}'" 'run_if = "failure"; changes = "none";')
	$(t always "$say always" 'run_if = "done"; after = [ "tell" ]; changes = "none";') }; };
outputs = { params = { word = { type = "string"; default = "word"; }; }; tasks = {
	$(t a "echo n=7 >&3; $say a" "changes = \"none\"; outputs = ( { name = \"n\"; type = \"int\"; } );")
	$(t b "$say b" "after = [ \"a\" ]; $(undo "$say -\${param.word}\${a.n}\${graph.name}")") $(bad 'after = [ "b" ];') }; };
untouched = { tasks = { $(t a true 'changes = "none";') $(bad 'after = [ "a" ];') }; };
unknown = { tasks = { $(t a true) $(said b 'after = [ "a" ];') $(bad 'after = [ "b" ];') }; };
END
ok "the graphs are right" code 0 "$upkeep" check

# by itself
fill
ok "a failed run is put back: the action's own undo" code 11 "$upkeep" run own
ok "... the files are where they were" in_place
ok "... told" has out "rolling back"
ok "... and of each task" has out "undone    store"
ok "... the state of the run" run_is .state "rolled back"
ok "... of the task" task store '"\(.state) \(.undo)"' "succeeded undone"
ok "a rollback in place of the action's undo" code 11 "$upkeep" run both
ok "... it ran" order "-store"
ok "... it alone" moved
fill
ok "reverse order" code 11 "$upkeep" run order
ok "... what came last goes first" before -d -b
ok "... of both" before -d -c
ok "... the first last" before -b -a
ok "... behind both" before -c -a
ok "... each once" test "$(sort "$dir/order" | uniq -d)" = ""
: >"$dir/order"
ok "... also through what has nothing to undo" code 11 "$upkeep" run through
ok "... so" order "a b -b -a"
ok "the failing task is undone, too" code 11 "$upkeep" run half
ok "... so" order "one two -two -one"
ok "undo between attempts" code 11 "$upkeep" run again
ok "... before each" order "a -a a -a a -a"
ok "the state after it" run_is .state "rolled back"
ok "after a pivot" code 12 "$upkeep" run pivot
ok "... what comes before it stays, what comes after goes" order "a p c -c"
ok "... listed" has out "left: a (can be undone, and was not)"
ok "... the pivot itself" has out "left: p (can be undone, and was not)"
ok "... nothing else" hasnt out "left: c"
ok "... the state" run_is .state "failed partial"
ok "a pivot that failed is none" code 11 "$upkeep" run early
ok "... all goes" order "a -p -a"
ok "on_failure = stop" code 12 "$upkeep" run stop
ok "... nothing is undone" order "a"
ok "... listed" has out "left: a (can be undone, and was not)"
ok "on_failure = continue" code 12 "$upkeep" run continue
ok "... nothing is undone, the rest runs" order "a c"
rm -f "$dir/going"
ok "running = finish" code 11 "$upkeep" run finish --jobs 2
ok "... then it is undone" order "slow -slow"
rm -f "$dir/going"
ok "running = cancel" code 11 "$upkeep" run cancel --jobs 2
ok "... half of it is undone" order "slow -slow"
ok "... it was cancelled" task slow '"\(.state) \(.undo)"' "cancelled undone"
ok "a rollback with retry" code 11 "$upkeep" run tries
ok "... until it works" order "a -a -a -a"
ok "... told" has out "undone    a  try 3"
ok "params, run.* and outputs in a rollback" code 11 "$upkeep" run outputs --param word=w
ok "... their values" order "a b -w7outputs"
ok "nothing was changed" code 10 "$upkeep" run untouched
ok "what cannot be undone" code 12 "$upkeep" run unknown
ok "... the rest is" order "b -b"
ok "... listed" has out "left: a (cannot be undone)"
ok "run_if tasks" code 11 "$upkeep" run tell
ok "... after it, with the verdict" order "a -a rolled back always"

# undo that fails
ok "a rollback that fails is tried again" code 13 "$upkeep" run fails
ok "... three times, unless it says how often" order "a -a -a -a"
"$upkeep" resolve --quiet last --why "the test"
ok "a rollback that fails" code 13 "$upkeep" run once
ok "... once" order "a -a"
ok "... listed, with why" has out "left: a (its undo failed): /bin/sh ended with exit code 1"
ok "... and what to type" has out "next: upkeep show 2"
ok "... the state" run_is .state "rollback failed"
ok "... of its undo" task a .undo "undo failed"
id=$("$upkeep" show last --json | jq -r .run)
ok "... what show says to type" run_is .next "upkeep rollback $id to try the undo again (after a change of settings with --settings current), or put it right by hand and then upkeep resolve $id --why \"...\""
ok "the graph does not run again" code 14 "$upkeep" run once
ok "... says which run" has err 'of graph "once" is not settled (rollback failed)'
ok "... and what to type" has err "upkeep resolve"
ok "... nothing ran" order ""
ok "... others do" code 0 "$upkeep" run fine
ok "resolve without a reason" code 64 "$upkeep" resolve last
once=$("$upkeep" history once --json | jq -r '.[0].run')
ok "resolve" code 0 "$upkeep" resolve "$once" --why "took it back by hand"
ok "... says so" has out "run $once counts as settled"
ok "... twice" code 64 "$upkeep" resolve "$once" --why "again"
ok "... kept" code 0 "$upkeep" show "$once"
ok "... with why" has out "took it back by hand"
ok "... the graph runs again" code 13 "$upkeep" run once
ok "resolve as JSON" code 0 "$upkeep" resolve last --why "again" --json
ok "... one object" json '.resolved == true'
: >"$dir/order"
ok "a rollback's time limit" code 13 "$upkeep" run slow
ok "... is said" has out "not done within 0.200 s"
"$upkeep" resolve --quiet last --why "the test"
: >"$dir/order"
ok "what the failed one depended on is held" code 13 "$upkeep" run held
ok "... other branches go on" before x -x
ok "... and what came after it" before c -c
ok "... listed" has out "left: a (held: its undo was not tried)"
ok "... with the failed one" has out "left: b (its undo failed)"
ok "... and no more" hasnt out "left: c"
ok "... the lock of a run that is not settled" code 14 "$upkeep" run locked
ok "... is named" has err 'it owns the lock "db"'
: >"$dir/order"
held=$("$upkeep" history held --json | jq -r '.[0].run')
ok "rollback that fails again" code 13 "$upkeep" rollback "$held"
ok "... nothing was undone" order ""
touch "$dir/mended"
ok "rollback completes it" code 0 "$upkeep" rollback "$held"
ok "... the rest alone" order "-b -a"
ok "... says so" has out "rolled back in"
ok "... the lock is free" code 0 "$upkeep" run locked
ok "... the graph runs again" code 11 "$upkeep" run held
ok "rollback of what is rolled back" code 64 "$upkeep" rollback last
ok "... says so" has err "cannot be rolled back: it is rolled back"

: >"$dir/order"
ok "an output that is given twice, and by two attempts" code 0 "$upkeep" run given
ok "... is the last" order 2
ok "... which the journal has alone" test "$("$upkeep" show last --json | jq -c '[.outputs[] | [.name, .value]]')" = '[["v","2"]]'
ok "... and the undo" code 0 "$upkeep" rollback last
ok "... so" order -2

# hours later
fill
ok "a run that succeeds" code 0 "$upkeep" run fine
ok "... has moved them" moved
ok "rollback afterwards" code 0 "$upkeep" rollback last
ok "... they are back" in_place
ok "... the state" run_is .state "rolled back"
"$upkeep" run --quiet fine; mv "$dir/to/2" "$dir/from/2"
ok "rollback of what has been changed since" code 12 "$upkeep" rollback last
ok "... says so" has out "what this run left has been changed since"
ok "... and of what" has out "$dir/to/2"
ok "... what to type" has out "--force"
ok "... nothing is back" test ! -e "$dir/from/1"
ok "... it has still succeeded" run_is .state succeeded
ok "... --quiet: a block" code 12 "$upkeep" rollback last --quiet
ok "... with what has been changed" grep -q "changed since: .*$dir/to/2" "$dir/out"
ok "... with the next command" has out "next: "
ok "... --force" code 0 "$upkeep" rollback last --force
ok "... all are back" in_place
ok "... and nothing is left to type" run_is .next null
"$upkeep" run --quiet fine
ok "rollback --json" code 0 "$upkeep" rollback last --json
ok "... one object" json '.state == "rolled back" and .exit_code == 0 and .tasks[0].undo == "undone"'
"$upkeep" run --quiet fine
ok "rollback --quiet" code 0 "$upkeep" rollback last --quiet
ok "... nothing" test ! -s "$dir/out" -a ! -s "$dir/err"
ok "rollback of no run" code 64 "$upkeep" rollback 19
ok "rollback of no settings" code 64 "$upkeep" rollback last --settings old

# without its plugin, without its configuration
fill
"$upkeep" run --quiet fine
mv "$plugins/files.so" "$dir/files.so"
ok "rollback without the plugin" code 13 "$upkeep" rollback last
ok "... says which" has out 'the plugin "files" is not here'
ok "... shows the record" has out "its record"
ok "... held" task store .undo held
ok "... what to do" has out "left: store (held"
ok "... the files wait" moved
mv "$dir/files.so" "$plugins/files.so"
ok "... works when it is back" code 0 "$upkeep" rollback last
ok "... so" in_place
"$upkeep" run --quiet fine
printf 'plugins = { files = { trash_keep = ' >"$UPKEEP_SITE"
ok "rollback with a site that cannot be read" code 0 "$upkeep" rollback last
ok "... so" in_place
ok "run is refused" code 78 "$upkeep" run fine
site <<<'plugins = { files = { }; }; locks = [ "db" ];'
"$upkeep" run --quiet fine
rm "$UPKEEP_SITE"
ok "rollback --settings current without a site" code 78 "$upkeep" rollback last --settings current
ok "... nothing happened" moved
site <<<'plugins = { files = { trash_keep = "1d"; }; };'
ok "... with one" code 0 "$upkeep" rollback last --settings current
ok "... so" in_place

# other users
if [ "$(id -u)" = 0 ] && id nobody >/dev/null 2>&1; then
	graphs <<-END
	user = { tasks = { $(t a "id -un >>$dir/order" "$(undo "id -un >>$dir/order") run_as = \"nobody\";") $(bad 'after = [ "a" ];') }; };
	END
	: >"$dir/order"
	ok "the undo of a task with run_as" code 11 "$upkeep" run user
	ok "... is the same user's" order "nobody nobody"
fi
echo "1..$n"
