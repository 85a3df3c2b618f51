#!/bin/bash
# SPDX-License-Identifier: MIT
# The table of docs/interruption.md, each cell a run: how it ends, by on_interrupt, with and
# without run_if tasks.
. "${0%/*}/tap.sh"
. "${0%/*}/undone.sh"
site <<<''
graph() { printf '%s = { on_interrupt = "%s"; tasks = { %s %s %s }; };\n' "$1" "$2" "$(said a)" \
	"$(t b "$say b; $waits; test ! -e $dir/fail" "$(undo "$say -b") after = [ \"a\" ];")" "${3-}"; }
tell=$(t tell "$say '\${run.verdict}'" 'run_if = "done"; changes = "none";')
graphs <<END
$(graph undo undo)
$(graph resume resume)
$(graph hold hold)
$(graph undo-tell undo "$tell")
$(graph resume-tell resume "$tell")
$(graph hold-tell hold "$tell")
END
ok "the graphs are right" code 0 "$upkeep" check

failed() { rm -f "$dir/fail"; touch "$dir/fail"; begin "$1"; touch "$dir/go"; wait "$run"; local ended=$?; rm "$dir/fail"; return $ended; }
cancelled() { begin "$1"; kill -TERM "$run"; wait "$run"; }
killed() { begin "$1"; crash; touch "$dir/go"; "$upkeep" recover >"$dir/run" 2>&1; }
# All of it is dead, and whoever holds its lock lived before the boot.
rebooted() { begin "$1"; crash; touch "$dir/go"
	other_boot
	"$upkeep" recover >"$dir/run" 2>&1; }

# cell HOW GRAPH CODE STATE SAID
cell() {
	local ended
	$1 "$2"; ended=$?
	ok "$1, $2: ends with $3" test $ended = "$3"
	ok "... $4" run_is .state "$4"
	ok "... so" order "$5"
}
for how in failed cancelled; do
	for on in undo resume hold; do
		cell $how $on 11 "rolled back" "a b -b -a"
		cell $how ${on}-tell 11 "rolled back" "a b -b -a rolled back"
	done
done
for how in killed rebooted; do
	cell $how undo 11 "rolled back" "a b -b -a"
	cell $how undo-tell 11 "rolled back" "a b -b -a rolled back"
	cell $how resume 0 succeeded "a b -b b"
	cell $how resume-tell 0 succeeded "a b -b b succeeded"
	cell $how hold 13 interrupted "a b"
	ok "... until a person says" code 0 "$upkeep" rollback last
	ok "... to put it back" order "-b -a"
	cell $how hold-tell 13 interrupted "a b"
	ok "... or" code 0 "$upkeep" resume last
	ok "... to go on" order "-b b succeeded"
done

# After power loss the last commits may be missing: a program of which nothing is known may have run.
if command -v sqlite3 >/dev/null; then
	lost() { begin "$1"; crash; touch "$dir/go"; rm -f "$dir"/state/runs/*/tail
		sqlite3 "$dir/state/journal.db" "DELETE FROM tasks WHERE attempt=1 AND name='b'"
		[ "$2" = killed ] || other_boot
		"$upkeep" recover >"$dir/run" 2>&1; }
	lost undo killed; ok "what the journal does not know has not run" order "a b -a"
	lost hold rebooted; ok "... is not forgotten where it is held first" code 0 "$upkeep" rollback last
	ok "... so" order "a b -b -a"
	lost undo rebooted; ok "... but after a reboot it may have, and is undone" order "a b -b -a"
fi
echo "1..$n"
