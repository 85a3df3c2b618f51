#!/bin/bash
# SPDX-License-Identifier: MIT
# Every way in which a plugin is refused, with its message.
set -u
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
n=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }

build() { # out, options
	local out=$1
	shift
	${CC:-cc} -std=gnu17 -shared -fPIC -fvisibility=default -I"$top_srcdir/plugin-api" \
		-I"$top_srcdir/tests/compat" "$@" -o "$out" "$top_srcdir/tests/compat/fixture.c"
}
describe() { "$top_builddir/core/upkeep" --describe-plugin "$1" "$2" 3<"$2" 2>/dev/null; }
refused() { # option, words of the message
	build "$dir/fixture.so" "-D$1" || { ok 1 "$1 builds"; return; }
	answer=$(describe fixture "$dir/fixture.so")
	code=$?
	[ $code = 69 ] && [[ $answer == *'"refused"'*"$2"* ]]
	ok $? "$1: $2" && return
	echo "# $code $answer"
}

echo 1..24
build "$dir/fixture.so" -DGOOD
answer=$(describe fixture "$dir/fixture.so"); code=$?
[ $code = 0 ] && [[ $answer == *'"name":"act"'* ]]; ok $? "a good one is described"
refused BAD_MAGIC 'begins with 0x75706b71; this host expects 0x75706b70'
refused BAD_MAJOR 'is made for ABI 2.0; this host has 1.0 and loads only major 1'
refused BAD_MINOR 'needs a host of ABI 1.7 or newer; this host has 1.0'
refused BAD_SIZE 'its struct upkeep_plugin has 64 bytes; this host expects 112 to 4096'
refused BAD_STRIDE 'its struct upkeep_param has 16 bytes; this host expects 88 to 4096'
refused BAD_COUNT 'the table of actions has 100000 entries; this host takes at most 256'
refused NO_ACTIONS 'has 0 actions; it must have 1 to 256'
refused BAD_OFFSET '\"far\": a int at offset 12 (8 bytes, aligned to 8) does not lie in its struct of 16 bytes'
refused BAD_TYPE '\"odd\": type 99 is not known to this host (ABI 1.0)'
refused CORE_KEY '\"retry\": is a key of the core'
refused TWICE '\"n\": is there twice'
refused BAD_NAME '\"No\": is not a name of the form'
refused BAD_PRESET '\"n\": its default is not of its type, or outside its bounds'
refused NO_RUN 'action \"act\" has no run'
refused NO_SYMBOL 'it has no symbol \"upkeep_plugin\"'
refused UNDEFINED 'cannot be loaded: undefined symbol: not_there'
refused 'NAME="other"' 'holds a plugin that is named \"other\"; it must be named \"fixture\"'

echo garbage >"$dir/fixture.so"
[[ $(describe fixture "$dir/fixture.so") == *'cannot be loaded: file too short'* ]]
ok $? "a garbage file"
head -c 4096 /dev/zero >"$dir/fixture.so"
[[ $(describe fixture "$dir/fixture.so") == *'cannot be loaded: invalid ELF header'* ]]
ok $? "not an ELF file"

echo 'int needed(void) { return 1; }' >"$dir/dep.c"
${CC:-cc} -shared -fPIC -o "$dir/libneeded.so" "$dir/dep.c"
build "$dir/fixture.so" -DGOOD -Wl,--no-as-needed "$dir/libneeded.so"
rm "$dir/libneeded.so"
[[ $(describe fixture "$dir/fixture.so") == *'libneeded.so: cannot open shared object file'* ]]
ok $? "a missing dependency is named"

# The promise: what was built against 1.0, and what comes from a later minor.
build "$dir/fixture.so" -DOLD_HEADER && [[ $(describe fixture "$dir/fixture.so") == *'"name":"act"'* ]]
ok $? "a plugin built against the frozen 1.0 header loads"
build "$dir/fixture.so" -DSTRIDE_NEWER && answer=$(describe fixture "$dir/fixture.so")
[[ $answer == *'"name":"text"'* ]]; ok $? "longer table elements of a later minor are read by their stride"
cmp -s "$top_srcdir/plugin-api/upkeep/plugin.h" "$top_srcdir/tests/compat/1.0/plugin.h" ||
	grep -q 'ABI_MINOR [1-9]' "$top_srcdir/plugin-api/upkeep/plugin.h"
ok $? "the header is the frozen one, or its minor was raised"
