#!/bin/bash
# SPDX-License-Identifier: MIT
# Every way in which a plugin is refused: what is wrong, both sides' figures, what to do.
set -u
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
n=0
ok() { n=$((n + 1)); if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }
upkeep=$top_builddir/core/upkeep
so=$dir/fixture.so

build() { # options
	${CC:-cc} -std=gnu17 -shared -fPIC -fvisibility=default "$@" -I"$top_srcdir/plugin-api" \
		-I"$top_srcdir/tests/compat" -o "$so" "$top_srcdir/tests/compat/fixture.c"
}
# The answer is a value tree: names and texts end with NUL, a text begins with its kind.
describe() { "$upkeep" --describe-plugin fixture "$so" 3<"$so" >"$dir/answer" 2>/dev/null; }
words() { tr '\0' '\n' <"$dir/answer" | LC_ALL=C sed 1d; }
texts() { words | LC_ALL=C sed -n "/^$1\$/{n;s/^.//;p}"; }
says() { # title, words, what to do
	local code
	describe
	code=$?
	[ $code = 69 ] && [ "$(texts refused)" = "$2" ] && [ "$(texts next)" = "$3" ]
	ok $? "$1" && return
	printf '# code %s: %s, %s\n# wanted: %s | %s\n' $code "$(texts refused)" "$(texts next)" "$2" "$3"
}
refused() { # title, options, words, what to do
	# shellcheck disable=SC2086
	build "$2" || { ok 1 "$1 builds"; return; }
	says "$1" "$3" "$4"
}
taken() { # title, options
	build "${@:2}" && describe && [[ $(texts name | tr '\n' ' ') == *' act '*' second '* ]]
	ok $? "$1" || words | sed 's/^/# /'
}
build_again="build the plugin again with this host's <upkeep/plugin.h>"
use_macro="define it with UPKEEP_PLUGIN(...) of upkeep/plugin.h"
mend="mend the plugin and build it again; upkeep lint plugin FILE.so lists what is wrong"
damaged="plugin $so is damaged: "
act="plugin \"fixture\": action \"act\": "

echo 1..87
taken "a good one is described" -DGOOD

# The file.
libraries="build it for this machine with all its symbols (link with -Wl,-z,defs), and install the libraries that it needs (ldd FILE.so)"
refused "no symbol" -DNO_SYMBOL "$so is not a plugin: it has no symbol \"upkeep_plugin\"" "$use_macro"
refused "an undefined function" -DUNDEFINED "plugin $so cannot be loaded: undefined symbol: not_there" "$libraries"
echo garbage >"$so"
says "garbage" "plugin $so cannot be loaded: file too short" "$libraries"
head -c 4096 /dev/zero >"$so"
says "not an ELF file" "plugin $so cannot be loaded: invalid ELF header" "$libraries"
echo 'int needed(void) { return 1; }' >"$dir/dep.c"
${CC:-cc} -shared -fPIC -o "$dir/libneeded.so" "$dir/dep.c"
build -DGOOD -Wl,--no-as-needed "$dir/libneeded.so"
rm "$dir/libneeded.so"
says "a missing library" "plugin $so cannot be loaded: $dir/libneeded.so: cannot open shared object file: No such file or directory" "$libraries"

# The head.
refused magic '-DHEAD=.magic = UPKEEP_MAGIC + 1,' "$so is not a plugin: its symbol \"upkeep_plugin\" begins with 0x75706b71; this host expects 0x75706b70" "$use_macro"
refused "another major" '-DHEAD=.abi_major = 2,' "plugin $so is made for ABI 2.0; this host has 1.0 and loads only major 1" "$build_again, or install its version for this major"
refused "the major before" '-DHEAD=.abi_major = 0, .abi_minor = 9,' "plugin $so is made for ABI 0.9; this host has 1.0 and loads only major 1" "$build_again, or install its version for this major"
refused "a newer host needed" '-DHEAD=.needs_minor = 7,' "plugin $so needs a host of ABI 1.7 or newer; this host has 1.0" "install a newer upkeep, or an older version of the plugin"
size() { # field, struct, size of 1.0
	local figure
	for figure in 0 16 $(($3 - 8)) $(($3 + 4)) 4104; do
		refused "$2 of $figure bytes" "-DHEAD=.$1 = $figure," "${damaged}its struct $2 has $figure bytes; this host expects $3 to 4096, divisible by 8" "$build_again"
	done
}
size struct_size upkeep_plugin 112
size param_stride upkeep_param 88
size action_stride upkeep_action 112
size output_stride upkeep_output 24
refused "its name" '-DNAME="other"' "the file $so holds a plugin that is named \"other\"; it must be named \"fixture\"" "rename the file, or the plugin in UPKEEP_PLUGIN(.name = ...)"
refused "a bad name" '-DNAME="Other"' "the plugin's name is not of the form [a-z][a-z0-9-]*, up to 63 characters" "$mend"
refused "no version" '-DHEAD=.version = NULL,' "plugin \"fixture\" has no version, or a text longer than 64 KiB" "$mend"
refused "a long sentence" '-DHEAD=.about = long_text,' "plugin \"fixture\" has no version, or a text longer than 64 KiB" "$mend"

# Tables.
refused "actions that are none" '-DHEAD=.actions = NULL, .action_count = 3,' "${damaged}the table of actions has 3 entries and no table; this host takes at most 256" "$build_again"
refused "too many actions" '-DHEAD=.action_count = 100000,' "${damaged}the table of actions has 100000 entries; this host takes at most 256" "$build_again"
refused "no action" '-DHEAD=.action_count = 0,' 'plugin "fixture" has 0 actions; it must have 1 to 256' "$mend"
refused "too many settings" '-DHEAD=.settings = params, .setting_count = 257,' "${damaged}settings has 257 entries; this host takes at most 256" "$build_again"
refused "settings that are none" '-DHEAD=.setting_count = 1,' "${damaged}settings has 1 entries and no table; this host takes at most 256" "$build_again"
refused "too many parameters" '-DACTION=.param_count = 257,' "${damaged}act has 257 entries; this host takes at most 256" "$build_again"
refused "too many outputs" '-DACTION=.output_count = 300,' "${damaged}act has 300 entries; this host takes at most 256" "$build_again"
refused "groups without end" '-DACTION=.params = deep, .param_count = 1,' "plugin $so: act has groups more than 8 levels deep" "$build_again"
refused "a struct too large" '-DACTION=.params_size = 2097152,' "${act%: }: 2 parameters in a struct of 2097152 bytes, 0 levels deep; at most 256 in 1048576, 8 deep" "$mend"
refused "no run" '-DACTION=.run = NULL,' "plugin $so: action \"act\" has no run" "set .run of the action"

# Actions.
refused "an action's name" '-DACTION=.name = "Act",' 'plugin "fixture": action "Act": "Act": is not a name of the form [a-z][a-z0-9-]*, up to 63 characters' "$mend"
refused "an action twice" '-DACTION=.name = "second",' 'plugin "fixture": action "second": "second": is an action twice' "$mend"
refused "an unknown class of changes" -DCHANGES=4 "$act\"act\": \`changes\` is none of UPKEEP_CHANGES_*" "$mend"
refused "an action's long manual" '-DACTION=.manual = long_text,' "$act\"act\": has a text longer than 64 KiB" "$mend"
refused "an action's unknown flag" '-DACTION=.flags = 4096,' "$act\"act\": has a flag that its ABI does not have" "$mend"
refused "a stream that it does not read" '-DACTION=.flags = UPKEEP_STREAM_IN_NEEDED,' "$act\"act\": needs a stream that it does not read" "$mend"
refused "unknown arguments without a plan" '-DACTION=.flags = UPKEEP_PLANS_UNKNOWN,' "$act\"act\": plans with unknown arguments and has no plan" "$mend"
refused "records without an undo" -DCHANGES=UPKEEP_CHANGES_RECORDED "$act\"act\": writes undo records and has no undo" "$mend"

# Parameters, which are settings and fields of groups too.
param() { refused "$1" "-DPARAMS={ .about = \"x\", $2 }," "$act\"${4-x}\": $3" "$mend"; }
param "a parameter's name" '.name = "No", .type = UPKEEP_INT' 'is not a name of the form [a-z][a-z0-9_]*, up to 63 characters' No
param "a key of the core" '.name = "retry", .type = UPKEEP_INT' 'is a key of the core; choose another name' retry
param "a parameter twice" '.name = "n", .type = UPKEEP_INT' 'is there twice' n
param "a long default" '.name = "x", .type = UPKEEP_STRING, .preset = long_text' 'has a text longer than 64 KiB'
param "an unknown flag" '.name = "x", .type = UPKEEP_INT, .flags = 4096' 'has a flag that its ABI does not have'
param "a choice without choices" '.name = "x", .type = UPKEEP_CHOICE' 'choices belong to the type CHOICE, and there to every parameter'
param "a number with choices" '.name = "x", .type = UPKEEP_INT, .choices = "a|b"' 'choices belong to the type CHOICE, and there to every parameter'
param "a group without fields" '.name = "x", .type = UPKEEP_GROUP, .fields_size = 8' 'fields belong to the type GROUP, and there to every parameter'
param "an unknown type" '.name = "x", .type = 99' 'type 99 is not known to this host (ABI 1.0)'
param "outside its struct" '.name = "x", .offset = 16, .type = UPKEEP_INT' 'a int at offset 16 (8 bytes, aligned to 8) does not lie in its struct of 16 bytes'
param "badly aligned" '.name = "x", .offset = 4, .type = UPKEEP_INT' 'a int at offset 4 (8 bytes, aligned to 8) does not lie in its struct of 16 bytes'
param "a list that does not fit" '.name = "x", .offset = 8, .type = UPKEEP_LIST | UPKEEP_PATH' 'a list of path at offset 8 (16 bytes, aligned to 8) does not lie in its struct of 16 bytes'
param "required with a default" '.name = "x", .type = UPKEEP_INT, .flags = UPKEEP_REQUIRED, .preset = "1"' 'is required and has a default; leave one out'
param "a group with a default" '.name = "x", .type = UPKEEP_GROUP, .fields = deep, .field_count = 0, .preset = "1"' 'fields belong to the type GROUP, and there to every parameter'
bounds='its default is not of its type, or outside its bounds or choices'
param "a default of another type" '.name = "x", .type = UPKEEP_INT, .preset = "many"' "$bounds"
param "a default outside its bounds" '.name = "x", .type = UPKEEP_INT, .min = 1, .max = 9, .preset = "77"' "$bounds"
param "a default below an open bound" '.name = "x", .type = UPKEEP_SIZE, .min = 4096, .max = 0, .preset = "1KiB"' "$bounds"
param "a default that is no choice" '.name = "x", .type = UPKEEP_CHOICE, .choices = "a|b", .preset = "c"' "$bounds"
param "a default of a list" '.name = "x", .type = UPKEEP_LIST | UPKEEP_INT, .preset = "1|two"' "$bounds"
no_undo='NO_UNDO belongs to a BOOL or CHOICE with a default, of an action whose changes are recorded'
param "NO_UNDO of what has no undo" '.name = "x", .type = UPKEEP_BOOL, .flags = UPKEEP_NO_UNDO, .preset = "false"' "$no_undo"
refused "a setting's fault" '-DHEAD=.settings = deep, .setting_count = 1, .settings_size = 4,' "plugin $so: settings has groups more than 8 levels deep" "$build_again"

# Outputs.
output() { refused "$1" "-DOUTPUTS=$2," "$act\"$4\": $3" "$mend"; }
output "an output's name" 'UPKEEP_OUT("No", UPKEEP_INT, "x")' 'is not a name for an output: [a-z][a-z0-9_]*, up to 63 characters' No
output "an output's type" 'UPKEEP_OUT("x", UPKEEP_GROUP, "x")' 'an output has a type other than GROUP' x
output "an output twice" 'UPKEEP_OUT("x", UPKEEP_INT, "x"), UPKEEP_OUT("x", UPKEEP_INT, "x")' 'is an output twice' x

# The promise: what was built against 1.0, and what comes from a later minor.
taken "a plugin built against the frozen 1.0 header" -DOLD_HEADER
but_minor() { words | sed '/^abi_minor$/,+7d'; } # a name, and a number of nine bytes
build -DGOOD && describe && but_minor >"$dir/today"
later() { # title, lines of later.sed
	mkdir -p "$dir/later/upkeep"
	grep -E "$2" "$top_srcdir/tests/compat/later.sed" >"$dir/later.sed"
	sed -f "$dir/later.sed" "$top_srcdir/plugin-api/upkeep/plugin.h" >"$dir/later/upkeep/plugin.h"
	build -DGOOD -I"$dir/later" && describe && but_minor >"$dir/seen"
	! cmp -s "$top_srcdir/plugin-api/upkeep/plugin.h" "$dir/later/upkeep/plugin.h" &&
		cmp -s "$dir/today" "$dir/seen"
	ok $? "$1" || diff "$dir/today" "$dir/seen" | sed 's/^/# /'
}
later "a later minor" ABI_MINOR
later "... with longer parameters is read by their stride" 'ABI_MINOR|fields_size'
later "... with longer outputs" 'ABI_MINOR|struct upkeep_output'
later "... with longer actions" 'ABI_MINOR|\*undo'
later "... with a longer head" 'ABI_MINOR|\*close'
later "... with everything longer" .
minor='-DHEAD=.abi_minor = 9,'
taken "a later minor's unknown flags" "$minor" '-DACTION=.flags = 4096,' '-DPARAMS={ .name = "x", .about = "x", .type = UPKEEP_INT, .flags = 4096 },'
taken "a later minor's parameter gives way to no key of the core" "$minor" '-DPARAMS={ .name = "retry", .about = "x", .type = UPKEEP_INT },'
build "$minor" '-DPARAMS={ .name = "x", .about = "x", .type = 99 },'
says "a later minor's unknown type" "$act\"x\": type 99 is not known to this host (ABI 1.0)" "$mend"
cmp -s "$top_srcdir/plugin-api/upkeep/plugin.h" "$top_srcdir/tests/compat/1.0/plugin.h" ||
	grep -q 'ABI_MINOR [1-9]' "$top_srcdir/plugin-api/upkeep/plugin.h"
ok $? "the header is the frozen one, or its minor was raised"
[ $n = 87 ] || echo "# $n tests"
