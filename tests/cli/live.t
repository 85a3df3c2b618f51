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
for ((i = 0; i < 102; i++)); do "$upkeep" run --quiet short || echo "# run $i: $?"; done
ok "old runs leave, the last 100 of a graph and the run itself stay" \
	test "$("$upkeep" history --limit 1000 --json short | jq length)" = 101
ok "... those of other graphs too" test "$("$upkeep" history --json long | jq length)" = 2
ok "... with their files" test "$(find "$dir/state/runs" -mindepth 1 -maxdepth 1 | wc -l)" = 103
sed -i 's/1ms/1h/' "$UPKEEP_SITE"
"$upkeep" run --quiet short
ok "what can still be undone stays" test "$("$upkeep" history --limit 1000 --json short | jq length)" = 102
echo "1..$n"
