#!/bin/bash
# SPDX-License-Identifier: MIT
# Plugins and hosts of three ages: the recorded 1.0, today's, and a later minor in which every
# struct has grown.  Any plugin runs in any host.
set -u
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
compat=$top_srcdir/tests/compat
n=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }
compile() { ${CC:-cc} -std=gnu17 -D_GNU_SOURCE -Wall -Wextra "$@"; }

echo 1..12
mkdir -p "$dir/later/upkeep"
sed -f "$compat/later.sed" "$top_srcdir/plugin-api/upkeep/plugin.h" >"$dir/later/upkeep/plugin.h"
cp "$top_srcdir/plugin-api/upkeep/testing.h" "$dir/later/upkeep"
[ "$(grep -Ec '	.*(\blater(\[2\])?;|\(\*later\))' "$dir/later/upkeep/plugin.h")" = 9 ]
ok $? "in the header of a later minor, nine structs have grown"

plugin() { # age, options
	compile -shared -fPIC -fvisibility=hidden -Wl,-z,defs "${@:2}" -I"$compat" -o "$dir/$1.so" \
		"$compat/traveller.c"
	ok $? "a plugin of the age \"$1\" is built"
}
plugin recorded -DFROZEN
plugin today -I"$top_srcdir/plugin-api"
plugin later -I"$dir/later"

compile -I"$compat" -o "$dir/recorded-host" "$compat/recorded-host.c" -ldl
ok $? "the recorded host is built"
sources=()
for source in base/{arena,clock,error,file,map,spawn,text} worker/{admit,decode,rules} \
	model/{core_actions,describe,describe_check,nearest,param,scalar,value} \
	testing/{host,seen,spawn,testing,tree}; do
	sources+=("$top_srcdir/core/$source.c")
done
compile -I"$dir/later" -I"$top_srcdir/core" -I"$top_srcdir" -DPACKAGE_VERSION='"later"' \
	-o "$dir/later-host" "$compat/later-host.c" "${sources[@]}" -pthread -ldl
ok $? "the later host is built of the core's own sources"

says() { # what, program, arguments
	answer=$("${@:3}" 2>&1)
	code=$?
	[ $code = 0 ] && [ "$answer" = "later=$1" ]
	ok $? "$2" && [ "$answer" = "later=$1" ] || echo "# code $code: $answer"
}
says whole "recorded plugin, recorded host" "$dir/recorded-host" "$dir/recorded.so"
says whole "today's plugin, recorded host" "$dir/recorded-host" "$dir/today.so"
says without "later plugin, recorded host: UPKEEP_HAS keeps it from what is not there" \
	"$dir/recorded-host" "$dir/later.so"
says whole "recorded plugin, later host" "$dir/later-host" "$dir/recorded.so" older
says whole "today's plugin, later host" "$dir/later-host" "$dir/today.so" older
says with "later plugin, later host: UPKEEP_HAS lets it" "$dir/later-host" "$dir/later.so" same
