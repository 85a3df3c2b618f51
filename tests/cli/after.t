#!/bin/bash
# SPDX-License-Identifier: MIT
# After a run: killed ones, what to type next, refusals as JSON, logs of copies and silent tasks.
. "${0%/*}/tap.sh"
site <<<'plugins = { files = { }; };'
odd=$'\xff'; mkdir "$dir/data"; echo >"$dir/data/$odd.log"; touch -d '9 days ago' "$dir/data/$odd.log"
graphs <<END
long = { tasks = {
  first = { action = "core.exec"; argv = [ "/bin/echo", "one" ]; changes = "none"; };
  talk = { action = "core.exec"; after = [ "first" ]; argv = [ "/bin/sh", "-c", "touch '$dir/going'; exec sleep 300" ]; changes = "none"; };
  never = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; after = [ "talk" ]; }; }; };
fail = { overlap = "fail"; tasks = {
  hold = { action = "core.exec"; argv = [ "/bin/sh", "-c", "touch '$dir/going'; sleep 300" ]; changes = "none"; }; }; };
bad = { tasks = { broken = { action = "core.exec"; argv = [ "/bin/false" ]; changes = "none"; }; }; };
copies = { tasks = { e = { action = "core.exec"; argv = [ "/bin/echo", "\${each}" ]; each = [ "red", "blue" ]; changes = "none"; };
  ever = { action = "core.exec"; argv = [ "/bin/echo", "green" ]; changes = "none"; }; }; };
odd = { tasks = {
  old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d"; after = [ "size" ]; };
  say = { action = "core.exec"; argv = [ "/bin/printf", "a\\\\377\\\\nb" ]; capture = "text"; changes = "none"; };
  size = { action = "files.usage"; paths = [ "$dir/data" ]; };
  fail = { action = "core.exec"; argv = [ "$dir/$odd" ]; changes = "none"; after = [ "old", "say", "size" ]; }; }; };
silent = { tasks = { mute = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; }; }; };
END
begin() { rm -f "$dir/going"; "$upkeep" run "$@" >"$dir/run" 2>&1 & run=$!; until_true test -e "$dir/going"; }
engine() { cat /proc/$run/task/$run/children; }
# killed both: nobody is left who could write how it ended
begin --quiet long
# the row of a run that changes nothing is committed a moment later
noted() { "$upkeep" history | grep -q long; }
until_true noted
worker=$(pgrep -P "$(engine | tr -d ' ')" | head -n 1)
# shellcheck disable=SC2046
die $run $(engine) $worker
ok "history after a kill" code 0 "$upkeep" history --json
ok "... interrupted" json '.[0].state == "interrupted" and (.[0].cause | startswith("it was killed"))'
id=$(jq -r '.[0].run' "$dir/out")
ok "list" code 0 "$upkeep" list --json
ok "... interrupted" json '.[] | select(.graph == "long").last.state == "interrupted"'
ok "show" code 0 "$upkeep" show last
ok "... interrupted" has out "of long: interrupted"
ok "... what to type next" has out "next: upkeep recover $id"
ok "show --json" code 0 "$upkeep" show last --json
ok "... what ran is not known" json '[.tasks[].state] == ["succeeded", "unknown"]'
ok "log -f ends" code 0 timeout 20 "$upkeep" log -f last
ok "cancel is usage" code 64 "$upkeep" cancel last
ok "what show says works" code 10 "$upkeep" recover "$id"
begin --json long
kill -KILL "$(engine | tr -d ' ')"; wait $run
ok "the engine alone is killed: internal error" test $? = 70
cp "$dir/run" "$dir/err"; sed -n '/^{/,/^}/p' "$dir/run" >"$dir/out"
ok "... JSON all the same" json '.state == "interrupted" and .exit_code == 70'
ok "... what to type next" has err "next: upkeep show $(jq -r '.next | split(" ")[2]' "$dir/out")"

# what to type next works when it is pasted
ok "a failure" code 10 "$upkeep" run --quiet bad
ok "... without options, as nothing was given" has out "next: upkeep log 2"
id=$("$upkeep" history --json | jq -r '.[0].run')
ok "... show says the same" code 0 "$upkeep" show last
ok "... " has out "next: upkeep log $id broken"
ok "... --json" code 0 "$upkeep" show last --json
ok "... " json ".next == \"upkeep log $id broken\""
ok "... history: show comes first" code 0 "$upkeep" history --json
ok "... " json ".[0].next == \"upkeep show $id\""
unset UPKEEP_SITE
mkdir "$dir/it's here"
cp "$dir/upkeep.conf" "$dir/it's here/a site.conf"
given=(--site "$dir/it's here/a site.conf" --state-dir "$dir/other")
pasted() { local next; next=$(sed -n 's/^next: //p' "$dir/$1"); next=${next#upkeep}
	eval "\"\$upkeep\"$next" >"$dir/pasted" 2>&1 || { echo "# upkeep$next"; cat "$dir/pasted"; return 1; }; }
ok "a failure of another site" code 10 "$upkeep" run --quiet bad "${given[@]}"
ok "... next works" pasted out
ok "... for people" code 10 "$upkeep" run bad "${given[@]}"
ok "... next works" pasted out
ok "show names them" code 0 "$upkeep" show last --state-dir "$dir/state" --json
ok "a run that is not there" code 64 "$upkeep" show 19 "${given[@]}"
ok "... next works" pasted err
ok "... is history" has pasted "failed clean"
export UPKEEP_SITE=$dir/upkeep.conf

# no run came about
begin --quiet long
ok "run --json of a graph that runs" code 0 "$upkeep" run --json long
ok "... skipped" json '.state == "skipped" and .exit_code == 0 and .graph == "long" and .next == "upkeep locks" and (.tasks | length) == 3'
ok "run --json --quiet" code 0 "$upkeep" run --json --quiet long
ok "... the same" json '.state == "skipped"'
kill $run; wait $run
begin --quiet fail
ok "overlap = fail" code 75 "$upkeep" run --json fail
ok "... busy" json '.state == "busy" and .exit_code == 75 and (.message | test("is held by run"))'
kill $run; wait $run

# logs
"$upkeep" run --quiet copies
ok "log of a task with each" code 0 "$upkeep" log last e
ok "... one copy" has out "red"
ok "... and the other" has out "blue"
ok "... not of other tasks" hasnt out "green"
ok "... one copy alone" test "$("$upkeep" log last 'e[1]')" = blue
"$upkeep" run --quiet silent
ok "log of a silent task" code 0 "$upkeep" log last mute
ok "... says so" has err 'task "mute" of run'
ok "... and prints nothing" test ! -s "$dir/out"
ok "log of a silent run" code 0 "$upkeep" log last
ok "... says so" has err "wrote anything"
# what is not UTF-8
ok "a message that is not UTF-8" code 11 "$upkeep" run --json odd
ok "... in JSON" json '(.cause | contains("\\xff")) and (.tasks[] | select(.task == "fail").message | contains("\\xff"))'
ok "... show" code 0 "$upkeep" show last
ok "... of it" has out "of odd: rolled back"
ok "... --json" code 0 "$upkeep" show last --json
ok "... the cause" json '.cause | contains("\\xff")'
ok "... the tasks" json '[.tasks[].task] == ["old", "say", "size", "fail"] and (.tasks[3].message | contains("\\xff"))'
ok "... the undo records" json '.undo_records[0].about | contains("/data/\\xff.log")'
ok "... the outputs" json '.outputs | any(.value == "a\\xff\nb")'
ok "... the tables" json '[.tables[][] | .. | strings | select(contains("\\xff"))] | length > 0'
ok "history --json" code 0 "$upkeep" history --json
ok "... has it" json '.[0].cause | contains("\\xff")'
ok "log of no task" code 64 "$upkeep" log last mut
ok "... where to look" has err "see upkeep show 2"
echo "1..$n"
