#!/bin/bash
# SPDX-License-Identifier: MIT
# drill: forward, back, and the probes' answers before and after.
. "${0%/*}/tap.sh"
built=$UPKEEP_PLUGIN_DIR
export UPKEEP_PLUGIN_DIR=$dir/plugins
mkdir "$UPKEEP_PLUGIN_DIR" "$dir/data"
cp "$built/files.so" "$top_builddir/tests/cli/.libs/odd.so" "$UPKEEP_PLUGIN_DIR"
site <<<'plugins = { files = { }; odd = { }; };'
make="action = \"core.exec\"; argv = [ \"/usr/bin/touch\", \"$dir/data/made\" ]"
take="rollback = { action = \"core.exec\"; argv = [ \"/bin/rm\", \"-f\", \"$dir/data/made\" ]; }"
stick="rollback = { action = \"core.exec\"; argv = [ \"/bin/false\" ]; retry = { attempts = 1; }; }"
fail="action = \"core.exec\"; argv = [ \"/bin/sh\", \"-c\", \"echo the reason; exit 3\" ]; changes = \"none\""
graphs <<END
tidy = { tasks = {
  old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d"; };
  make = { $make; after = [ "old" ]; $take; };
  find = { action = "core.exec"; argv = [ "/bin/echo", "$dir/data/a.log" ]; capture = "text"; changes = "none"; };
  late = { action = "files.expire"; paths = [ "\${find.stdout}" ]; older_than = "90d"; }; }; };
forgets = { tasks = {
  good = { action = "odd.write"; file = "$dir/good"; };
  bad = { action = "odd.write"; file = "$dir/bad"; forgets = true; after = [ "good" ]; }; }; };
stuck = { tasks = { make = { $make; $stick; }; }; };
fails = { tasks = { w = { action = "odd.write"; file = "$dir/good"; }; f = { $fail; after = [ "w" ]; }; }; };
fails-bad = { tasks = { w = { action = "odd.write"; file = "$dir/bad"; forgets = true; }; f = { $fail; after = [ "w" ]; }; }; };
clean = { tasks = { f = { $fail; }; }; };
partial = { on_failure = "stop"; tasks = { w = { action = "odd.write"; file = "$dir/good"; }; f = { $fail; after = [ "w" ]; }; }; };
waits = { tasks = { w = { action = "odd.write"; file = "$dir/good"; confirm_within = "1s"; }; }; };
never = { tasks = {
  once = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo >>$dir/once" ]; };
  point = { $make; $take; pivot = true; after = [ "once" ]; };
  look = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; };
  tell = { action = "core.exec"; argv = [ "/bin/true" ]; run_if = "done"; after = [ "once" ]; }; }; };
wrote = { tasks = { w = { action = "odd.write"; file = "$dir/good"; }; }; };
half = { on_interrupt = "resume"; tasks = { w = { action = "odd.write"; file = "$dir/good"; };
  l = { action = "core.exec"; argv = [ "/bin/sh", "-c", "touch $dir/going; until test -e $dir/go; do sleep 0.05; done" ]; changes = "none"; after = [ "w" ]; }; }; };
one = { overlap = "skip"; tasks = { w = { action = "core.exec"; argv = [ "/bin/sh", "-c", "touch $dir/going; exec sleep 60" ]; changes = "none"; }; }; };
END
echo old >"$dir/data/a.log"; touch -d '9 days ago' "$dir/data/a.log"
last() { "$upkeep" history --json | jq -e "$1" >/dev/null; }

ok "all is put back" code 0 "$upkeep" drill tidy
ok "... it ran" has out "succeeded old"
ok "... it was undone" has out "undone    old"
ok "... and compared" eval 'grep -Eq "^old +not done +not done +yes$" "$dir/out"'
ok "... but for what has no probe" has out "cannot be compared: it has no probe"
ok "... or arguments of which nothing is known" has out "cannot be compared: its arguments are known after find"
ok "... verdict" has out "drill succeeded: everything was put back, and 1 task as before"
ok "... the file is there" test "$(cat "$dir/data/a.log")" = old
ok "... what was made is not" test ! -e "$dir/data/made"
ok "... one run, rolled back" last 'length == 1 and .[0].state == "rolled back"'
ok "--quiet" code 0 "$upkeep" drill --quiet tidy
ok "... is quiet" test ! -s "$dir/out" -a ! -s "$dir/err"
ok "--json" code 0 "$upkeep" drill --json tidy
ok "... is one object" json '.state == "as before" and .exit_code == 0 and .forward.state == "succeeded" and .back.state == "rolled back"'
ok "... with the answers" json '.tasks[0] == {task: "old", before: "not done", after: "not done", same: true, why: null} and .tasks[1].same == null'
ok "selection" code 0 "$upkeep" drill --json --only old tidy
ok "... what is left out is not asked" json '.tasks[1].why == "it would not run"'

ok "an undo that forgets" code 12 "$upkeep" drill forgets
ok "... is found" eval 'grep -Eq "^bad +not done +done +no$" "$dir/out"'
ok "... and named" has out "bad is not as it was before"
ok "... not the other" hasnt out "good is not as"
ok "... what to type" has out "next: upkeep show 2"
rm "$dir/bad"
ok "... --json" code 12 "$upkeep" drill --json forgets
ok "... says so" json '.state == "not as before" and [.tasks[].same] == [true, false] and .back.state == "rolled back"'
rm "$dir/bad"
ok "... --quiet" code 12 "$upkeep" drill --quiet forgets
ok "... says it, too" has out "bad is not as it was before"
rm "$dir/bad"

ok "an undo that fails" code 13 "$upkeep" drill stuck
ok "... verdict" has out "drill failed: the site is not as it was before"
ok "... the graph does not run again" code 14 "$upkeep" drill --json stuck
ok "... which is said" has err "is not settled"
"$upkeep" resolve last --why "by hand" >/dev/null; rm -f "$dir/data/made"
ok "... --quiet" code 13 "$upkeep" drill --quiet stuck
ok "... shows what failed" has out "left: make (its undo failed)"
"$upkeep" resolve last --why "by hand" >/dev/null; rm -f "$dir/data/made"

ok "it fails forward" code 11 "$upkeep" drill fails
ok "... once" hasnt out "drill: back"
ok "... verdict" has out "drill failed: everything was put back, and 1 task as before"
ok "... --json" code 11 "$upkeep" drill --json fails
ok "... back is what it did itself" json '.state == "failed, as before" and .back == null and .forward.state == "rolled back"'
ok "... --quiet" code 11 "$upkeep" drill --quiet fails
ok "... says why" has out "the reason"
ok "it fails forward, and its undo forgets" code 12 "$upkeep" drill fails-bad
ok "... is found" has out "w is not as it was before"
rm "$dir/bad"
ok "it fails and changed nothing" code 10 "$upkeep" drill clean
ok "... verdict" has out "nothing could be compared"
ok "what a failure left is put back" code 11 "$upkeep" drill --json partial
ok "... by the drill" json '.forward.state == "failed partial" and .back.state == "rolled back" and .tasks[0].same'
ok "... it is gone" test ! -e "$dir/good"
ok "nobody confirms it" code 15 "$upkeep" drill waits
ok "... verdict" has out "drill failed: everything was put back, and 1 task as before"
ok "... --json" code 15 "$upkeep" drill --json waits
ok "... says so" json '.state == "failed, as before" and .back == null and .tasks[0].same'

runs=$("$upkeep" history --json -n 100 | jq length)
ok "what cannot be undone" code 64 "$upkeep" drill never
ok "... is named" has err "once: cannot be undone"
ok "... the point of no return" has err "point: the point of no return"
ok "... what runs in the end" has err "tell: run_if: it is never undone"
ok "... not what changes nothing" hasnt err "look:"
ok "... nothing ran" test "$("$upkeep" history --json -n 100 | jq length)" = "$runs" -a ! -e "$dir/once"
ok "... --json" code 64 "$upkeep" drill --json never
ok "... names them" json '.state == "refused" and [.irreversible[].task] == ["once", "point", "tell"]'
ok "without them" code 0 "$upkeep" drill never --skip once --skip point --skip tell
ok "--force" code 12 "$upkeep" drill --force never
ok "... runs them" test -e "$dir/once"

"$upkeep" run one >/dev/null 2>&1 & run=$!
until_true test -e "$dir/going"
ok "a graph that runs already" code 75 "$upkeep" drill one
kill $run; wait $run
rm "$dir/going"; "$upkeep" drill --json one >"$dir/run" & run=$!
until_true test -e "$dir/going"; kill -TERM $run
wait $run; code=$?; cp "$dir/run" "$dir/out"
ok "interrupted" test $code = 10
ok "... says so" json '.forward.state == "failed clean" and .forward.tasks[0].state == "cancelled"'

# killed: what a drill did is put back, whatever its graph says of interruptions
begin() { rm -f "$dir/going" "$dir/go"; "$upkeep" drill half >"$dir/run" 2>&1 & run=$!; until_true test -e "$dir/going"; }
# killed: with the engine, which is another on the way back; for a moment there is none
killed() { local child; while kill -STOP $run; child=$(pgrep -P $run | head -n 1); [ -z "$child" ]; do kill -CONT $run; sleep 0.05; done
	die $run "$child"; touch "$dir/go"; }
begin; killed
ok "killed on its way forward" test -e "$dir/good"
ok "... recover puts it back" code 11 "$upkeep" recover
ok "... all of it" test ! -e "$dir/good"
begin; touch "$dir/good.hold" "$dir/go"
until_true last '.[0].ended_ms > 0'; killed; rm "$dir/good.hold"
ok "killed before its way back" test -e "$dir/good"
ok "... the run is interrupted" last '.[0].state == "interrupted"'
ok "... the next run puts it back" code 10 "$upkeep" run clean
ok "... which it says" has err "of half was interrupted: recovering it"
ok "... all of it" test ! -e "$dir/good"
ok "... the run is rolled back" last '.[1].state == "rolled back"'
begin; rm -f "$dir/good.asked"; touch "$dir/good.hold" "$dir/go"
until_true test -e "$dir/good.asked"; engine=$(pgrep -P $run | head -n 1); kill -KILL $run; wait $run
until_true gone "$engine"; rm "$dir/good.hold"
ok "the keeper alone is killed on the way back" last '.[0].state == "interrupted"'
ok "... recover puts it back" code 11 "$upkeep" recover
ok "... all of it" test ! -e "$dir/good"

# a question that is not answered
"$upkeep" run --quiet wrote; rm -f "$dir/good.asked"; touch "$dir/good.hold"
"$upkeep" rollback last >"$dir/run" 2>&1 & run=$!
until_true test -e "$dir/good.asked"; kill -TERM $run; wait $run; got=$?
ok "a signal ends a rollback that asks" test $got = 12
ok "... nothing was done" test -e "$dir/good"
ok "... the run is as it was" last '.[0].state == "succeeded" and .[0].exit_code == 0'
rm "$dir/good.hold"
ok "... and can be put back" code 0 "$upkeep" rollback last
"$upkeep" run --quiet wrote; rm -f "$dir/good.asked"; touch "$dir/good.hold"
LD_PRELOAD=$(cd "$top_builddir" && pwd)/tests/fault/.libs/clock.so CLOCK_JUMP=$dir/later \
	ASAN_OPTIONS=verify_asan_link_order=0 "$upkeep" rollback last >"$dir/out" 2>"$dir/err" & run=$!
until_true test -e "$dir/good.asked"; touch "$dir/later"; wait $run; got=$?
ok "five minutes without an answer are one" test $got = 12
ok "... which is said" has out "could not be found out: w: remove it: not done within 300.000 s"
ok "... nothing was done" test -e "$dir/good"
rm "$dir/good.hold"
ok "... and can be put back" code 0 "$upkeep" rollback last
echo "1..$n"
