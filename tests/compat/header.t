#!/bin/bash
# SPDX-License-Identifier: MIT
# The header as C++, as C by two compilers, and refusing a member of another type.
set -u
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
inc=-I$top_srcdir/plugin-api
echo 1..3
if ${CXX:-c++} --version >/dev/null 2>&1; then
	${CXX:-c++} -std=gnu++20 -Wall -Werror "$inc" -o "$dir/cxx" "$top_srcdir/tests/compat/header.cc" &&
		"$dir/cxx" && echo "ok 1 - C++" || echo "not ok 1 - C++"
else
	echo "ok 1 - C++ # SKIP no C++ compiler"
fi
printf '%s\n' '#include <upkeep/plugin.h>' 'struct a { int32_t n; };' \
	'const struct upkeep_param p[] = { UPKEEP_PARAM_INT(struct a, n, "x") };' >"$dir/wrong.c"
! ${CC:-cc} -std=gnu17 "$inc" -c -o "$dir/wrong.o" "$dir/wrong.c" 2>/dev/null &&
	echo "ok 2 - a member of another type is refused" || echo "not ok 2 - a member of another type"
sed -i s/int32_t/int64_t/ "$dir/wrong.c"
${CC:-cc} -std=gnu17 -Wall -Wextra -Werror "$inc" -c -o "$dir/wrong.o" "$dir/wrong.c" &&
	echo "ok 3 - and of the right type taken" || echo "not ok 3 - and of the right type taken"
