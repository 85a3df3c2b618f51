#!/bin/bash
# SPDX-License-Identifier: MIT
# Processes that SIGKILL does not end: here they lie in a frozen cgroup of the first version.
. "${0%/*}/tap.sh"
. "${0%/*}/undone.sh"
mount=$(awk '$3 == "cgroup" && $4 ~ /(^|,)freezer(,|$)/ { print $2 }' /proc/mounts | head -n 1)
ice=$mount/upkeep-stuck-$$
[ "$(id -u)" = 0 ] && [ -n "$mount" ] && mkdir "$ice" 2>/dev/null ||
	{ echo "1..0 # SKIP only for root, with the freezer of cgroups of the first version"; exit 0; }
freeze() { echo FROZEN >"$ice/freezer.state"; until grep -qx FROZEN "$ice/freezer.state"; do sleep 0.02; done; }
empty() { [ ! -s "$ice/cgroup.procs" ]; }
thaw() { echo THAWED >"$ice/freezer.state"; until_true empty; }
trap 'thaw; rmdir "$ice"; rm -rf "$dir"' EXIT
export UPKEEP_PATIENCE_MS=500
site <<<''
lies="echo \$\$ >$ice/cgroup.procs; touch $dir/going"
graphs <<END
main = { tasks = { $(said a) $(said x) $(t b "$say b; $lies; exec sleep 300" "$(undo "$say -b") after = [ \"a\" ]; timeout = \"1s\"; kill_after = \"100ms\"; retry = { attempts = 2; };")
	$(said c 'after = [ "b" ];') }; };
left = { tasks = { $(t b "$say b; (sleep 0.1; exec sleep 300) & echo \$! >$ice/cgroup.procs; $waits" "$(undo "$say -b")") }; };
guarded = { tasks = { $(t b "$say b; $lies; exec sleep 300" "$(undo "$say -b") confirm_within = \"2s\"; kill_after = \"100ms\";") }; };
back = { tasks = { $(t b "$say b" "$(undo "$say -b; test -e $dir/mended && exit 0; $lies; exec sleep 300" 'timeout = "1s";')") $(bad 'after = [ "b" ];') }; };
END
ok "the graphs are right" code 0 "$upkeep" check
run_is_over() { wait "$run"; local got=$?; [ $got = "$1" ] || { echo "# ended with $got"; sed 's/^/# /' "$dir/run"; return 1; }; cp "$dir/run" "$dir/out"; }

begin main; freeze
ok "a task whose process cannot be killed" run_is_over 13
ok "... fails, and says which" has out "task b failed (needs a person): its processes cannot be killed: $(cat "$ice/cgroup.procs") (sleep)"
ok "... its undo is held" has out "left: b (held"
ok "... and that of what it needed" has out "left: a (held"
ok "... nothing of it is done; it is not tried again; other branches go on" test "$(sort "$dir/order" | tr '\n' ' ')" = "-x a b x "
ok "... what to do" has out "next: see what they wait for (a dead mount? a frozen cgroup?), then upkeep rollback 2"
ok "... upkeep says that it left it" has out "cannot be killed: it is left alone"
: >"$dir/order"
id=$("$upkeep" history --json | jq -r '.[0].run')
ok "the graph does not run" code 14 "$upkeep" run main
ok "recover leaves it to a person" code 0 "$upkeep" recover
ok "recover of it is refused while it lives" code 13 "$upkeep" recover "$id"
ok "... says which" has err "process $(cat "$ice/cgroup.procs") (sleep) of run $id cannot be killed"
ok "... what to do" has err "then upkeep recover $id"
ok "rollback, too" code 13 "$upkeep" rollback "$id"
ok "... nothing is undone" order ""
thaw
ok "... once it is gone it is put back" code 0 "$upkeep" rollback "$id"
ok "... so" order "-b -a"

begin left; freeze; touch "$dir/go"
ok "what a task left cannot be killed" run_is_over 13
ok "... it fails, though its program succeeded" has out "task b failed (needs a person): its processes cannot be killed: $(cat "$ice/cgroup.procs") (s" # sh, before it has become sleep
ok "... nothing is undone" order "b"
thaw
ok "... once it is gone it is put back" code 11 "$upkeep" recover "$("$upkeep" history --json | jq -r '.[0].run')"
ok "... so" order "-b"

begin back; freeze
ok "an undo whose process cannot be killed" run_is_over 13
ok "... has failed" has out "left: b (its undo failed): its processes cannot be killed: $(cat "$ice/cgroup.procs")"
ok "... and is not tried again" order "b -b"
ok "... rollback is refused" code 13 "$upkeep" rollback last
thaw; touch "$dir/mended"
ok "... once it is gone it is completed" code 0 "$upkeep" rollback last
ok "... so" order "-b"

begin left; freeze; kill -KILL "$(engine)"
ok "the engine is killed" run_is_over 70
ok "... the keeper says what it could not kill" grep -qE "killed by signal 9; process $(cat "$ice/cgroup.procs") \\((sh|sleep)\\) cannot be killed: it is left alone" "$dir/out"
ok "... recover is refused while it lives" code 13 "$upkeep" recover
ok "... says why" has err "cannot be killed"
ok "... nothing is undone" order "b"
thaw
ok "... once it is gone it is put back" code 11 "$upkeep" recover
ok "... so" order "-b"

begin guarded; freeze
ok "a guarded task whose process cannot be killed" run_is_over 13
ok "... its undo is held" has out "left: b (held"
undone_by_guard() { grep -qx -- -b "$dir/order"; }
ok "... until its guard has waited long enough: the way in comes first" until_true undone_by_guard
ok "... once" order "b -b"
ok "... what it may still change needs a person" code 13 "$upkeep" rollback last
thaw
ok "... once it is gone it is put back for good" code 0 "$upkeep" rollback last
ok "... so" order "-b"
echo "1..$n"
