#!/bin/bash
# SPDX-License-Identifier: MIT
# An author's day: install upkeep's kit into a prefix, make a plugin from the template out
# of the tree by the pkg-config file alone, test it, lint it.
: "${INSTRUMENTED:=}"
set -u
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
n=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }
echo 1..14
root=$dir/root
unset MAKEFLAGS MFLAGS
make -C "$top_builddir" -s install DESTDIR="$root" >"$dir/install.log" 2>&1
ok $? "make install DESTDIR"
pc=$(find "$root" -name upkeep-plugin.pc)
prefix=$(sed -n 's/^prefix=//p' "$pc")
export PKG_CONFIG_PATH=${pc%/*}
mkdir "$dir/bin"
# pkg-config moves a relocated prefix; the wrapper stands for an installed one.
printf '#!/bin/sh\nexec pkg-config --define-variable=prefix=%s "$@"\n' "$root$prefix" >"$dir/bin/pc"
chmod +x "$dir/bin/pc"
up=$root$prefix/bin/upkeep
export UPKEEP_TEMPLATE_DIR=$root$prefix/share/upkeep/template
cd "$dir" && "$up" new plugin my-notes >"$dir/new.log" 2>&1
ok $? "upkeep new plugin"
"$up" new plugin my-notes >/dev/null 2>&1; [ $? = 70 ]; ok $? "it overwrites nothing"
"$up" new plugin No_Name >/dev/null 2>&1; [ $? = 64 ]; ok $? "a bad name is refused"
cd my-notes || exit 99
[ "$(wc -l <my-notes.c)" -lt 100 ]; ok $? "the whole plugin is under 100 lines"
sed -i "s,pkg-config,$dir/bin/pc,g" Makefile
# The plugin is built as its author would; its test links our library, instrumented or not.
make >"$dir/check.log" 2>&1 &&
	PATH=$root$prefix/bin:$PATH make check CFLAGS="-g $INSTRUMENTED" >>"$dir/check.log" 2>&1
ok $? "make, its tests and upkeep lint plugin" || sed 's/^/# /' "$dir/check.log"
"$up" lint plugin ./my-notes.so --run note path="$dir/note" >"$dir/lint.log" 2>&1
ok $? "lint --run: undo twice, undo of nothing, cancel, closed descriptors"
sed 's/^/# /' "$dir/lint.log"
sed -i 's/static int32_t note_run/int32_t note_run/; s/"how often"/"how often."/' my-notes.c
sed -i 's/ -fvisibility=hidden//' Makefile && rm -f my-notes.so && make >/dev/null 2>&1
out=$("$up" lint plugin ./my-notes.so)
[[ $? = 69 && $out == *'"note_run" too'* && $out == *'full stop'* ]]
ok $? "lint finds a second symbol and a bad sentence"

# The same day with autotools: the m4 macro, libtool, an installed header and library.
if ! autoreconf --version >/dev/null 2>&1 || ! libtoolize --version >/dev/null 2>&1; then
	for ((i = 0; i < 6; i++)); do ok 0 "upkeep.m4 # SKIP no autotools"; done
	exit 0
fi
cd "$dir" && "$up" new plugin by-tools >/dev/null 2>&1 && cd by-tools && rm Makefile || exit 99
cat >configure.ac <<'END'
AC_INIT([by-tools], [1.0])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
LT_INIT([disable-static])
UPKEEP_PLUGIN_PREREQ([1])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
END
cat >Makefile.am <<'END'
AM_CPPFLAGS = $(UPKEEP_PLUGIN_CFLAGS)
plugindir = $(UPKEEP_PLUGIN_DIR)
plugin_LTLIBRARIES = by-tools.la
by_tools_la_SOURCES = by-tools.c
by_tools_la_LDFLAGS = $(UPKEEP_PLUGIN_LDFLAGS)
check_PROGRAMS = test_by-tools
TESTS = $(check_PROGRAMS)
test_by_tools_SOURCES = test_by-tools.c by-tools.c
test_by_tools_CPPFLAGS = $(AM_CPPFLAGS) -UNDEBUG
test_by_tools_LDADD = $(UPKEEP_PLUGIN_TEST_LIBS)
END
step() { "$@" >"$dir/step.log" 2>&1; local r=$?; [ $r = 0 ] || sed 's/^/# /' "$dir/step.log"; return $r; }
export PKG_CONFIG=$dir/bin/pc
unset CFLAGS CPPFLAGS LDFLAGS LIBS
step autoreconf -i -I "$root$prefix/share/aclocal"
ok $? "autoreconf finds upkeep.m4 where it was installed"
mkdir build && cd build && step ../configure --prefix="$dir/usr" ${INSTRUMENTED:+CFLAGS="-g $INSTRUMENTED"}
ok $? "configure"
step make; ok $? "make"
[ "$(nm -D --defined-only .libs/by-tools.so | awk '{ print $3 }')" = upkeep_plugin ]
ok $? "it shows upkeep_plugin alone"
step make check && grep -q '^# PASS:  1' "$dir/step.log"; ok $? "make check"
sed -i 's/PREREQ(\[1\])/PREREQ([2])/' ../configure.ac
(cd .. && step autoreconf -I "$root$prefix/share/aclocal") && ! ../configure >"$dir/step.log" 2>&1 &&
	grep -q "this plugin is written for upkeep's plugin ABI 2, and the upkeep found has 1" "$dir/step.log"
ok $? "another major is refused, with both figures"
