#!/bin/bash
# SPDX-License-Identifier: MIT
# Commands, options and exit codes on a small site without plugins.
upkeep=$top_builddir/core/upkeep
dir=$(mktemp -d) || exit 99
trap 'chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
export UPKEEP_SITE=$dir/upkeep.conf
unset UPKEEP_STATE_DIR
n=0
json() { jq -e "$@" >/dev/null; }
ok() { n=$((n + 1)); if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi; }
# code N COMMAND...: ends with N; output in $dir/out, messages in $dir/err
code() { local want=$1; shift; "$@" >"$dir/out" 2>"$dir/err"; local got=$?
	[ $got = "$want" ] || { echo "# $*: $got, not $want"; sed 's/^/# /' "$dir/err"; return 1; }; }
has() { grep -qF -- "$2" "$dir/$1" || { sed 's/^/# /' "$dir/$1"; return 1; }; }
cat >"$UPKEEP_SITE" <<END
state_dir = "$dir/state";
graphs = [ "$dir/g.conf" ];
END
cat >"$dir/g.conf" <<'END'
graphs = {
  good = { about = "two fine tasks"; schedule = "daily"; tasks = {
    first = { action = "core.exec"; argv = [ "/bin/echo", "hello" ]; changes = "none"; };
    second = { action = "core.exec"; argv = [ "/bin/true" ]; after = [ "first" ]; changes = "none"; };
  }; };
  bad = { tasks = {
    broken = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo the reason; exit 3" ]; changes = "none"; };
  }; };
};
END
ok "--version" code 0 "$upkeep" --version
ok "--help lists commands" code 0 "$upkeep" --help
ok "... run among them" has out "run GRAPH"
for command in run plan drill check list history show log plugins doc cancel locks; do
	ok "$command --help" code 0 "$upkeep" $command --help
	ok "manual of $command is clean" test -z "$("$upkeep" --man $command | man --warnings -l - 2>&1 >/dev/null)"
done
ok "no command is usage" code 64 "$upkeep"
ok "unknown command is usage" code 64 "$upkeep" rnu
ok "... the nearest is named" has err 'did you mean "run"?'
ok "unknown option is usage" code 64 "$upkeep" run --jbos 3 good
ok "... the nearest is named" has err 'did you mean "--jobs"?'
ok "check" code 0 "$upkeep" check
ok "check --json" code 0 "$upkeep" check --json
ok "... is JSON" json '.errors == 0 and .graphs == 2' "$dir/out"
ok "history without a journal" code 0 "$upkeep" history --json
ok "show without a journal is usage" code 64 "$upkeep" show last
ok "... where it was looked for" has err "no journal in \"$dir/state\""
ok "... and how to say where it is" has err "next: name its site (--site FILE) or its state directory (--state-dir DIR)"
ok "unknown graph is usage" code 64 "$upkeep" run god
ok "run" code 0 "$upkeep" run good
ok "... says so" has out "2 succeeded"
ok "run --quiet prints nothing" code 0 "$upkeep" run --quiet good
ok "... nothing" test ! -s "$dir/out"
ok "run --json" code 0 "$upkeep" run --json good
ok "... is JSON" json '.state == "succeeded" and (.tasks | length) == 2' "$dir/out"
ok "a failed run" code 10 "$upkeep" run --quiet bad
ok "... names the task" has out "task broken failed"
ok "... shows its last lines" has out "    the reason"
ok "... and the next command" has out "next: upkeep log"
ok "plan" code 0 "$upkeep" plan good --json
ok "list --json" code 0 "$upkeep" list --json
ok "... with the last run" json '.[0].last.state == "succeeded"' "$dir/out"
ok "history --json" code 0 "$upkeep" history --json
ok "... all runs" json 'length == 4' "$dir/out"
ok "show last --json" code 0 "$upkeep" show last --json
ok "... its task" json '.tasks[0].exit_code == 3' "$dir/out"
ok "log" code 0 "$upkeep" log last broken
ok "... the output" has out "the reason"
ok "doc" code 0 "$upkeep" doc core.exec
ok "doc --json" code 0 "$upkeep" doc core.exec --json
ok "... a schema" json '.properties.argv.type == "array"' "$dir/out"
ok "plugins --json" code 0 "$upkeep" plugins --json
ok "locks --json" code 0 "$upkeep" locks --json
ok "cancel of a run that is over" code 64 "$upkeep" cancel last
ok "live view on a terminal" code 0 script -qec "$upkeep run good" "$dir/typescript" </dev/null
cat >"$dir/g.conf" <<'END'
graphs = {
  hold = { tasks = { a = { action = "core.exec"; argv = [ "/bin/sleep", "60" ]; lock = "db"; changes = "none"; }; }; };
  want = { wait_max = "100ms"; tasks = {
    a = { action = "core.exec"; argv = [ "/bin/true" ]; lock = "db"; changes = "none"; };
    b = { action = "core.exec"; argv = [ "/bin/true" ]; after = [ "a" ]; changes = "none"; };
  }; };
};
END
echo 'locks = [ "db" ];' >>"$UPKEEP_SITE"
"$upkeep" run --quiet hold >/dev/null 2>&1 & held=$!
for i in {1..100}; do "$upkeep" locks --json | jq -e 'any(.kind == "lock")' >/dev/null && break; sleep 0.1; done
ok "a graph that runs already is skipped" code 0 "$upkeep" run --quiet hold
ok "... cron hears nothing of it" test ! -s "$dir/out" -a ! -s "$dir/err"
ok "a lock that another run keeps for wait_max" code 75 "$upkeep" run want
kill $held; wait $held
ok "show of a task that never started" code 0 "$upkeep" show "$("$upkeep" history --json | jq -r 'map(select(.graph == "want"))[0].run')"
ok "... gives it no duration" test -z "$(grep -E '[0-9]+d[0-9]+h' "$dir/out")"
echo 'graphs = { good = { tasks = { a = { action = "core.exce"; }; }; }; };' >"$dir/g.conf"
ok "errors refuse the run" code 78 "$upkeep" run good
ok "check finds them" code 78 "$upkeep" check
eval "$("$upkeep" --completion bash)"
COMP_WORDS=(upkeep hi) COMP_CWORD=1; _upkeep "$upkeep"
ok "completion of commands" test "${COMPREPLY[*]}" = history
echo "1..$n"
