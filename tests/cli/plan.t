#!/bin/bash
# SPDX-License-Identifier: MIT
# What `upkeep plan` says, with the plugins files and system.
. "${0%/*}/tap.sh"
site <<<'plugins = { files = { }; system = { }; }; jobs = 2;'
mkdir "$dir/data"
echo old >"$dir/data/a.log"; touch -d '9 days ago' "$dir/data/a.log"
graphs <<END
still = { tasks = { look = { action = "files.usage"; paths = [ "$dir/data" ]; };
  health = { action = "system.health"; }; }; };
tidy = { tasks = { old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d"; }; }; };
late = { tasks = {
  find = { action = "core.exec"; argv = [ "/bin/echo", "$dir/data/a.log" ]; capture = "text"; changes = "none"; };
  say = { action = "core.exec"; argv = [ "/bin/echo", "found", "\${find.stdout}" ]; };
  drop = { action = "files.expire"; paths = [ "\${find.stdout}" ]; older_than = "7d"; };
  maybe = { action = "core.exec"; argv = [ "/bin/true" ]; when = "\${find.exit} == 0"; }; }; };
slow = { tasks = {
  a = { action = "core.exec"; argv = [ "/bin/sleep", "0.4" ]; changes = "none"; };
  b = { action = "core.exec"; argv = [ "/bin/sleep", "0.4" ]; changes = "none"; after = [ "a" ]; };
  c = { action = "core.exec"; argv = [ "/bin/sleep", "0.4" ]; changes = "none"; }; }; };
both = { params = { at = { type = "path"; default = "/srv"; }; }; tasks = {
  clean = { action = "core.exec"; argv = [ "/bin/true", "clean" ]; after = "go";
    rollback = { action = "core.exec"; argv = [ "/bin/true", "again" ]; }; };
  go = { action = "core.exec"; argv = [ "/bin/true", "go" ]; after = "say"; pivot = true; };
  say = { action = "core.exec"; argv = [ "/bin/true", "say" ]; after = [ "make", "look" ]; };
  look = { action = "core.exec"; argv = [ "/bin/true", "look" ]; changes = "none"; };
  make = { action = "core.exec"; argv = [ "/bin/true", "make" ];
    rollback = { action = "core.exec"; argv = [ "/bin/rm", "\${param.at}/\${run.id}" ]; timeout = "1m"; }; };
  tell = { action = "core.exec"; argv = [ "/bin/true", "tell" ]; run_if = "done"; }; }; };
halt = { on_failure = "stop"; tasks = {
  old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d";
    rollback = { action = "files.expire"; paths = [ "/x" ]; older_than = "9d"; }; };
  name = { action = "core.exec"; argv = [ "/bin/true" ]; stdout = "$dir/out"; }; }; };
done = { tasks = { look = { action = "files.expire"; paths = [ "/nowhere/*.log" ]; older_than = "7d"; pivot = true; }; }; };
END
ok "nothing to change" code 0 "$upkeep" plan still
ok "... says so" has out "nothing would change"
ok "a file to remove" code 2 "$upkeep" plan tidy
ok "... the plugin's own words" has out "remove $dir/data/a.log"
ok "... and how it is undone" has out "undo: move it back"
ok "... if it fails" has out "undo, if it fails:"
ok "... nothing was done" test -e "$dir/data/a.log"
ok "... no run in the journal" test ! -e "$dir/state/journal.db"
ok "... --json" code 2 "$upkeep" plan tidy --json
ok "... the same words" json '.exit_code == 2 and (.tasks[0].would[0].do | startswith("remove ")) and (.tasks[0].would[0].undo != null)'
ok "... --quiet" code 2 "$upkeep" plan tidy --quiet
ok "... is quiet" test ! -s "$dir/out"
ok "arguments that are not there yet" code 2 "$upkeep" plan late
ok "... of a program" has out "run /bin/echo found (known after find)"
ok "... of a plugin" has out '"paths" is known after find'
ok "... which undoes it by itself" has out "        undo: by files.expire"
ok "... a condition is shown" has out 'maybe, where ${find.exit} == 0'
ok "... --json" code 2 "$upkeep" plan late --json
ok "... names the task" json '[.tasks[] | select(.task == "drop").would[].known_after] == ["find"]'
ok "what changes nothing" code 0 "$upkeep" plan slow
ok "... says so" has out "        changes nothing"
ok "... not that it could not be undone" hasnt out "cannot be undone"
ok "... and at the end" has out "nothing would change"
ok "what changes something" code 2 "$upkeep" plan late
ok "... cannot be undone" has out "        cannot be undone"
"$upkeep" plan slow >"$dir/out"
ok "no forecast without a memory" hasnt out "expected to take"
ok "a run is remembered" code 0 "$upkeep" run --quiet slow
ok "then there is a forecast" code 0 "$upkeep" plan slow --json --skip c
ok "... along the longest path" json '.expected_ms >= 800 and .work_ms >= 800'
"$upkeep" plan slow --json >"$dir/out"
ok "... beside all the work" json '.work_ms >= 1200 and .expected_ms >= 800 and .expected_ms < .work_ms and .never_ran == 0'
"$upkeep" plan slow >"$dir/out"
ok "... for people" has out "expected to take"
ok "the doing and the undoing" code 2 "$upkeep" plan both
ok "... beside each other, in order of the run, then the undo" diff "$dir/out" - <<'END'
look
    run /bin/true look
        changes nothing
make
    run /bin/true make
        undo: rollback: core.exec /bin/rm /srv/${run.id}
say
    run /bin/true say
        cannot be undone
go (point of no return: once done, it and what it comes after stay)
    run /bin/true go
        cannot be undone
clean
    run /bin/true clean
        undo: rollback: core.exec /bin/true again
tell
    run /bin/true tell
        is not undone: it runs when all is decided
undo, if it fails before the point of no return:
    go: run /bin/true go: stays
    say: run /bin/true say: stays
    make: rollback: core.exec /bin/rm /srv/${run.id}
undo, if it fails after the point of no return:
    clean: rollback: core.exec /bin/true again
END
ok "... --json" code 2 "$upkeep" plan both --json
ok "... the order of the run" json '[.tasks[].task] == ["look", "make", "say", "go", "clean", "tell"]'
ok "... the point of no return" json '[.tasks[] | select(.pivot).task] == ["go"]'
ok "... what cannot be undone" json '[.tasks[] | select(.would[0].irreversible).task] == ["say", "go", "tell"]'
ok "... the undo" json '[.undo[] | [.task, .do, .undo]] == [["go", "run /bin/true go", null],
	["say", "run /bin/true say", null], ["make", null, "rollback: core.exec /bin/rm /srv/${run.id}"]]'
ok "... the undo once it is passed" json '[.undo_past_pivot[] | [.task, .undo]] == [["clean", "rollback: core.exec /bin/true again"]]'
ok "without undo at a failure" code 2 "$upkeep" plan halt
ok "... says so" has out 'left as it is if it fails (on_failure = "stop"); the undo:'
ok "... the rollback in place of the action's own" has out '    old: rollback: files.expire paths = [ "/x" ], older_than = "9d"'
ok "... not both" hasnt out "move it back"
ok "... --json" code 2 "$upkeep" plan halt --json
ok "... says so, too" json '.on_failure == "stop"'
ok "a point of no return where nothing would change" code 0 "$upkeep" plan "done"
ok "... is not told of" hasnt out "point of no return"
ok "... nor is an undo" hasnt out "undo"
"$upkeep" plan tidy --json >/dev/null; rm "$dir/data/a.log"
ok "nothing left to change" code 0 "$upkeep" plan tidy
echo "1..$n"
