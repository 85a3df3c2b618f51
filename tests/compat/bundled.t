#!/bin/bash
# SPDX-License-Identifier: MIT
# The bundled plugins keep the promise that is asked of others: one symbol, and a clean lint.
set -u
shopt -s nullglob
n=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }

plugins=("$top_builddir"/plugins/.libs/*.so)
echo 1..$((2 * ${#plugins[@]} + 3))
names=${plugins[*]##*/}
[[ " $names " == *' files.so '* && " $names " == *' system.so '* && " $names " == *' backup.so '* ]]
ok $? "files, system and backup are built: $names"
for plugin in "${plugins[@]}"; do
	symbols=$(nm -D --defined-only "$plugin" | awk '{ print $3 }')
	[ "$symbols" = upkeep_plugin ]; ok $? "${plugin##*/} shows upkeep_plugin alone"
	[ "$symbols" = upkeep_plugin ] || echo "# $symbols"
	answer=$("$top_builddir/core/upkeep" lint plugin "$plugin"); ok $? "${plugin##*/} passes the lint"
	echo "${answer//$'\n'/$'\n# '}" | sed '1s/^/# /'
done
# And the test can tell: a plugin that shows more than it should.
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
${CC:-cc} -std=gnu17 -shared -fPIC -I"$top_srcdir/plugin-api" -DGOOD -DSHOWS_MORE \
	-o "$dir/fixture.so" "$top_srcdir/tests/compat/fixture.c"
! "$top_builddir/core/upkeep" lint plugin "$dir/fixture.so" >/dev/null &&
	[ "$(nm -D --defined-only "$dir/fixture.so" | wc -l)" = 2 ]
ok $? "a second symbol is seen by both"
${CC:-cc} -std=gnu17 -shared -fPIC -I"$top_srcdir/plugin-api" -DGOOD \
	-DPARAMS='UPKEEP_PARAM_PATH(struct args, text, "a program", .name = "program", .flags = UPKEEP_SEARCHED),' \
	-o "$dir/fixture.so" "$top_srcdir/tests/compat/fixture.c"
answer=$("$top_builddir/core/upkeep" lint plugin "$dir/fixture.so")
ok $? "a program that may be a bare name is no fault"
echo "${answer//$'\n'/$'\n# '}" | sed '1s/^/# /'
