#!/bin/bash
# SPDX-License-Identifier: MIT
# What show, log and history say of the way back; the text copies of undo records.
. "${0%/*}/tap.sh"
site <<<'plugins = { files = { }; };'
mkdir "$dir/data"
echo old >"$dir/data/a.log"; touch -d '9 days ago' "$dir/data/a.log"
graphs <<END
tidy = { tasks = { old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d"; };
  say = { action = "core.exec"; argv = [ "/bin/echo", "said" ]; changes = "none"; after = [ "old" ]; }; }; };
END
sql() { sqlite3 "$dir/state/journal.db" "$1"; }
ok "a run with something to undo" code 0 "$upkeep" run tidy
ok "... its file is gone" test ! -e "$dir/data/a.log"
id=$("$upkeep" history --json | jq -r '.[0].run')
# the copies
copy=$(echo "$dir/state/runs/$id"/undo/*.txt)
ok "each record lies as text" test -s "$copy"
ok "... named as it is in the journal" test "$(basename "$copy")" = "$(sql 'SELECT number FROM undo_records').txt"
whole() { [ "checksum $(head -n -1 "$1" | cksum)" = "$(tail -n 1 "$1")" ]; }
ok "... whole" whole "$copy"
sed 's/^kind .*/kind other/' "$copy" >"$dir/changed"
ok "... a changed one is not" eval '! whole "$dir/changed"'
ok "... of which run" grep -qx "run $id" "$copy"
ok "... of which task" grep -qx 'task old' "$copy"
ok "... its payload" eval '[ "$(sql "SELECT payload FROM undo_records")" = "$(sed "1,/^payload /d; /^checksum /,\$d" "$copy")" ]'

ok "show" code 0 "$upkeep" show "$id"
ok "... its record" has out "$(sql 'SELECT about FROM undo_records')"
ok "... the change was made" has out "  made "
ok "... no try" hasnt out "undo of"
ok "show --json" code 0 "$upkeep" show "$id" --json
ok "... the record" json '.undo_records | length == 1 and .[0].task == "old" and .[0].state == "made" and .[0].record == 1'
ok "... no try, nothing gone" json '.undo_tries == [] and .undo_gone == null'

# two tries, as a rollback writes them
sql "UPDATE tasks SET undo=3 WHERE task=0; UPDATE runs SET state=4;
	UPDATE undo_records SET state=3;
	INSERT INTO undoings VALUES(1,0,1,4,1000,3500,1,6,'the disk was away','mount it, then upkeep rollback RUN','runs/$id/0.undo.1.log');
	INSERT INTO undoings VALUES(1,0,2,3,4000,4250,-1,5,NULL,NULL,'runs/$id/0.undo.2.log');"
echo first >"$dir/state/runs/$id/0.undo.1.log"; echo next >"$dir/state/runs/$id/0.undo.2.log"
ok "show after a rollback" code 0 "$upkeep" show "$id"
ok "... the run" has out "rolled back"
ok "... the task" grep -Eq '^old +succeeded +undone ' "$dir/out"
ok "... one without an undo" grep -Eq '^say +succeeded +- ' "$dir/out"
ok "... the record" has out "put back"
ok "... the first try" grep -Eq '^old +1 +undo failed +2.5 s +6 B +the disk was away$' "$dir/out"
ok "... the second" grep -Eq '^old +2 +undone +0.2 s +5 B' "$dir/out"
ok "... what to do" has out "undo of old, next: mount it, then upkeep rollback $id"
ok "... --json" code 0 "$upkeep" show "$id" --json
ok "... the tries" json '[.undo_tries[] | [.task, .try, .state, .duration_ms, .exit_code]] == [["old",1,"undo failed",2500,1],["old",2,"undone",250,-1]]'
ok "... message, next, log" json ".undo_tries[0] | .message == \"the disk was away\" and .next == \"mount it, then upkeep rollback $id\" and .log == \"runs/$id/0.undo.1.log\""
ok "... the task" json '.tasks[0].undo == "undone" and .tasks[1].undo == "nothing to undo"'
ok "history" code 0 "$upkeep" history
ok "... says the state" has out "rolled back"
ok "log of the task" code 0 "$upkeep" log "$id" old
printf '==> undo of old, try 1 <==\nfirst\n==> undo of old, try 2 <==\nnext\n' >"$dir/expected"
ok "... the tries after the attempt, headed" eval 'sed -n "/==>/,\$p" "$dir/out" | diff - "$dir/expected"'
ok "log of another task" code 0 "$upkeep" log "$id" say
ok "... has no undo" test "$(cat "$dir/out")" = said
ok "log of all" code 0 "$upkeep" log "$id"
ok "... has it" has out "==> undo of old, try 2 <=="
ok "log --json" code 0 "$upkeep" log "$id" old --json
ok "... tells them apart" json '[.[] | [.attempt, .undo_try]] == [[1,null],[null,1],[null,2]] and .[2].text == "next\n"'

# a rollback that was killed
sql "UPDATE tasks SET undo=2 WHERE task=0; UPDATE runs SET state=3, ended_ms=0, exit_code=-1;
	UPDATE undoings SET state=2, ended_ms=0 WHERE number=2"
ok "show of a rollback that was killed" code 0 "$upkeep" show "$id" --json
ok "... nothing goes on" json '.state == "interrupted" and .tasks[0].undo == "to undo" and .undo_tries[1].state == "interrupted"'
ok "history of it" code 0 "$upkeep" history --json
ok "... too" json '.[0].state == "interrupted"'

# undo files that are given up
sql "UPDATE runs SET state=1, ended_ms=started_ms+1, exit_code=0"
echo 'undo_space = "4KiB";' >>"$UPKEEP_SITE"
ok "what takes too much room" code 0 "$upkeep" run tidy
ok "... is given up" test ! -e "$dir/state/runs/$id/undo"
ok "... show says so" code 0 "$upkeep" show "$id"
ok "... why" has out "it cannot be undone: its undo files are gone: undo_space (4 KiB) was needed by newer runs"
ok "... --json" code 0 "$upkeep" show "$id" --json
ok "... why" json '.undo_gone | startswith("its undo files are gone")'
ok "rollback of it" code 12 "$upkeep" rollback "$id"
ok "... says why not" has out "nothing was put back: its undo files are gone: undo_space (4 KiB)"
ok "... and what can be done" has out "next: put it back by hand: upkeep show "
ok "... which --force is not" hasnt out "--force"
ok "... its file is where it was" test ! -e "$dir/data/a.log"
ok "... its state too" test "$(sql "SELECT state FROM runs WHERE id='$id'")" = 1
ok "... it stands in nobody's way" code 0 "$upkeep" run tidy
echo "1..$n"
