# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by the tests of undo, after tap.sh: tasks that say what they do and what they take back.
chmod 755 "$dir"
say=$dir/say
cat >"$say" <<'END'
#!/bin/sh
echo "$1" >>"${0%/*}/order"
END
chmod 755 "$say"; touch "$dir/order"; chmod 666 "$dir/order"
# undo SCRIPT [KEYS]: a rollback
undo() { printf 'rollback = { action = "core.exec"; argv = [ "/bin/sh", "-c", "%s" ]; %s };' "$1" "${2-}"; }
# t NAME SCRIPT [KEYS]: a task
t() { printf '%s = { action = "core.exec"; argv = [ "/bin/sh", "-c", "%s" ]; %s };\n' "$1" "$2" "${3-}"; }
# said NAME [KEYS]: a task that says its name, and takes it back by "-NAME"
said() { t "$1" "$say $1" "$(undo "$say -$1") ${2-}"; }
# bad [KEYS]: one that changes nothing and fails
bad() { t bad "exit 1" "changes = \"none\"; ${1-}"; }
# order WORDS: what was said since the last time
order() { local got; got=$(tr '\n' ' ' <"$dir/order"); : >"$dir/order"
	[ "${got% }" = "$1" ] || { echo "# said: $got"; return 1; }; }
# order_has A B: both were said, A before B
before() { local a b; a=$(grep -nxF -- "$1" "$dir/order" | head -n 1); b=$(grep -nxF -- "$2" "$dir/order" | head -n 1)
	[ -n "$a" ] && [ -n "$b" ] && [ "${a%%:*}" -lt "${b%%:*}" ] || { sed 's/^/# /' "$dir/order"; return 1; }; }
run_is() { local got; got=$("$upkeep" show last --json | jq -r "$1"); [ "$got" = "$2" ] || { echo "# $1: $got"; return 1; }; }
# task TASK FILTER WANT: of its last attempt in the last run
task() { run_is "[.tasks[] | select(.task == \"$1\")] | last | $2" "$3"; }
# begin GRAPH...: runs it in the background until it says "going" and is in the journal (where it
# has changed nothing, that comes later); its keeper is $run
begin() { local before; before=$(runs); rm -f "$dir/going" "$dir/go"; "$upkeep" run "$@" >"$dir/run" 2>&1 & run=$!
	until_true test -e "$dir/going"; until_true eval '[ "$(runs)" != "$before" ]'; }
runs() { [ -e "$dir/state/journal.db" ] && "$upkeep" history --json | jq -r '.[].run'; }
engine() { pgrep -P "$run" | head -n 1; }
# waits: a script that says "going" and waits to be let go
waits="touch $dir/going; until test -e $dir/go; do sleep 0.05; done"
# crash: keeper and engine are killed at once; neither sees the other's end
crash() { local engine; engine=$(engine); kill -STOP "$engine" && die "$run" "$engine"; }
# other_boot: whoever held the lock of the last run lived in another boot
other_boot() { sed -i 's/ [^ ]*$/ 00000000-0000-0000-0000-000000000000/' \
	"$dir/state/runs/$("$upkeep" history --json | jq -r '.[0].run')/lock"; }
