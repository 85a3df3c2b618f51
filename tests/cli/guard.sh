# SPDX-License-Identifier: MIT
# Sourced after tap.sh by what tests confirm_within: graphs that change a real file, and who is who.
real=$dir/real undone=$dir/undone
mkdir -m 755 "$dir/plugins"
cp "$top_builddir/tests/fault/.libs/setter.so" "$dir/plugins/" || exit 99
UPKEEP_PLUGIN_DIR=$dir/plugins
# sets TEXT [MORE]: the keys of a task that sets the file, and puts it back with a note of it
sets() { printf 'action = "core.exec"; argv = [ "/bin/sh", "-c", "echo %s >%s; %s" ];\n' "$1" "$real" "${2-}"
	printf 'rollback = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo old >%s; echo by $PPID >>%s" ]; };\n' \
		"$real" "$undone"; }
setter() { printf 'action = "setter.set"; file = "%s"; text = "%s";\n' "$real" "$1"; }
# run GRAPH [COMMAND...]: in the background, from the old state on; its keeper, engine and guard
run() {
	echo old >"$real"; rm -f "$undone"
	ls "$dir/state/runs" >"$dir/runs" 2>/dev/null
	"${@:2}" "$upkeep" run "$1" >"$dir/run.out" 2>"$dir/run.err" </dev/null &
	run=$! keeper=$!
	until_true eval 'find_engine || gone $keeper' # it may be over already
	until_true find_id
}
# The one that is new: those of one second are in no order.
find_id() { id=$(ls "$dir/state/runs" | grep -vxFf "$dir/runs"); [ "$id" ]; }
child() { ps -o pid= --ppid "$1" -o comm= 2>/dev/null | awk -v n="$2" '$2 == n { print $1 }' | tail -1; }
find_engine() { engine=$(child "$keeper" upkeep-engine); [ "$engine" ]; }
find_guard() { guard=$(child "$keeper" upkeep-guard); [ "$guard" ]; }
# The byte that says in which state the guard's file is: guard_is N [TASK]
guard_is() { [ "$(od -An -tu1 -j8 -N1 "$dir/state/runs/$id/guard.${2-0}" 2>/dev/null | tr -d ' ')" = "$1" ]; }
armed() { guard_is 1 "$@"; }; waiting() { guard_is 7 "$@"; }
waits() { until_true waiting "$@" && find_guard; }
is() { [ "$(cat "$real")" = "$1" ] || { echo "# the file is: $(cat "$real")"; return 1; }; }
becomes() { until_true is "$1" >/dev/null || is "$1"; }
# ends CODE: the run in the background
ends() { wait "$run"; local got=$?; [ $got = "$1" ] || { echo "# ended with $got, not $1"; sed 's/^/# /' "$dir"/run.???; return 1; }; }
times() { local got; got=$(cat "$undone" 2>/dev/null | wc -l); [ "$got" = "$1" ] || { echo "# undone $got times"; return 1; }; }
state() { local got; got=$("$upkeep" show last --json | jq -r .state); [ "$got" = "$1" ] || { echo "# the run is: $got"; return 1; }; }
task() { local got; got=$("$upkeep" show last --json | jq -r --arg t "$1" --arg f "${3-state}" '.tasks[] | select(.task == $t) | .[$f]')
	[ "$got" = "$2" ] || { echo "# $1 is: $got"; return 1; }; }
