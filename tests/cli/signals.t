#!/bin/bash
# SPDX-License-Identifier: MIT
# Signals: what they do to a run, and that nothing of it is alive after any of them.
. "${0%/*}/tap.sh"
. "${0%/*}/undone.sh"
work=$dir
. "${0%/*}/../bench/brood.sh"
site <<<''
deaf="trap : TERM INT HUP; touch $dir/going; while :; do sleep 0.1; done"
graphs <<END
plain = { tasks = { $(said a) $(t b "$say b; touch $dir/going; exec sleep 300" "$(undo "$say -b") after = [ \"a\" ];") }; };
deaf = { tasks = { $(said a) $(t b "$say b; $deaf" "$(undo "$say -b") after = [ \"a\" ]; kill_after = \"300s\";") }; };
slow = { tasks = { $(said a) $(t b "$say b; touch $dir/going; exec sleep 300" \
	"$(undo "$say -b; touch $dir/undoing; until test -e $dir/go; do sleep 0.05; done; $say -b.") after = [ \"a\" ];") }; };
hup = { tasks = { $(t a "$waits; $say a" "$(undo "$say -a")") }; };
brood = { tasks = { all = { action = "core.exec"; kill_after = "300ms"; argv = [ "$brood", "$mark", "$dir/there" ]; $(undo "$say -brood") }; }; };
END
ok "the graphs are right" code 0 "$upkeep" check
# go GRAPH: in the background as from a terminal, until it says "going"
go() { rm -f "$dir/going" "$dir/go" "$dir/undoing"
	env --default-signal=INT,QUIT,HUP,TERM "$upkeep" run "$1" >"$dir/run" 2>&1 & run=$!
	until_true test -e "$dir/going"; }
ended() { wait "$run"; local got=$?; [ $got = "$1" ] || { echo "# ended with $got"; sed 's/^/# /' "$dir/run"; return 1; }; }

for signal in INT TERM HUP; do
	go plain; kill -$signal "$run"
	ok "SIG$signal: cancelled and put back" ended 11
	ok "... so" order "a b -b -a"
	ok "... cancelled" task b .state cancelled
done
go plain; id=$("$upkeep" history --json | jq -r '.[0].run')
ok "upkeep cancel" code 0 "$upkeep" cancel "$id"
ok "... the same" ended 11
ok "... so" order "a b -b -a"

go deaf; kill -TERM "$run"; sleep 0.5
ok "a task that ignores SIGTERM has its kill_after" kill -0 "$run"
kill -TERM "$run"
ok "the second signal kills it at once" ended 11
ok "... the undo goes on" order "a b -b -a"
go deaf; kill -TERM "$run"; kill -TERM "$run"; sleep 0.5
ok "two at once are one" kill -0 "$run"
kill -TERM "$run"; wait "$run"; : >"$dir/order"

go slow; kill -TERM "$run"; until_true test -e "$dir/undoing"
ok "upkeep cancel while it rolls back" code 0 "$upkeep" cancel "$("$upkeep" history --json | jq -r '.[0].run')"
sleep 0.3; touch "$dir/go"
ok "... the undo goes on" ended 11
ok "... to its end" order "a b -b -b. -a"
go slow; kill -TERM "$run"; until_true test -e "$dir/undoing"
sleep 0.3; kill -TERM "$run"; sleep 0.3; kill -TERM "$run"
ok "three within 5 s stop the undo" ended 13
ok "... what did not end is held" task b .undo held
ok "... and what it needed" task a .undo held
ok "... so" order "a b -b"
ok "... said" grep -q "^left: a (held" "$dir/run"
ok "... what to type" grep -q "upkeep rollback 2" "$dir/run"
ok "... the graph waits for it" code 14 "$upkeep" run slow
touch "$dir/go"
ok "... upkeep rollback completes it" code 0 "$upkeep" rollback last
ok "... so" order "-b -b. -a"

rm -f "$dir/going" "$dir/go"
env --ignore-signal=INT "$upkeep" run hup >"$dir/run" 2>&1 </dev/null & run=$!
until_true test -e "$dir/going"; kill -INT "$run" "$(engine)"; sleep 0.3; touch "$dir/go"
ok "SIGINT that was ignored is nothing" ended 0
: >"$dir/order"; rm "$dir/going" "$dir/go"
nohup "$upkeep" run hup >"$dir/run" 2>&1 </dev/null & run=$!
until_true test -e "$dir/going"; kill -HUP "$run"; sleep 0.3; touch "$dir/go"
ok "nohup: SIGHUP is nothing" ended 0
ok "... so" order a

# children that sleep, fork twice, make a session, stop themselves, ignore SIGTERM
brood_ends() { kill "-$1" "$runner"; [ "$(count_alive)" = 0 ] ||
	{ echo "# alive:"; pgrep -af "$mark" | sed 's/^/# /'; end_brood; return 1; }; end_brood; }
over() { "$upkeep" history --json | jq -e '.[0].state == "rolled back"' >/dev/null; }
for signal in KILL TERM INT HUP; do
	start_brood "$upkeep" run brood
	ok "SIG$signal: there are ten" test "$(alive)" -ge 10
	ok "... none is alive" brood_ends $signal
	until_true over
	ok "... it is undone" order -brood
done
start_brood "$upkeep" run brood
die "$runner" "$(pgrep -P "$runner" | head -n 1)"
ok "keeper and engine are killed: put back by the next command" code 11 "$upkeep" recover
ok "... none is alive" test "$(alive)" = 0
end_brood
ok "... it is undone" order -brood
echo "1..$n"
