#!/bin/bash
# SPDX-License-Identifier: MIT
# The contract's types compared with those recorded for 1.0: only appends pass.
#	abi-check.t --record    records them anew (before the first release, with a reason)
set -u
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
compat=$top_srcdir/tests/compat
if ! command -v abidw >/dev/null; then
	echo "1..0 # SKIP abigail-tools is not installed"
	exit 0
fi

record() { # header's directory, result
	${CC:-cc} -std=gnu17 -g -O0 -shared -fPIC -fvisibility=hidden -I"$1" -o "$dir/reference.so" \
		"$compat/reference.c" && abidw --no-corpus-path --no-comp-dir-path --no-show-locs \
		--out-file "$2" "$dir/reference.so"
}
# Members may be added behind the last; nothing else may differ.
passes() {
	! abidiff --no-show-locs --leaf-changes-only "$compat/1.0/abi.xml" "$1" |
		grep -Eq 'deletion|offset changed|data member change|type name changed|entity changed|alignment changed|[1-9][0-9]* Removed'
}
variant() { # sed script → directory with a changed header
	rm -rf "$dir/v" && mkdir -p "$dir/v/upkeep"
	sed "$1" "$top_srcdir/plugin-api/upkeep/plugin.h" >"$dir/v/upkeep/plugin.h"
	! cmp -s "$dir/v/upkeep/plugin.h" "$top_srcdir/plugin-api/upkeep/plugin.h" &&
		record "$dir/v" "$dir/v.xml"
}
if [ "${1:-}" = --record ]; then
	record "$top_srcdir/plugin-api" "$compat/1.0/abi.xml" &&
		sed -i "s,path='[^']*/tests/compat/,path='tests/compat/," "$compat/1.0/abi.xml"
	exit
fi
n=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }
echo 1..5
record "$top_srcdir/plugin-api" "$dir/now.xml" && passes "$dir/now.xml"
ok $? "today's contract agrees with 1.0"
variant '/^struct upkeep_undo {/,/^};/s/^};/	uint64_t later;\n};/' && passes "$dir/v.xml"
ok $? "a field appended passes"
variant 's/^	const char \*kind;   .*/	uint64_t early;\n&/' && ! passes "$dir/v.xml"
ok $? "a field inserted fails"
variant 's/^	uint32_t attempt;.*/	uint32_t flags;/; s/^	uint32_t flags;       \/\* none yet: 0 \*\//	uint32_t attempt;/' && ! passes "$dir/v.xml"
ok $? "fields that change places fail"
variant 's/^	int64_t started_s;/	int32_t started_s, rest;/' && ! passes "$dir/v.xml"
ok $? "a field of another type fails"
