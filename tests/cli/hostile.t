#!/bin/bash
# SPDX-License-Identifier: MIT
# Workers of another user that want more than that user may have: refused, and the engine lives.
. "${0%/*}/tap.sh"
[ "$(id -u)" = 0 ] && id nobody >/dev/null 2>&1 && getent group daemon >/dev/null ||
	{ echo "1..0 # SKIP only for root, with nobody and daemon"; exit 0; }
chmod 711 "$dir"
mkdir -m 755 "$dir/plugins"; mkdir -m 1777 "$dir/open"; mkdir -m 700 "$dir/closed" "$dir/precious"
echo root >"$dir/precious/file"
for f in hostile setter; do cp "$top_builddir/tests/fault/.libs/$f.so" "$dir/plugins/" || exit 99; done
cp "$top_builddir/tests/fault/.libs/preload.so" "$dir/open/" || exit 99
UPKEEP_PLUGIN_DIR=$dir/plugins
(umask 077; echo "own-secret-text" >"$dir/own"; echo "other-secret-text" >"$dir/foreign")
site <<END
plugins = { hostile = { }; setter = { }; };
jobs = 4;
END
# try NAME KEYS: a graph with that mischief of nobody's
all=""
try() { all+="$1 = { on_failure = \"undo\"; tasks = { a = { action = \"hostile.try\"; run_as = \"nobody\"; $2 }; ${3-} }; };"$'\n'; }
what() { printf 'what = "%s"; other = "%s";' "$1" "${2-}"; }
fails='b = { action = "core.exec"; after = [ "a" ]; argv = [ "/bin/false" ]; changes = "none"; };'
beside='c = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; };'
for name in .. a/b /etc/passwd . 'a\nb'; do try "name$((++i))" "$(what name "$name")"; done
try secret "$(what secret "file:$dir/foreign") password = \"file:$dir/own\";" \
	"z = { action = \"setter.set\"; file = \"/dev/null\"; text = \"x\"; password = \"file:$dir/foreign\"; after = [ \"a\" ]; };"
try keepsecret "$(what keep_secret) password = \"file:$dir/own\";"
try showsecret "$(what show_secret) password = \"file:$dir/own\";"
try big "$(what big)"
try many "$(what many 0)"
try number "$(what many 1)"
echo text >"$dir/set"
before="a0 = { action = \"setter.set\"; file = \"$dir/set\"; text = \"new\"; };"
for s in applied drop "done"; do try "state$s" "$(what state $s) after = [ \"a0\" ];" "$before"; done
try two "$(what two)"
for d in twice serial result; do try "done$d" "$(what "done" $d)" \
	"b = { action = \"hostile.try\"; run_as = \"nobody\"; after = [ \"a\" ]; what = \"look\"; }; $beside"; done
for r in loaded refused; do try "$r" "$(what refuse $r)"; done
try spawn "$(what spawn "LD_PRELOAD=$dir/open/preload.so")"
try mark "$(what spawn "UPKEEP_MARK=none")"
# Address sanitizer wants to come first: here it need not.
try preload "$(what look) env = { LD_PRELOAD = \"$dir/open/preload.so\"; ASAN_OPTIONS = \"verify_asan_link_order=0\"; };"
try cwd "$(what cwd "$dir/closed")"
try relative "$(what program ./sh)"
try nowhere "$(what program none-here)"
for t in 61 -1 5; do try "target${t/-/m}" "$(what targets -- $t | sed "s/--/$t/")"; done
try spawns "$(what spawns)"
try flood "$(what flood log) log_max = \"1MiB\";" "$beside"
try rows "$(what flood rows)"
try warnings "$(what flood warnings)"
try deaf "$(what deaf)" "$beside"
try stop "$(what stop) timeout = \"1s\"; kill_after = \"1s\";" "$beside"
try cancel "$(what cancel) timeout = \"1s\"; kill_after = \"1s\";" "$beside"
try look "$(what look)"
try directory "$(what directory "$dir/precious")"
try link "$(what link "$dir/precious/file")" "$fails"
try keep "$(what keep before) run_as_group = \"daemon\";"
try keepfails "$(what keep before) run_as_group = \"daemon\";" "$fails"
for u in output row push drop; do try "undo$u" "$(what undo $u)" "$fails"; done
graphs <<<"$all
group = { tasks = { a = { action = \"core.exec\"; run_as = \"nobody\"; run_as_group = \"daemon\"; argv = [ \"/bin/true\" ];
	rollback = { action = \"core.exec\"; argv = [ \"/bin/sh\", \"-c\", \"id -un; id -gn; id -G\" ]; }; }; $fails }; };"
ok "the graphs are right" code 0 "$upkeep" check
result() { local got; got=$("$upkeep" show last --json | jq -r '.outputs[] | select(.name == "result") | .value' | head -1)
	[ "$got" = "$1" ] || { echo "# result $got, not $1"; return 1; }; }
state() { local got; got=$("$upkeep" show last --json | jq -r --arg t "$1" '.tasks[] | select(.task == $t) | .state')
	[ "$got" = "$2" ] || { echo "# $1 is $got"; return 1; }; }
untrusted='the plugin "hostile" wrote something else than messages to its socket'
id() { "$upkeep" show last --json | jq -r .run; }
owner() { stat -c "%U %G %a" "$dir/state/runs/$(id)/undo/$1"; }

for i in 1 2 3 4 5; do
	ok "a record's file that is no plain name ($i)" code 0 "$upkeep" run "name$i"
	ok "... is refused" result -22
done
ok "a secret of another task" code 0 "$upkeep" run secret
ok "... is not told" result -1
ok "a record with a secret" code 0 "$upkeep" run keepsecret
ok "... is refused" result -1
ok "a secret as the name of a table and of a column" code 0 "$upkeep" run showsecret
ok "... stands nowhere" sh -c "! grep -rq own-secret-text '$dir/state'"
ok "a payload that is too large" code 0 "$upkeep" run big
ok "... is refused" result -22
ok "records without end" code 0 "$upkeep" run many
ok "... end" test "$("$upkeep" show last --json | jq -r '.outputs[] | select(.name == "result") | .value | tonumber | . > 900 and . < 1024')" = true
ok "... which its log says" sh -c "'$upkeep' log last a | grep -q 'may write 65536 undo records, or 64 MiB of them'"
if [ "${UPKEEP_LONG-}" ]; then
	ok "small ones too" code 0 "$upkeep" run number
	ok "... end" result 65536
fi
for s in applied drop "done"; do
	echo text >"$dir/set"
	ok "another task's record called $s" code 11 "$upkeep" run "state$s"
	ok "... is none of its business" has out "$untrusted"
	ok "... and that task is put back" test "$(cat "$dir/set")" = text
done
ok "two questions at once" code 11 "$upkeep" run two
ok "... are one too many" has out "$untrusted"
ok "done twice" code 12 "$upkeep" run donetwice
ok "... is not believed; the next task of that worker pays" has out "$untrusted"
ok "... no other" state c succeeded
for d in serial result; do
	ok "done with a wrong $d" code 10 "$upkeep" run "done$d"
	ok "... is not believed" has out "$untrusted"
done
for r in loaded refused; do
	ok "$r, when it has long been loaded" code 10 "$upkeep" run "$r"
	ok "... is not believed" has out "$untrusted"
done
ok "a program with an environment of its own" code 0 "$upkeep" run spawn
ok "... runs as the task's user" test "$("$upkeep" log last a | head -1)" = nobody
ok "... with its groups" test "$("$upkeep" log last a | sed -n 2p)" = "$(command id -G nobody)"
ok "... what it preloads is loaded as that user" test -e "$dir/open/preload.so.$(command id -u nobody)"
ok "... never as root" test ! -e "$dir/open/preload.so.0"
ok "the same from the graph" code 0 "$upkeep" run preload
ok "... never as root" test ! -e "$dir/open/preload.so.0"
ok "the mark by which its processes are found" code 0 "$upkeep" run mark
ok "... is not its to choose" sh -c "'$upkeep' log last a | grep -qxF 'UPKEEP_MARK=$(id):0'"
ok "a directory that is closed to the user" code 0 "$upkeep" run cwd
ok "... stays so" sh -c "'$upkeep' log last a | grep -qF 'cannot enter $dir/closed: Permission denied'"
ok "a program by a relative path" code 0 "$upkeep" run relative
ok "... is refused" result -2
ok "one that is not there" code 0 "$upkeep" run nowhere
ok "... is refused" result -2
for t in 61 m1 5; do
	ok "wild numbers of descriptors ($t)" code 0 "$upkeep" run "target$t"
	ok "... are refused" result -22
done
ok "programs without end" code 0 "$upkeep" run spawns
ok "... end" result 128
ok "... and are ended" sh -c "! pgrep -f 'sleep 77[.]41' >/dev/null"

"$upkeep" run flood >"$dir/out" 2>"$dir/err" & run=$!
until_true eval 'engine=$(ps -o pid= --ppid $run -o comm= | awk "\$2 == \"upkeep-engine\" { print \$1 }"); [ "$engine" ]'
sleep 2.5
peak=$(awk '/VmHWM/ { print $2 }' "/proc/$engine/status")
wait $run; got=$?
ok "a flood of messages" test $got = 0
ok "... takes no memory of the engine's ($peak KiB)" test "${peak:-0}" -lt 65536
ok "... keeps no other task from its end" state c succeeded
ok "... and its log in bounds" test "$("$upkeep" log last a | wc -c)" -le 1100000
ok "rows without end" code 0 "$upkeep" run rows
ok "warnings without end" code 0 "$upkeep" run warnings
ok "... are 1000" test "$(sqlite3 "$dir/state/journal.db" "SELECT count(*) FROM warnings WHERE run = (SELECT max(run) FROM warnings)")" = 1000
ok "questions without listening" code 10 "$upkeep" run deaf
ok "... end the worker" has out 'the plugin "hostile" does not read what it is told'
ok "... nothing else" state c succeeded
ok "a worker that stops itself" code 10 "$upkeep" run stop
ok "... is killed when its time is over" has out "not done within 1.000 s"
ok "a worker that spoils the word to stop" code 10 "$upkeep" run cancel
ok "... is killed too" has out "not done within 1.000 s"
ok "a worker's memory" code 0 "$upkeep" run look
ok "... is root's to look at" result 0

ok "a temporary directory with another name" code 0 "$upkeep" run directory
ok "... is still the same" result 0
ok "... what it led to stays root's" test "$(stat -c "%U %a" "$dir/precious")" = "root 700"
ok "... and as it is" test "$(cat "$dir/precious/file")" = root
ok "an undo directory that leads elsewhere" code 11 "$upkeep" run link
ok "... leads its own user nowhere" sh -c "'$upkeep' log last a | grep -q 'copy cannot: Permission denied'"
ok "... what it leads to is as it was" test "$(stat -c "%U %a" "$dir/precious/file") $(cat "$dir/precious/file")" = "root 644 root"
ok "a file for the undo" code 0 "$upkeep" run keep
ok "... lies in a directory of the user" test "$(owner 0.1)" = "nobody daemon 700"
ok "... below one that is closed to it" test "$(owner .)" = "root root 700"
ok "... undone by another process on another day" code 0 "$upkeep" rollback last
ok "... as that user and group, with that file" sh -c "'$upkeep' log last a | grep -q 'user $(command id -u nobody) group $(getent group daemon | cut -d: -f3) copy before'"
ok "the same in the run itself" code 11 "$upkeep" run keepfails
ok "... as that user and group, with that file" sh -c "'$upkeep' log last a | grep -q 'user $(command id -u nobody) group $(getent group daemon | cut -d: -f3) copy before'"
ok "a rollback's program" code 11 "$upkeep" run group
ok "... is the user's and group's too" test "$("$upkeep" log last a | grep -xE "nobody|daemon" | paste -sd' ')" = "nobody daemon"
for u in output push drop; do
	ok "an undo that speaks of ${u}s" code 13 "$upkeep" run "undo$u"
	ok "... is not believed" has out "$untrusted"
	"$upkeep" resolve last --why test >/dev/null
done
ok "rows of an undo" code 11 "$upkeep" run undorow
ok "... are not the task's" test "$("$upkeep" show last --json | jq '.rows // [] | length')" = 0
echo "1..$n"
