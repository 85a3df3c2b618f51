#!/bin/bash
# SPDX-License-Identifier: MIT
# Random graphs of real processes in which tasks, and undos, fail at random: what was undone is
# what had started, less what a passed pivot keeps and a failed undo holds, and in a legal order.
# $UPKEEP_SEED (1), $UPKEEP_GRAPHS (25, with UPKEEP_LONG 125): a seed is a graph.
. "${0%/*}/tap.sh"
. "${0%/*}/undone.sh"
: "${UPKEEP_SEED:=1}" "${UPKEEP_GRAPHS:=${UPKEEP_LONG:+1}25}"
site <<<'jobs = 3;'

# make SEED: a graph, and in $dir/made a line a task: NAME NEEDS... FATE, which is one of fine,
# bad (it fails), stuck (its undo does) and pivot.
make() {
	awk -v seed="$1" 'BEGIN {
		srand(seed)
		n = 2 + int(rand() * 11)
		pivot = rand() < 0.4 ? int(rand() * n) : -1
		for (i = 0; i < n; i++) {
			needs = ""
			for (k = 0; k < i; k++)
				if (rand() < 2 / (i + 1))
					needs = needs " t" k
			fate = i == pivot ? "pivot" : rand() < 0.15 ? "bad" : rand() < 0.08 ? "stuck" : "fine"
			print "t" i needs, fate
		} }' >"$dir/made"
	{
		echo "g$1 = { tasks = {"
		while read -r name rest; do
			fate=${rest##* } script="$say $name" back="$say -$name" keys=
			needs=$(printf '%s' "$rest" | awk '{ for (i = 1; i < NF; i++) printf "%s\"%s\"", (i > 1 ? ", " : ""), $i }')
			case $fate in
			bad) script+="; exit 1" ;;
			stuck) back="$say !$name; exit 1" ;;
			pivot) keys="pivot = true;" ;;
			esac
			t "$name" "$script" "$(undo "$back" "retry = { attempts = 1; };") $keys ${needs:+after = [ $needs ];}"
		done <"$dir/made"
		echo "}; };"
	} | graphs
}

# judge CODE: prints what is wrong.  What was killed before it could say its name has started, too.
judge() {
	"$upkeep" show --json last | jq -r '.tasks[] | select(.started_ms > 0) | "started " + .task + " " + .state' >"$dir/started"
	awk -v code="$1" '
		function keep(t, what,  list, i, n) {
			if (t in what) return
			what[t] = 1
			n = split(needs[t], list)
			for (i = 1; i <= n; i++) keep(list[i], what)
		}
		FNR == NR {
			fate[$1] = $NF
			for (i = 2; i < NF; i++) needs[$1] = needs[$1] " " $i
			next
		}
		/^started / { at[$2]; state[$2] = $3; next }
		{ if ($0 in place) wrong($0 " twice"); at[$0]; place[$0] = ++line }
		function wrong(text) { print "# " text; failed = 1 }
		END {
			for (t in fate) {
				if ((t in place) && fate[t] == "bad") bad = 1
				if (state[t] == "succeeded" && fate[t] == "pivot") { passed = 1; keep(t, kept) }
			}
			for (t in fate)
				if (bad && (t in at) && fate[t] == "stuck" && !(t in kept)) {
					stuck = 1
					n = split(needs[t], list)
					for (i = 1; i <= n; i++) keep(list[i], held)
				}
			for (t in fate) {
				if (fate[t] == "stuck" && (("!" t) in at) != (bad && (t in at) && !(t in kept) && !(t in held)))
					wrong("undo of " t " was to fail")
				if ((("-" t) in at) != (bad && (t in at) && fate[t] != "stuck" && !(t in kept) && !(t in held)))
					wrong(t " undone: " (("-" t) in at))
				n = split(needs[t], list)
				for (i = 1; i <= n; i++) {
					if ((t in place) && place[list[i]] > place[t]) wrong(t " before " list[i])
					if ((("-" t) in at) && (("-" list[i]) in at) && place["-" list[i]] < place["-" t])
						wrong("-" list[i] " before -" t)
				}
			}
			want = !bad ? 0 : stuck ? 13 : passed ? 12 : 11
			if (code != want) wrong("ended with " code ", not " want)
			exit failed
		}' "$dir/made" "$dir/started" "$dir/order"
}

undone=0 held=0 kept=0 wrong=
for ((seed = UPKEEP_SEED; seed < UPKEEP_SEED + UPKEEP_GRAPHS; seed++)); do
	: >"$dir/order"
	make "$seed"
	code=0
	"$upkeep" run --quiet "g$seed" >"$dir/out" 2>&1 || code=$?
	judge "$code" || { wrong="$wrong $seed"; sed "s/^/# /" "$dir/made" "$dir/started" "$dir/order" "$dir/out"; }
	case $code in 11) undone=$((undone + 1)) ;; 12) kept=$((kept + 1)) ;; 13) held=$((held + 1)) ;; esac
done
ok "$UPKEEP_GRAPHS random graphs, from seed $UPKEEP_SEED: each undone as its edges say" test -z "$wrong"
ok "... of all kinds: $undone undone, $kept with a passed pivot, $held with a failed undo" test "$undone" -gt 0 -a "$kept" -gt 0 -a "$held" -gt 0
echo "1..$n"
