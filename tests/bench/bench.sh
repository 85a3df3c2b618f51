# SPDX-License-Identifier: MIT
# Sourced by the benchmarks (bash).  Figures are ratios of processor time, medians of
# alternating runs; $ROUNDS (5) of them.
set -eu
: "${ROUNDS:=5}" "${top_builddir:=.}" "${top_srcdir:=.}" "${CC:=cc}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
upkeep=$top_builddir/core/upkeep
export UPKEEP_PLUGIN_DIR=$top_builddir/plugins/.libs

# build NAME: compiles tests/bench/NAME.c to $work/NAME.
build() {
	$CC -D_GNU_SOURCE -O2 -o "$work/$1" "$top_srcdir/tests/bench/$1.c"
}
build measure

# sample NAME COMMAND...: one run; keeps its figures as a row of $work/NAME.rows.
sample() {
	sample_times "$1" 1 "${@:2}"
}

# sample_times NAME TIMES COMMAND...: the same for commands too short to measure alone.
sample_times() {
	local name=$1
	shift
	if ! "$work/measure" "$work/row" "$@" >"$work/out" 2>&1 </dev/null; then
		echo "# $name failed: $*" >&2
		tail -n 5 "$work/out" >&2
		return 1
	fi
	cat "$work/row" >>"$work/$name.rows"
}

# total NAME PART...: a row of NAME that is the sum of the last rows of the parts, in CPU and wall.
total() {
	local part
	for part in "${@:2}"; do tail -n 1 "$work/$part.rows"; done |
		awk '{ cpu += $1; wall += $3 } END { print cpu, 0, wall }' >>"$work/$1.rows"
}

# middle NAME COLUMN: the median of a column (1: CPU in us, 2: peak in KiB, 3: wall in us).
middle() {
	cut -d' ' -f"$2" "$work/$1.rows" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# pairs NAME OTHER COLUMN: the median of the ratios of each round, for two samples that were taken one
# after the other: a machine that is slow for a while is slow for both.
pairs() {
	paste -d' ' <(cut -d' ' -f"$3" "$work/$1.rows") <(cut -d' ' -f"$3" "$work/$2.rows") |
		awk '{ print $1 / $2 }' | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# figure NAME VALUE OTHER LIMIT: prints VALUE/OTHER against the limit.
figure() {
	awk -v name="$1" -v a="$2" -v b="$3" -v limit="$4" 'BEGIN { ratio = a / b
		printf "%-44s %9.3f %9.3f %s\n", name, ratio, limit, ratio <= limit ? "ok" : "MISSED" }'
}
