#!/bin/bash
# SPDX-License-Identifier: MIT
# confirm_within when all else has died, hangs or lies: the task is put back all the same.
. "${0%/*}/tap.sh"
. "${0%/*}/guard.sh"
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
site <<END
plugins = { setter = { }; };
END
printf '#!/bin/sh\nsleep 3; echo secret\n' >"$dir/slowly"; chmod 700 "$dir/slowly"
graphs <<END
unarmed = { tasks = { a = { $(setter new) password = "command:$dir/slowly"; confirm_within = "300s"; };
	awake = { action = "core.exec"; argv = [ "/bin/sh", "-c", "until test -e $dir/later; do sleep 0.1; echo awake; done; sleep 1; echo awake" ]; changes = "none"; }; }; };
brief = { tasks = { a = { $(sets new) confirm_within = "2s"; }; }; };
long = { tasks = { a = { $(sets new) confirm_within = "300s"; }; }; };
lasts = { tasks = { a = { $(sets new "while :; do echo still >$real; sleep 0.02; done") confirm_within = "2s"; }; }; };
record = { tasks = { a = { $(setter new) confirm_within = "2s"; }; }; };
second = { tasks = { a = { $(setter new) again = "2s"; confirm_within = "300s"; }; }; };
hard = { tasks = { a = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo new >$real" ]; confirm_within = "1s";
	rollback = { action = "core.exec"; argv = [ "/bin/sh", "-c", "sleep 3; echo old >$real; echo x >>$undone" ]; }; }; }; };
behind = { tasks = {
	before = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo before >$dir/before" ]; rollback = { action = "core.exec"; argv = [ "/bin/rm", "-f", "$dir/before" ]; }; };
	a = { $(sets new) after = [ "before" ]; confirm_within = "2s"; }; }; };
END
# What is killed is reaped in silence.
ended() { wait "$run" 2>/dev/null; return 0; }
state_file() { until_true guard_is "$1" || { echo "# the guard's file: $(od -An -tu1 -j8 -N1 "$dir/state/runs/$id/guard.0")"; return 1; }; }

for dies in engine keeper both all; do
	run brief; waits
	case $dies in
	engine) kill -KILL "$engine" ;;
	keeper) kill -KILL "$keeper" ;;
	both) die "$engine" "$keeper" ;;
	all) # of this run, but for the guard
		kill -STOP "$engine" "$keeper"
		for p in /proc/[0-9]*; do
			[ "${p#/proc/}" != "$guard" ] && grep -qzxF "UPKEEP_RUN=$id" "$p/environ" 2>/dev/null && kill -KILL "${p#/proc/}"
		done
		die "$engine" "$keeper" ;;
	esac
	ended
	ok "SIGKILL of $dies" becomes old
	ok "... it is put back once" times 1
	[ "$dies" = keeper ] || ok "... the guard says so" state_file 4
	ok "... and has gone" until_true gone "$guard"
	"$upkeep" recover >"$dir/out" 2>"$dir/err"; got=$?
	[ "$dies" = keeper ] || ok "... recover agrees: 15" test "$got" = 15
	ok "... and undoes nothing again" times 1
	ok "... the run is settled" state "rolled back"
done

run lasts; until_true is still >/dev/null; find_guard; die "$keeper" "$engine"
ok "everything dies while the task runs" becomes old
sleep 0.2
ok "... which stays" is old
"$upkeep" recover >/dev/null 2>&1
ok "... recover agrees" times 1

run record; waits; die "$keeper" "$engine"
ok "a plugin's record needs neither" becomes old
ok "... in the guard's file" state_file 4
ok "... recover: not confirmed in time" code 15 "$upkeep" recover
ok "... its records are done" test "$(sqlite3 "$dir/state/journal.db" "SELECT count(*) FROM undo_records WHERE state != 3")" = 0
ok "... the file is" is old

run brief; waits; kill -STOP "$engine"
ok "an engine that hangs" becomes old
ok "... once" times 1
kill -CONT "$engine"
ok "... goes on with what the guard decided" ends 15
ok "... once" times 1
run lasts; until_true is still >/dev/null; kill -STOP "$engine"
ok "an engine that hangs while the task runs" becomes old
sleep 0.2
ok "... which is killed first" is old
kill -CONT "$engine"
ok "... the engine sees it" ends 15
ok "... once" times 1

run behind; waits 1; die "$engine" "$keeper"
ok "what came before the guarded task" becomes old
ok "... stands yet" test -e "$dir/before"
ok "... until recover" code 15 "$upkeep" recover
ok "... puts it back" test ! -e "$dir/before"

run brief; waits; mv "$dir/state/journal.db" "$dir/away"
die "$engine" "$keeper"
ok "a journal that has gone" becomes old
mv "$dir/away" "$dir/state/journal.db"
ok "... and comes back" code 15 "$upkeep" recover
ok "... undone once" times 1

run brief; waits; until_true state "awaiting confirmation" >/dev/null
mkfifo "$dir/hold"
sqlite3 "$dir/state/journal.db" <"$dir/hold" & holder=$!
exec 9>"$dir/hold"; echo "BEGIN EXCLUSIVE;" >&9; sleep 0.3
ok "a journal that another holds" becomes old
ok "... once" times 1
exec 9>&-; wait "$holder"
ok "... the run ends when it is let go" ends 15

run brief setsid sh -c 'exec "$@" <&- >&- 2>&-' sh
ok "without terminal and descriptors" becomes old
ended
ok "... once" times 1

run brief; waits; kill -KILL "$guard"
ok "a guard that is killed: the engine takes its place" ends 15
ok "... " is old
ok "... once" times 1
ok "... which it says in the file" guard_is 3
run lasts; until_true is still >/dev/null; find_guard; kill -KILL "$guard"
ok "... while the task runs" ends 15
ok "... " is old
run second; until_true is new >/dev/null; find_guard; kill -KILL "$guard"
ok "a record that no guard has is not written: the task fails" ends 11
ok "... and is put back" is old
run second; until_true is new >/dev/null; find_guard; kill -STOP "$guard"
ok "a guard that hangs takes no record either" ends 11
ok "... " is old
kill -KILL "$guard"

run long; waits; until_true state "awaiting confirmation" >/dev/null; die "$guard" "$engine" "$keeper"
ok "guard, engine and keeper killed" is new
ok "... the run is interrupted" state interrupted
ok "... recover waits for nobody" code 15 "$upkeep" recover
ok "... and puts it back" is old
ok "... once" times 1
run long; waits; die "$guard" "$engine" "$keeper"
ok "... rollback has done what it was asked for" code 0 "$upkeep" rollback last --json
ok "... and says so" json '.state == "rolled back" and .exit_code == 0'
ok "... " is old
run long; waits; die "$guard" "$engine" "$keeper"
ok "... quietly" code 0 "$upkeep" rollback last --quiet
ok "... " test ! -s "$dir/out"

run long; waits; until_true state "awaiting confirmation" >/dev/null; die "$engine" "$keeper"
ok "a guard that may yet be confirmed: the run waits" state "awaiting confirmation"
ok "... recover" code 75 "$upkeep" recover
ok "... is left alone" is new
ok "... whoever comes" code 75 "$upkeep" rollback last
ok "... by resume too" code 75 "$upkeep" resume last
ok "... " is new
ok "it can be confirmed without engine and keeper" code 0 "$upkeep" confirm last
ok "... the guard goes" until_true gone "$guard"
ok "... recover finds the run done" code 0 "$upkeep" recover
ok "... " is new
ok "... and nothing undone" times 0
ok "... it succeeded" state succeeded
ok "... its task, too" task a succeeded

run hard; waits; die "$engine" "$keeper"
state_file 3
ok "recover waits for a guard that is at it" code 15 "$upkeep" recover
ok "... " is old
ok "... once" times 1
run hard; waits; die "$engine" "$keeper"
state_file 3; kill -KILL "$guard"
ok "a guard that is killed at it: recover begins anew" code 15 "$upkeep" recover
ok "... " is old
ok "... once" times 1

run long; waits; kill -STOP "$engine" "$keeper"
die "$engine" "$keeper" "$guard"
if unshare -m true 2>/dev/null; then
	rebooted() { unshare -m sh -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id; shift; exec "$@"' sh "$dir/boot" "$@"; }
	echo 00000000-0000-4000-8000-000000000000 >"$dir/boot"
	ok "after a reboot it cannot be confirmed" code 15 rebooted "$upkeep" confirm last
	ok "... but is put back at once" code 15 rebooted "$upkeep" recover
	ok "... " is old
	ok "... once" times 1
	# A process of the new boot has the guard's number, by chance: here it is the guard itself.
	run long; waits; until_true state "awaiting confirmation" >/dev/null; die "$engine" "$keeper"
	ok "... the run is interrupted" code 0 rebooted "$upkeep" show last --json
	ok "... as shown" json '.state == "interrupted"'
	ok "... whoever has the guard's number now" code 15 rebooted "$upkeep" recover
	ok "... " is old
	ok "... a guard that lives sees that it has no say" until_true gone "$guard"
	ok "... once" times 1
else
	"$upkeep" recover >/dev/null 2>&1
	skip "a reboot" "no mount namespaces"
fi

export ASAN_OPTIONS=verify_asan_link_order=0 # address sanitizer wants to come first: here it need not
LD_PRELOAD=$(cd "$top_builddir" && pwd)/tests/fault/.libs/clock.so run brief; waits
sleep 1
ok "a clock that jumps by hours expires nothing" is new
ok "... and delays nothing" becomes old
ok "... " ends 15
ok "... once" times 1
LD_PRELOAD=$(cd "$top_builddir" && pwd)/tests/fault/.libs/clock.so run long; waits
ok "... confirmed by another clock" code 0 "$upkeep" confirm last
ok "... it stays" ends 0

export CLOCK_JUMP=$dir/later
LD_PRELOAD=$(cd "$top_builddir" && pwd)/tests/fault/.libs/clock.so run unarmed
until_true find_guard; kill -STOP "$guard"; touch "$dir/later"
ok "a guard that does not arm" ends 10
ok "... which is said" grep -q "its guard could not be armed, so nothing was changed: it took too long" "$dir/run.out"
ok "... what to type" grep -q "next: upkeep run unarmed" "$dir/run.out"
ok "... nothing was changed" is old
kill -CONT "$guard"
ok "... it goes when it is let" until_true gone "$guard"
ok "... and changes nothing" is old
echo "1..$n"
