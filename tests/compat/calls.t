#!/bin/bash
# SPDX-License-Identifier: MIT
# What a call's own arguments decide: whether it is allowed, planned, and can be undone.
. "${0%/*}/../cli/tap.sh"
site <<<'plugins = { files = { }; }; jobs = 1;'
mkdir "$dir/data"
make_old() { echo old >"$dir/data/a.log"; touch -d '9 days ago' "$dir/data/a.log"; }
graphs <<END
free = { tasks = { old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; }; }; };
late = { tasks = {
  find = { action = "core.exec"; argv = [ "/bin/echo", "a.log" ]; capture = "text"; changes = "none"; };
  old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d"; protect = [ "\${find.stdout}" ]; }; }; };
drop = { params = { space = { type = "string"; default = "later"; }; }; on_failure = "stop"; tasks = {
  old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d"; space = "\${param.space}"; };
  fail = { action = "core.exec"; argv = [ "/bin/false" ]; changes = "none"; after = [ "old" ]; }; }; };
gone = { on_failure = "stop"; tasks = {
  old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d"; space = "now"; };
  fail = { action = "core.exec"; argv = [ "/bin/false" ]; changes = "none"; after = [ "old" ]; }; }; };
END
undo_is() { "$upkeep" show "$("$upkeep" history --json | jq -r '.[0].run')" --json >"$dir/out" &&
	json ".tasks[0].task == \"old\" and .tasks[0].undo == \"$1\""; }

make_old
ok "a check that fails ends the plan" code 10 "$upkeep" plan free
ok "... with its words" has out 'neither `older_than` nor `max_total` is given'
ok "... and the run" code 10 "$upkeep" run free
ok "... before anything is touched" test -e "$dir/data/a.log"
ok "an optional argument that is not known yet" code 2 "$upkeep" plan late
ok "... is said" has out '"protect" is known after find'
ok "... and nothing is planned as if it were not given" hasnt out "remove $dir"
ok "what can be undone" code 12 "$upkeep" run drop
ok "... is to be undone" undo_is "to undo"
make_old
ok "what cannot" code 12 "$upkeep" run gone
ok "... is irreversible" undo_is irreversible
make_old
ok "the same by a parameter" code 12 "$upkeep" run drop --param space=now
ok "... is irreversible too" undo_is irreversible
make_old
ok "the plan" code 2 "$upkeep" plan gone
ok "... says it" has out "cannot be undone"
ok "the manual" code 0 "$upkeep" doc files.expire
ok "... says it" has out "default later, anything else cannot be undone"
ok "no record was written for it" test "$(find "$dir/state/runs" -path '*/undo/*.txt' | wc -l)" = 1
echo "1..$n"
