#!/bin/bash
# SPDX-License-Identifier: MIT
# from: bytes from task to task, and nobody sees the end of a stream that is not whole.
. "${0%/*}/tap.sh"
. "${0%/*}/undone.sh"
mkdir -m 755 "$dir/plugins"
cp "$top_builddir/tests/cli/.libs/ends.so" "$dir/plugins/" || exit 99
UPKEEP_PLUGIN_DIR=$dir/plugins
site <<<'plugins = { ends = { }; }; jobs = 2;'
# sh SCRIPT [KEYS]: the inside of a task
sh() { printf 'action = "core.exec"; argv = [ "/bin/sh", "-c", "%s" ]; changes = "none"; %s' "$1" "${2-}"; }
from() { printf 'from = "%s";' "$1"; }
put="head -c 5000000 /dev/zero | tr '\\\\0' x"
# take NAME SOURCE [KEYS]: a sink that publishes
take() { printf '%s = { action = "ends.take"; name = "%s"; file = "%s"; notes = "%s"; from = "%s"; %s };\n' \
	"$1" "$1" "$dir/$1" "$dir/notes" "$2" "${3-}"; }
make() { printf 'action = "ends.make"; size = "%s"; ' "$1"; }
graphs <<END
pipe = { tasks = { a = { $(sh "$put") }; b = { $(sh "cat" "$(from a)") }; c = { $(sh "wc -c >$dir/count" "$(from b)") }; }; };
several = { tasks = { a = { $(sh "$put; echo end") };
	fast = { $(sh "md5sum >$dir/fast" "$(from a)") };
	slow = { $(sh "sleep 0.5; md5sum >$dir/slow" "$(from a)") };
	bits = { $(sh "{ for i in 1 2 3 4; do head -c 1000000; sleep 0.1; done; cat; } | md5sum >$dir/bits" "$(from a)") }; }; };
mixed = { tasks = { a = { $(make 3MiB) }; b = { $(sh "md5sum >$dir/sum; exit 0" "$(from pass)") };
	pass = { action = "ends.pass"; from = "a"; }; $(take c pass) }; };
few = { tasks = { a = { $(sh "printf few") }; b = { $(sh "cat >$dir/few" "$(from a)") }; }; };
bits = { tasks = { a = { $(sh "dd if=/dev/zero bs=100 count=60000 2>/dev/null") }; b = { $(sh "dd bs=70 2>/dev/null" "$(from a)") };
	c = { $(sh "wc -c >$dir/bits-c" "$(from b)") }; d = { $(sh "dd bs=999 2>/dev/null | wc -c >$dir/bits-d" "$(from a)") }; }; };
shut = { tasks = { a = { $(sh "echo some; exec >/dev/null; sleep 2") }; b = { $(sh "cat >$dir/shut" "$(from a)") }; }; };
none = { tasks = { a = { $(sh "true") }; b = { $(sh "wc -c >$dir/none" "$(from a)") }; }; };
torn = { tasks = { a = { $(sh "echo half; sleep 0.3; exit 3") }; b = { $(sh "cat >$dir/torn; echo end >>$dir/torn" "$(from a)") }; }; };
far = { tasks = { a = { $(sh "echo half; sleep 0.3; exit 3") }; b = { $(sh "cat" "$(from a)") };
	c = { $(sh "cat >$dir/far; echo end >>$dir/far" "$(from b)") }; }; };
killed = { tasks = { a = { $(sh "echo half; kill -9 \$\$") }; b = { $(sh "cat >$dir/torn; echo end >>$dir/torn" "$(from a)") }; }; };
deaf = { tasks = { a = { $(sh "echo half; exit 3") }; b = { $(sh "trap '' TERM; cat >$dir/torn; echo end >>$dir/torn" "$(from a) kill_after = \"300ms\";") }; }; };
early = { tasks = { a = { $(sh "$put") }; b = { $(sh "head -c 10 >/dev/null" "$(from a)") }; }; };
unread = { tasks = { a = { $(sh "echo some; sleep 0.2") }; b = { $(sh "sleep 0.6; dd bs=1 count=1 2>/dev/null" "$(from a)") }; }; };
part = { tasks = { a = { $(make 3MiB) }; b = { action = "ends.look"; early = true; file = "$dir/part"; from = "a"; }; $(take c a) }; };
twice = { tasks = { a = { $(sh "$put") }; b = { action = "ends.look"; early = true; file = "$dir/part"; from = "a"; };
	c = { $(sh "$put" 'after = [ "b" ];') }; d = { action = "ends.look"; early = true; file = "$dir/part2"; from = "c"; }; }; };
stalls = { tasks = { a = { $(sh "$put") }; b = { $(sh "exec sleep 300" "$(from a) stall = \"300ms\";") }; $(take c a) }; };
slowly = { tasks = { a = { $(sh "echo x; sleep 1; echo y") }; b = { $(sh "cat >/dev/null" "$(from a) stall = \"300ms\";") }; }; };
order = { tasks = { a = { $(make 1MiB) }; $(take x a "hold = \"$dir/hold\";") $(take y a) p = { $(sh "sleep 0.3; cat >/dev/null; echo p read >>$dir/notes" "$(from a)") }; }; };
undone = { tasks = { a = { $(make 1MiB) }; $(take x a) $(take y a "fails = true;") }; };
again = { tasks = { a = { $(sh "echo again; test -e $dir/second || { touch $dir/second; exit 75; }" 'retry = { attempts = 2; };') }; $(take x a) }; };
waits = { tasks = { a = { $(sh "echo half; $waits") }; $(take x a) b = { $(sh "exec 9<&0; (setsid sh -c 'cat >/dev/null; touch $dir/saw') <&9 & cat >/dev/null; wait" "$(from a)") }; }; };
after = { tasks = { a = { $(sh "echo one") }; b = { $(sh "cat >$dir/one" "$(from a)") }; c = { $(sh "cat $dir/one >$dir/two" 'after = [ "b" ];') }; }; };
big = { tasks = { a = { $(make 2GiB) }; b = { action = "ends.pass"; from = "a"; }; c = { $(sh "cat >/dev/null" "$(from b)") }; }; };
broken = { tasks = { a = { $(sh "$put") }; b = { action = "core.exec"; argv = [ "$dir/absent" ]; changes = "none"; from = "a"; }; }; };
trickle = { tasks = { a = { $(sh "for i in 1 2 3 4 5 6; do head -c 1048576 /dev/zero; sleep 0.2; done") }; b = { $(sh "cat >/dev/null" "$(from a)") }; }; };
user = { tasks = { a = { $(sh "id -un" 'run_as = "nobody";') }; b = { $(sh "cat >$dir/user" "$(from a)") }; c = { $(sh "cat >/dev/null" "$(from a) run_as = \"nobody\";") }; }; };
END
is() { local got; got=$(cat "$1"); [ "$got" = "$2" ] || { echo "# $1: $got"; return 1; }; }
no_file() { [ ! -e "$1" ] || { echo "# there is $1:"; sed 's/^/# /' "$1"; return 1; }; }
notes() { local got; got=$(tr '\n' , <"$dir/notes" 2>/dev/null); rm -f "$dir/notes"; [ "$got" = "$1" ] || { echo "# notes: $got"; return 1; }; }
sum=$({ head -c 5000000 /dev/zero | tr '\0' x; echo end; } | md5sum)
ok "the graphs are right" code 0 "$upkeep" check
ok "plan" code 0 "$upkeep" plan pipe
ok "... says what reads what" has out "c, from b"
ok "... --json" code 0 "$upkeep" plan pipe --json
ok "... too" json '[.tasks[].from] == [null, "a", "b"]'
ok "programs" code 0 "$upkeep" run pipe
ok "... all of it" is "$dir/count" 5000000
ok "several readers of one stream" code 0 "$upkeep" run several
ok "... each gets all" is "$dir/fast" "$sum"
ok "... at the pace of the slowest" is "$dir/slow" "$sum"
ok "... bit by bit" is "$dir/bits" "$sum"
ok "programs and actions" code 0 "$upkeep" run mixed
ok "... the program has it" test "$(cut -d' ' -f1 "$dir/sum")" = "$(md5sum <"$dir/c" | cut -d' ' -f1)"
ok "... the action published it" test "$(stat -c %s "$dir/c")" = 3145728
rm -f "$dir/notes"
ok "few bytes" code 0 "$upkeep" run few
ok "... are there" is "$dir/few" few
ok "many small writes" code 0 timeout 60 "$upkeep" run bits
ok "... all of them" is "$dir/bits-c" 6000000
ok "... for each" is "$dir/bits-d" 6000000
ok "none" code 0 "$upkeep" run none
ok "... are none" is "$dir/none" 0
ok "what comes after it" code 0 "$upkeep" run after
ok "... finds it" is "$dir/two" one

for g in torn killed deaf; do
	rm -f "$dir/torn"
	ok "$g: the task fails" code 10 "$upkeep" run $g
	ok "... its reader is cancelled" task b .state cancelled
	ok "... it has seen no end" eval '! grep -q end "$dir/torn"'
done
ok "far upstream" code 10 "$upkeep" run far
ok "... what is between has no end either" is "$dir/far" half
ok "a program that is not there" code 10 "$upkeep" run broken
ok "... is what failed" task b .reason start

ok "a reader that stops early" code 10 "$upkeep" run early
ok "... fails" task b .reason post-condition
ok "... says so" has out "it ended before its input did"
ok "... with bytes that it left" code 10 "$upkeep" run unread
ok "... fails too" task b .message "it has left the last 4 bytes of its input unread"
ok "an action that reads a part" code 0 "$upkeep" run part
ok "... does not keep the others from all of it" test "$(stat -c %s "$dir/c")" = 3145728
rm -f "$dir/c" "$dir/notes"
ok "... and closes its stream" code 0 "$upkeep" run twice
ok "a reader that stands still" code 10 timeout 20 "$upkeep" run stalls
ok "... fails" has out "it has read nothing of its input for 0.300 s (stall)"
ok "... nothing is published" no_file "$dir/c"
ok "a writer that does is waited for" code 0 "$upkeep" run slowly

rm -f "$dir/notes"; touch "$dir/hold"
"$upkeep" run order >"$dir/run" 2>&1 & run=$!
until_true grep -q "p read" "$dir/notes"; sleep 0.3
ok "nobody publishes while one still reads" no_file "$dir/y"
rm "$dir/hold"; wait $run; ok "... then all do" test $? = 0
ok "... in the order of the tasks" eval 'grep published "$dir/notes" | tr "\n" , | grep -qx "x published,y published,"'
rm -f "$dir/x" "$dir/y" "$dir/notes"
ok "one cannot publish" code 11 "$upkeep" run undone
ok "... after the other had published" grep -qx "x published" "$dir/notes"
ok "... which is taken back" no_file "$dir/x"
ok "... nothing half-made is left" test -z "$(ls "$dir"/*.part 2>/dev/null)"
rm -f "$dir/notes"
ok "a retry of one is one of all" code 0 "$upkeep" run again
ok "... the reader began anew" is "$dir/x" again
ok "... after it had given up" notes "x stopped,x gave up,x has all,x published,"
rm -f "$dir/x"

begin waits; crash; sleep 0.3
ok "all of us are killed: what still reads sees no end" no_file "$dir/saw"
touch "$dir/go"
ok "... recover" code 10 "$upkeep" recover
ok "... not then either" no_file "$dir/saw"
ok "... nothing was published" no_file "$dir/x"
rm -f "$dir/notes"
begin waits; kill -TERM $run; wait $run; got=$?
ok "a cancelled run" test $got = 10
ok "... the reader gives up" no_file "$dir/x"
ok "... nothing is left of it" test -z "$(ls "$dir"/*.part 2>/dev/null)"
ok "... nobody saw an end" no_file "$dir/saw"
ok "too few descriptors" code 10 prlimit --nofile=20:20 "$upkeep" run pipe
ok "... says so" has out "Too many open files"
script -qec "stty cols 90 rows 24; $upkeep run trickle" "$dir/typescript" </dev/null >/dev/null; cp "$dir/typescript" "$dir/out"
ok "progress by bytes" grep -q "a .* MiB  .* MiB/s" "$dir/out"
ok "2 GiB" code 0 "$upkeep" run big
# rests COMMAND...: of two seconds of waiting less than one is spent
rests() { local TIMEFORMAT='%U %S'; { time "$@" >"$dir/out" 2>&1; } 2>"$dir/times"
	awk '{ exit $1 + $2 >= 1 }' "$dir/times" || { sed 's/^/# /' "$dir/times"; return 1; }; }
ok "a writer that closes its stream long before its end is waited for at rest" rests "$upkeep" run shut
ok "... all came" is "$dir/shut" some
if [ "$(id -u)" = 0 ]; then
	ok "other users" code 0 "$upkeep" run user
	ok "... " is "$dir/user" nobody
fi
echo "1..$n"
