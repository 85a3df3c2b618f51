#!/bin/bash
# SPDX-License-Identifier: MIT
# Commands beside a run that lives; what stays of runs that are over.
. "${0%/*}/tap.sh"
site <<<'undo_keep = "1ms"; jobs = 2;'
graphs <<END
long = { tasks = {
  talk = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo one; while [ ! -e $dir/go ]; do sleep 0.05; done; echo two" ]; changes = "none"; };
  after = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; after = [ "talk" ]; }; }; };
short = { tasks = { a = { action = "core.exec"; argv = [ "/bin/echo", "x" ]; changes = "none"; }; }; };
END
says() { "$upkeep" log last talk 2>/dev/null | grep -q "$1"; }
"$upkeep" run --quiet long & run=$!
ok "log of a run that lives" until_true says one
"$upkeep" log -f last talk >"$dir/follow" & follow=$!
ok "history beside it" code 0 "$upkeep" history --json
ok "... it runs" json '.[0].state == "running" and .[0].exit_code == -1'
ok "show beside it" code 0 "$upkeep" show last --json
ok "... which task" json '[.tasks[] | select(.task == "talk").state] == ["running"]'
ok "show for people" code 0 "$upkeep" show last
ok "... says running" has out "running"
ok "a second run of it is skipped" code 0 "$upkeep" run long
touch "$dir/go"
wait $run; ok "the run succeeds" test $? = 0
wait $follow; ok "log -f ends with it" test $? = 0
ok "... and saw all" test "$(tr '\n' ' ' <"$dir/follow")" = "one two "
ok "... show agrees" code 0 "$upkeep" show last --json
ok "... succeeded" json '.state == "succeeded" and .exit_code == 0'
rm "$dir/go"
"$upkeep" run long >"$dir/cancelled" 2>&1 & run=$!
started() { "$upkeep" history --json | jq -e '.[0].state == "running"' >/dev/null && says one; }
ok "another" until_true started
ok "cancel" code 0 "$upkeep" cancel last
wait $run; ok "the run ends with 10" test $? = 10
ok "... its task was cancelled" code 0 "$upkeep" show last --json
ok "... says so" json '[.tasks[] | select(.task == "talk").state] == ["cancelled"]'
ok "cancel once more is usage" code 64 "$upkeep" cancel last
# count WANT COMMAND...: so many lines
count() { local got; got=$("${@:2}" | wc -l); [ "$got" = "$1" ] || { echo "# $got, not $1"; return 1; }; }
shorts() { "$upkeep" history --limit 1000 --json short | jq -c '.[] | [.run, .state, .ended_ms]'; }
for ((i = 0; i < 102; i++)); do "$upkeep" run --quiet short || echo "# run $i: $?"; done
ok "old runs leave, the last 100 of a graph and the run itself stay" count 101 shorts
ok "... those of other graphs too" test "$("$upkeep" history --json long | jq length)" = 2
ok "... with their files" count 103 ls "$dir/state/runs"
sed -i 's/1ms/1h/' "$UPKEEP_SITE"
"$upkeep" run --quiet short
ok "what can still be undone stays" count 102 shorts
# schedules: what list says of them
graphs <<END
daily = { schedule = "daily"; tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; }; }; };
past = { schedule = "2020-01-01 10:00"; tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; }; }; };
fixed = { schedule = "*-*-1,15 04:00 UTC"; tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; }; }; };
never = { tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; }; }; };
END
ok "list" code 0 "$upkeep" list
ok "... the next time" test "$(awk '$1 == "daily" { print $3, $4 }' "$dir/out")" = "$(date -d tomorrow +%F) 00:00:00"
ok "... which systemd calls the same" eval '! command -v systemd-analyze >/dev/null || systemd-analyze calendar --iterations=1 daily | grep -q "$(date -d tomorrow +%F) 00:00:00"'
ok "list --json" code 0 "$upkeep" list --json
ok "... in the future" json "(.[] | select(.graph == \"fixed\").next_ms) / 1000 | . > now and . < now + 32 * 86400 and (. % 86400) == 4 * 3600"
ok "... never again" json '.[] | select(.graph == "past").next_ms == 0'
ok "... without a schedule" json '.[] | select(.graph == "never") | .schedule == null and .next_ms == 0'
# the live view: what is drawn on a terminal
graphs <<END
show = { tasks = { one = { action = "core.exec"; argv = [ "/bin/sleep", "0.6" ]; changes = "none"; };
  two = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; after = [ "one" ]; }; }; };
END
drawn() { script -qec "stty cols $1 rows 24; $upkeep run show ${*:2}" "$dir/typescript" </dev/null >/dev/null; cp "$dir/typescript" "$dir/out"; }
drawn 80
ok "live view" has out "0 of 2 done, 1 running"
ok "... its task" has out "  one  0."
ok "... is drawn again" test "$(grep -c '1 running' "$dir/out")" -ge 3
ok "... erases what it drew" has out $'\e[1A\e[2K'
ok "... in colors" has out $'\e[32msucceeded'
ok "... and ends with the verdict" test "$(grep -c "succeeded in" "$dir/out")" = 1
ok "... no line of the view is left" test "$(awk '/succeeded in/ { seen = 1 } seen && /running/' "$dir/out" | wc -l)" = 0
drawn 12
ok "... fits a narrow terminal" hasnt out "0 of 2 done,"
drawn 80 --color never
ok "--color never" hasnt out $'\e[32m'
NO_COLOR=1 drawn 80
ok "NO_COLOR" hasnt out $'\e[32m'
drawn 80 --quiet
ok "--quiet draws nothing" hasnt out "running"
"$upkeep" run show >"$dir/out"
ok "elsewhere plain lines" hasnt out $'\e'
"$upkeep" run show --color always >"$dir/out"
ok "--color always" has out $'\e[32m'
echo "1..$n"
