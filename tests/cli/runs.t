#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs through the real command: conditions, copies, outputs, checklists, locks, limits.
upkeep=$top_builddir/core/upkeep
dir=$(mktemp -d) || exit 99
dir=$(realpath "$dir")
trap 'chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
export UPKEEP_SITE=$dir/upkeep.conf
unset UPKEEP_STATE_DIR
n=0
ok() { n=$((n + 1)); if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
# code N COMMAND...: ends with N; output in $dir/out, messages in $dir/err
code() { local want=$1; shift; "$@" >"$dir/out" 2>"$dir/err" </dev/null; local got=$?
	[ $got = "$want" ] || { echo "# $*: $got, not $want"; sed 's/^/# /' "$dir/err" "$dir/out"; return 1; }; }
has() { grep -qF -- "$2" "$dir/$1" || { sed 's/^/# /' "$dir/$1"; return 1; }; }
says() { local got; got=$("$upkeep" log last "$1"); [ "$got" = "$2" ] || { echo "# $1 says: $got"; return 1; }; }
state() { local got; got=$("$upkeep" show last --json | jq -r --arg t "$1" '.tasks[] | select(.task == $t) | .state')
	[ "$got" = "$2" ] || { echo "# $1 is: $got"; return 1; }; }
soon() { for _ in {1..100}; do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; done; return 1; }
site() { cat >"$dir/$1.conf" <<END
state_dir = "$dir/state-$1"; graphs = [ "$dir/g.conf" ]; locks = [ "database", "host-upkeep-$$" ]; pools = { io = 2; };
END
}
site upkeep
site other
mkdir "$dir/files"; touch "$dir/files/b.log" "$dir/files/a.log" "$dir/files/c.txt"
cat >"$dir/answers" <<'END'
# who went through this: the night shift
tapes changed = yes
door locked = no
door locked = yes
END
echo "tapes changed = no" >"$dir/refusal"
cat >"$dir/g.conf" <<END
graphs = {
  conditions = { params = { size = { type = "size"; default = "2MiB"; }; }; tasks = {
    probe = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo used=91 >&3" ]; changes = "none";
      outputs = ( { name = "used"; type = "int"; } ); };
    yes = { action = "core.exec"; argv = [ "/bin/echo", "did" ]; changes = "none"; when = "\${probe.used} > 90 and \${param.size} >= 1MiB"; };
    no = { action = "core.exec"; argv = [ "/bin/echo", "did" ]; changes = "none"; when = "\${probe.used} < 90"; };
    next = { action = "core.exec"; argv = [ "/bin/echo", "went on" ]; changes = "none"; after = [ "no" ]; };
  }; };
  copies = { params = { who = { type = "list of string"; default = [ "x y", "z" ]; }; }; tasks = {
    listed = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo out=\$0 >&3", "\${each}" ]; changes = "none";
      each = [ "/bin/echo", "two words", "three" ]; outputs = ( { name = "out"; } ); };
    globbed = { action = "core.exec"; argv = [ "/usr/bin/basename", "\${each}" ]; changes = "none"; each = "$dir/files/*.log"; capture = "text"; };
    nothing = { action = "core.exec"; argv = [ "/bin/false" ]; changes = "none"; each = "$dir/files/*.none"; };
    named = { action = "core.exec"; argv = [ "/bin/echo", "<\${each}>" ]; changes = "none"; each = "\${param.who}"; };
    all = { action = "core.exec"; argv = "\${listed.out}"; changes = "none"; after = [ "globbed", "nothing" ]; };
  }; };
  verdict = { on_failure = "stop"; tasks = {
    bad = { action = "core.exec"; argv = [ "/bin/sh", "-c", "exit 3" ]; changes = "none"; };
    never = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; after = [ "bad" ]; };
    onfail = { action = "core.exec"; argv = [ "/bin/echo", "\${run.verdict}" ]; changes = "none"; after = [ "bad" ]; run_if = "failure"; };
    always = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo \$0; exit 1", "\${run.verdict}" ]; changes = "none"; after = [ "never" ]; run_if = "done"; };
  }; };
  fine = { tasks = {
    good = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; };
    onfail = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; after = [ "good" ]; run_if = "failure"; };
    always = { action = "core.exec"; argv = [ "/bin/echo", "\${run.verdict}" ]; changes = "none"; after = [ "good" ]; run_if = "done"; };
  }; };
  retries = { tasks = {
    flaky = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo x >>$dir/tries; test \$(wc -l <$dir/tries) -ge 3 || exit 75" ];
      changes = "none"; retry = { attempts = 4; delay = "10ms"; }; };
  }; };
  slow = { timeout = "300ms"; tasks = {
    sleeper = { action = "core.exec"; argv = [ "/bin/sleep", "60" ]; changes = "none"; };
    later = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; after = [ "sleeper" ]; };
  }; };
  ask = { tasks = { list = { action = "core.confirm"; question = "Before the move"; items = [ "tapes changed", "door locked" ]; };
    go = { action = "core.exec"; argv = [ "/bin/echo", "by \${list.by}" ]; changes = "none"; }; }; };
  recorded = { tasks = { list = { action = "core.confirm"; items = [ "tapes changed", "door locked" ]; answers = "$dir/answers"; }; }; };
  refused = { tasks = { list = { action = "core.confirm"; items = [ "tapes changed", "door locked" ]; answers = "$dir/refusal"; }; }; };
  partly = { tasks = { list = { action = "core.confirm"; items = [ "tapes changed", "roof closed" ]; answers = "$dir/answers"; }; }; };
  holder = { tasks = { hold = { action = "core.exec"; lock = [ "database" ]; argv = [ "/bin/sh", "-c", "touch $dir/held; exec sleep 60" ]; }; }; };
  wanter = { wait_max = "200ms"; tasks = { want = { action = "core.exec"; lock = [ "database" ]; argv = [ "/bin/true" ]; }; }; };
  pooled = { tasks = { one = { action = "core.exec"; pool = [ "io" ]; argv = [ "/bin/sh", "-c", "touch $dir/held1; exec sleep 60" ]; };
    two = { action = "core.exec"; pool = [ "io" ]; argv = [ "/bin/sh", "-c", "touch $dir/held2; exec sleep 60" ]; }; }; };
  swimmer = { wait_max = "200ms"; tasks = { want = { action = "core.exec"; pool = [ "io" ]; argv = [ "/bin/true" ]; }; }; };
  hosting = { tasks = { hold = { action = "core.exec"; lock = [ "host-upkeep-$$" ]; argv = [ "/bin/sh", "-c", "touch $dir/held; exec sleep 60" ]; }; }; };
  guest = { wait_max = "200ms"; tasks = { want = { action = "core.exec"; lock = [ "host-upkeep-$$" ]; argv = [ "/bin/true" ]; }; }; };
  limits = { on_failure = "continue"; tasks = {
    cpu = { action = "core.exec"; argv = [ "/bin/sh", "-c", "while :; do :; done" ]; changes = "none"; limits = { cpu_time = "1s"; }; timeout = "20s"; };
    file = { action = "core.exec"; argv = [ "/bin/dd", "if=/dev/zero", "of=$dir/big", "bs=1k", "count=100" ]; changes = "none"; limits = { file_size = "10KiB"; }; };
    files = { action = "core.exec"; argv = [ "/bin/sh", "-c", "ulimit -n" ]; changes = "none"; limits = { files = 33; }; };
    memory = { action = "core.exec"; argv = [ "/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1" ]; changes = "none"; limits = { memory = "64MiB"; }; timeout = "20s"; };
  }; };
  crowd = { tasks = { fork = { action = "core.exec"; argv = [ "/bin/sh", "-c", "sleep 5 & sleep 5 & sleep 5 & sleep 5 & sleep 5 & echo all" ]; changes = "none"; limits = { processes = 3; }; timeout = "20s"; }; }; };
};
END
ok "the graphs are right" code 0 "$upkeep" check

ok "when" code 0 "$upkeep" run conditions
ok "... true runs" state yes succeeded
ok "... false skips" state no skipped
ok "... what follows runs" says next "went on"
ok "... of another parameter" code 0 "$upkeep" run conditions --param size=1KiB
ok "... false" state yes skipped

ok "each" code 0 "$upkeep" run copies
ok "... outputs of all copies are a list" says all "two words three"
ok "... of a parameter" says 'named[0]' "<x y>"
ok "... of a glob, in its order" says 'globbed[1]' ""
ok "... an empty one is skipped" state nothing skipped

ok "run_if after a failure" code 10 "$upkeep" run verdict
ok "... failure" says onfail failed
ok "... done, whose failure changes no exit code" says always failed
ok "... what needs the failed one is skipped" state never skipped
ok "run_if after success" code 0 "$upkeep" run fine
ok "... failure is skipped" state onfail skipped
ok "... done" says always succeeded

ok "retries" code 0 "$upkeep" run retries
ok "... the third works" test "$(wc -l <"$dir/tries")" = 3
begin=$SECONDS
ok "timeout of the run" code 10 "$upkeep" run slow
ok "... in time" test $((SECONDS - begin)) -lt 10
ok "... what comes later does not run" state later cancelled

ok "a checklist without a person" code 10 setsid -w "$upkeep" run ask
ok "... says so" has out "needs a person: tapes changed"
ok "... and what to do" has out "--yes"
ok "--yes" code 0 setsid -w "$upkeep" run ask --yes
ok "... by whom" says go "by --yes"
confirmed() { sqlite3 "$dir/state-upkeep/journal.db" "SELECT item, answer, uid, at_ms > strftime('%s')*1000 - 60000
	FROM confirmations WHERE run = (SELECT max(run) FROM confirmations) ORDER BY number" | diff - <(printf '%s\n' "$@"); }
uid=$(id -u)
ok "... in the journal: each item, who, when" confirmed "tapes changed|yes (--yes)|$uid|1" "door locked|yes (--yes)|$uid|1"
ok "recorded answers" code 0 setsid -w "$upkeep" run recorded
ok "... in the journal" confirmed "tapes changed|yes ($dir/answers)|$uid|1" "door locked|yes ($dir/answers)|$uid|1"
ok "a recorded no" code 10 setsid -w "$upkeep" run refused
ok "... says what" has out "answered no in $dir/refusal: tapes changed"
ok "an item without an answer needs a person" code 10 setsid -w "$upkeep" run partly
ok "... named" has out "needs a person: roof closed"
typed() { (sleep "${UNDER_VALGRIND:+4}.7"; for a in "$@"; do echo "$a"; sleep "${UNDER_VALGRIND:+1}.2"; done) |
	script -qec "$upkeep run ask" "$dir/typescript" >/dev/null; }
ok "a checklist on a terminal" typed maybe yes y
ok "... by whom" says go "by $(id -un)"
ok "... in the journal" confirmed "tapes changed|yes|$uid|1" "door locked|yes|$uid|1"
typed yes no
ok "... no fails" state list failed

# What it says of its cancel is not wanted.
hold() { rm -f "$dir"/held*; "$upkeep" run "$1" --quiet >/dev/null 2>&1 & holder=$!; soon test -e "$dir/$2"; }
release() { kill -TERM $holder; wait $holder; }
hold holder held
ok "a lock of another run" code 75 "$upkeep" run wanter
ok "... who has it" has out 'wait_max has run out: the lock "database" is held by run'
ok "... for what" has out "(graph holder, task hold) since 20"
ok "... locks lists it" code 0 "$upkeep" locks
ok "... so" has out "holder task hold"
ok "the same lock in another state directory" code 0 "$upkeep" run wanter --site "$dir/other.conf"
release
ok "... it is free again" code 0 "$upkeep" run wanter
hold pooled held2
soon test -e "$dir/held1"
ok "a full pool of other runs" code 75 "$upkeep" run swimmer
ok "... who has it" has out 'the pool "io.1" is held by run'
release
if [ "$uid" = 0 ]; then
	hold hosting held
	ok "a host lock, from another state directory" code 75 "$upkeep" run guest --site "$dir/other.conf"
	release
	ok "... it is free again" code 0 "$upkeep" run guest --site "$dir/other.conf"
else
	skip "a host lock" "only for root"
fi

ok "limits" code 10 "$upkeep" run limits
ok "... cpu_time" state cpu failed
ok "... file_size" test "$(stat -c %s "$dir/big")" = 10240
if [ "${UNDER_VALGRIND-}" ]; then
	skip "... files" "valgrind refuses to lower the hard limit of descriptors"
else
	ok "... files" says files 33
fi
ok "... memory" state memory failed
if mkdir "/sys/fs/cgroup/pids/upkeep-test-$$" 2>/dev/null; then
	rmdir "/sys/fs/cgroup/pids/upkeep-test-$$"
	"$upkeep" run crowd --quiet >/dev/null
	ok "... processes" eval '! says fork all >/dev/null'
else
	skip "... processes" "no pids controller"
fi
echo "1..$n"
