#!/bin/bash
# SPDX-License-Identifier: MIT
# confirm_within through the real command: what is confirmed stays, all else is put back once.
. "${0%/*}/tap.sh"
. "${0%/*}/guard.sh"
(umask 077; echo "a-long-secret" >"$dir/pw"; echo "other-secret" >"$dir/pw2")
asks="printf %s \$S >$dir/told"
site <<END
plugins = { setter = { }; };
END
graphs <<END
brief = { tasks = { a = { $(sets new) confirm_within = "1s"; }; }; };
long = { tasks = { a = { $(sets new) confirm_within = "60s"; };
	next = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo next >$dir/next" ]; changes = "none"; after = [ "a" ]; }; }; };
slow = { tasks = { a = { $(sets new "sleep 77.31") confirm_within = "60s"; }; }; };
fails = { tasks = { a = { $(sets new "exit 3") confirm_within = "60s"; }; }; };
lasts = { tasks = { a = { $(sets new "while :; do echo still >$real; sleep 0.02; done") confirm_within = "1s"; }; }; };
plugin = { tasks = { a = { $(setter new) confirm_within = "1s"; }; }; };
held = { tasks = { a = { $(setter new) confirm_within = "60s"; }; }; };
twice = { tasks = { a = { $(setter new) again = "1ms"; confirm_within = "1s"; }; }; };
two = { tasks = { a = { $(sets first) confirm_within = "60s"; };
	b = { $(sets second) after = [ "a" ]; confirm_within = "1s"; }; }; };
both = { tasks = { a = { $(sets first) confirm_within = "60s"; };
	b = { action = "core.exec"; argv = [ "/bin/true" ]; rollback = { action = "core.exec"; argv = [ "/bin/true" ]; }; confirm_within = "60s"; }; }; };
refers = { params = { word = { type = "string"; default = "param"; }; }; tasks = {
	first = { action = "core.exec"; capture = "text"; changes = "none"; argv = [ "/bin/echo", "-n", "output" ]; };
	a = { action = "core.exec"; after = [ "first" ]; argv = [ "/bin/sh", "-c", "echo new >$real" ]; confirm_within = "1s";
		rollback = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo \$0 \$1 \$2 >$real", "\${first.stdout}", "\${param.word}", "\${run.id}" ]; }; }; }; };
secret = { tasks = { a = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo new >$real; rm $dir/pw" ]; env = { S = "secret:file:$dir/pw"; };
	confirm_within = "1s"; rollback = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo old >$real; $asks" ]; }; }; }; };
login = { tasks = { a = { $(setter new) password = "file:$dir/pw2"; last = "2s"; confirm_within = "1s"; }; }; };
nosecret = { tasks = { a = { $(sets new) env = { S = "secret:file:$dir/none"; }; confirm_within = "1s"; }; }; };
broken = { tasks = {
	spoil = { action = "core.exec"; argv = [ "/bin/cp", "$dir/g.conf", "$dir/plugins/setter.so" ]; changes = "none"; };
	a = { $(setter new) after = [ "spoil" ]; confirm_within = "1s"; }; }; };
again = { tasks = { a = { action = "core.exec"; retry = { attempts = 2; delay = "1ms"; }; transient = [ 75 ]; confirm_within = "60s";
	argv = [ "/bin/sh", "-c", "echo new >$real; test -e $dir/tried || { touch $dir/tried; exit 75; }" ];
	rollback = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo old >$real; echo x >>$undone" ]; }; }; }; };
beside = { running = "finish"; tasks = { a = { $(setter new) confirm_within = "2s"; };
	wait = { action = "core.exec"; argv = [ "/bin/sleep", "0.5" ]; changes = "none"; };
	b = { action = "setter.set"; after = [ "wait" ]; file = "$dir/beside"; text = "new"; last = "4s"; rollback = { action = "core.exec"; argv = [ "/bin/true" ]; }; }; }; };
stuck = { tasks = { a = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo new >$real" ]; confirm_within = "1s";
	rollback = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo cannot; exit 1" ]; }; }; }; };
END
ok "the graphs are right" code 0 "$upkeep" check

run brief
ok "what nobody confirms" ends 15
ok "... is put back" is old
ok "... once" times 1
ok "... by the guard, which says so in its file" guard_is 4
ok "... and is told" grep -q "waiting   a  is put back in .* unless you type: upkeep confirm" "$dir/run.out"
ok "... with the reason" grep -q "it was not confirmed within 1.000 s" "$dir/run.out"
ok "... in the journal" state "rolled back"
ok "... of the task" task a undone undo
ok "a confirmation that comes too late" code 15 "$upkeep" confirm last
ok "... is refused" has err "its time is over"
ok "... says what to type" has err "next: upkeep show $id"
ok "... and changes nothing" guard_is 4

run long; waits
ok "while it waits the run says so" until_true state "awaiting confirmation"
ok "... in history" sh -c "'$upkeep' history | grep -q 'awaiting confirmation'"
ok "... as JSON" sh -c "'$upkeep' history --json | jq -e '.[0].state == \"awaiting confirmation\"' >/dev/null"
ok "... in show" sh -c "'$upkeep' show last | grep -q 'awaiting confirmation'"
ok "... and what to type" sh -c "'$upkeep' show last | grep -q '^next: upkeep confirm $id '"
ok "what comes after it waits" test ! -e "$dir/next"
"$upkeep" log -f last >"$dir/followed" 2>&1 & follows=$!
sleep 0.5
ok "log -f goes on" kill -0 $follows
ok "a guard leads a session of its own" test "$(ps -o sid= "$guard" | tr -d ' ')" = "$guard"
ok "... has no terminal" test "$(ps -o tty= "$guard" | tr -d ' ')" = "?"
# Its standard ones, the run's directory, its file, what it waits with.
descriptors() { readlink "/proc/$guard/fd/"* | sed "s|$dir|DIR|; s/:\[[0-9]*\]//; s|DIR/state/runs/$id|RUN|" | LC_ALL=C sort | paste -sd' '; }
ok "... and nothing else open" test "$(descriptors)" = "/dev/null /dev/null /dev/null RUN RUN/guard.0 anon_inode:[eventpoll] anon_inode:[signalfd]"
if sh -c 'echo -900 >/proc/self/oom_score_adj' 2>/dev/null; then
	ok "... and goes last when memory is short" test "$(cat "/proc/$guard/oom_score_adj")" = -900
fi
ok "it can be confirmed" code 0 "$upkeep" confirm last
ok "... which stays" ends 0
ok "... as it is" is new
ok "... nothing was undone" times 0
ok "... and the rest runs" test -e "$dir/next"
ok "... log -f ends" until_true gone $follows
ok "... the guard has gone" until_true gone "$guard"
ok "... the run succeeded" state succeeded
ok "confirmed once more it is still" code 0 "$upkeep" confirm last
ok "what was confirmed can be rolled back later" code 0 "$upkeep" rollback last
ok "... and is" is old
ok "... once" times 1

run long; waits
ok "a whole run id is confirmed without the journal" mv "$dir/state/journal.db" "$dir/state/moved"
ok "..." code 0 "$upkeep" confirm "$id"
ok "... as JSON" sh -c "'$upkeep' confirm $id --json | jq -e '.confirmed' >/dev/null"
mv "$dir/state/moved" "$dir/state/journal.db"
ok "... and stays" ends 0
ok "... as it is" is new

run long; waits
ok "a cancel while it waits" code 0 "$upkeep" cancel last
ok "... ends the run" ends 11
ok "... puts it back" is old
ok "... once" times 1
ok "... the engine, which has disarmed the guard" guard_is 6
ok "... it is no question of confirming any more" code 64 "$upkeep" confirm last

run slow; until_true armed; until_true is new >/dev/null
ok "a task that still runs" code 75 "$upkeep" confirm last
ok "... cannot be confirmed yet" has err "its task is not done"
ok "... but soon" has err "next: upkeep confirm $id, once it waits"
"$upkeep" cancel last
ok "... but cancelled" ends 11
ok "... and is put back" is old

run fails
ok "a guarded task that fails" ends 11
ok "... is put back" is old
ok "... once, by the engine" times 1
ok "... which has disarmed the guard" guard_is 6

run lasts
ok "a task that still runs when its time is over" ends 15
sleep 0.2
ok "... is killed first, then put back" is old
ok "... once" times 1
ok "... it did run" guard_is 4

run two; waits 0
ok "two guarded tasks, one after the other: the first waits" test "$(cat "$real")" = first
"$upkeep" confirm last
ok "... is confirmed, the second is not" ends 15
ok "... each is put back" times 2
ok "... the first's file says confirmed" guard_is 2 0
ok "... the second's undone" guard_is 4 1

run both; waits 0; until_true waiting 1
ok "two that wait at once" code 0 "$upkeep" confirm last
ok "... are both confirmed" ends 0

run plugin
ok "a plugin's action" ends 15
ok "... is put back by its record" is old
ok "... in the journal too" test "$(sqlite3 "$dir/state/journal.db" "SELECT count(*) FROM undo_records WHERE state != 3 AND run = (SELECT max(run) FROM undo_records)")" = 0
run twice
ok "two records" ends 15
ok "... are put back, the newest first" is old
run held; waits; "$upkeep" confirm last
ok "a plugin's action, confirmed" ends 0
ok "... rolled back later" code 0 "$upkeep" rollback last
ok "... is back" is old

run refers
ok "a rollback that refers to outputs and parameters" ends 15
ok "... has them" is "output param $id"
run secret
ok "a rollback with a secret, whose file is removed by the task" ends 15
ok "... is put back" is old
ok "... had the secret" test "$(cat "$dir/told")" = a-long-secret
run login; until_true is new >/dev/null; rm "$dir/pw2"
ok "an undo that asks for a secret, whose file has gone" ends 15
ok "... has it" is old

run nosecret
ok "what the undo needs and is not there" ends 10
ok "... is told before anything was changed" grep -q "so nothing was changed: secret \"file:$dir/none\"" "$dir/run.out"
ok "..." is old
cp "$dir/plugins/setter.so" "$dir/good.so"
run broken
ok "a plugin that the guard cannot load" ends 10
ok "... is told" grep -q "so nothing was changed: its plugin cannot be loaded: " "$dir/run.out"
ok "... before anything was changed" is old
cp "$dir/good.so" "$dir/plugins/setter.so"

run again; waits
ok "a second attempt has a guard of its own" code 0 "$upkeep" confirm last
ok "... and is confirmed" ends 0
ok "... the first attempt was put back before" times 1
echo old >"$dir/beside"; run beside
ok "an action beside one that nobody confirms" ends 15
ok "... has a worker of its own, which the guard leaves alone" grep -q "^succeeded b" "$dir/run.out"
run stuck
ok "an undo that the guard cannot do" ends 13
ok "... is told" state "rollback failed"
ok "... the guard's file" guard_is 5
ok "... with what it said" sh -c "'$upkeep' log last a | grep -q cannot"
echo old >"$real"
script -qec "stty cols 90 rows 24; $upkeep run brief" "$dir/typescript" </dev/null >/dev/null; cp "$dir/typescript" "$dir/out"
ok "the live view" has out "  a  waits for its confirmation, "
echo "1..$n"
