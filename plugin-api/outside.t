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
echo 1..8
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
