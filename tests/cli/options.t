#!/bin/bash
# SPDX-License-Identifier: MIT
# Options of run; help, completion; what is told of real plugins.
. "${0%/*}/tap.sh"
site <<<'plugins = { files = { }; logs = { plugin = "files"; }; system = { }; }; jobs = 2;'
graphs <<END
chain = { params = { word = { type = "string"; default = "plain"; about = "what is said"; };
                     times = { type = "int"; default = 1; about = "how often"; }; };
  tasks = {
  a = { action = "core.exec"; argv = [ "/bin/echo", "\${param.word}", "\${param.times}" ]; changes = "none"; };
  b = { action = "core.exec"; argv = [ "/bin/echo", "b" ]; changes = "none"; after = [ "a" ]; };
  c = { action = "core.exec"; argv = [ "/bin/echo", "c" ]; changes = "none"; after = [ "b" ]; }; }; };
needy = { params = { who = { type = "string"; }; }; tasks = { n = { action = "core.exec"; argv = [ "/bin/echo", "\${param.who}" ]; changes = "none"; }; }; };
ask = { tasks = { sure = { action = "core.confirm"; items = [ "the cellar is dry" ]; }; }; };
warn = { tasks = { w = { action = "core.exec"; argv = [ "/bin/false" ]; ignore_failure = true; changes = "none"; }; }; };
wide = { tasks = {
  x = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo >>$dir/n; sleep 0.3; wc -l <$dir/n; " ]; changes = "none"; };
  y = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo >>$dir/n; sleep 0.3; wc -l <$dir/n; " ]; changes = "none"; }; }; };
END
ran() { "$upkeep" show last --json | jq -r '[.tasks[] | select(.state == "succeeded").task] | sort | join(" ")'; }
ok "--param" code 0 "$upkeep" run --quiet chain --param word='two words' -p times=7
ok "... arrives as one value" test "$("$upkeep" log last a)" = "two words 7"
ok "--param of the wrong type" code 64 "$upkeep" run chain --param times=many
ok "... is named" has err times
ok "--param that is not there" code 64 "$upkeep" run chain --param wrod=x
ok "... the nearest is named" has err 'word'
ok "--param without a value" code 64 "$upkeep" run chain --param word
ok "... what to write" has err 'write --param NAME=VALUE'
ok "a graph that needs a parameter" code 64 "$upkeep" run needy
ok "... what to give" has err 'graph "needy" needs a value for its parameter "who"'
ok "... how" has err 'next: give it with --param NAME=VALUE'
ok "--only" code 0 "$upkeep" run --quiet chain --only b
ok "... that task" test "$(ran)" = b
ok "--only of no task" code 64 "$upkeep" run chain --only z
ok "--skip" code 0 "$upkeep" run --quiet chain --skip b
ok "... the others" test "$(ran)" = "a c"
ok "--start-at" code 0 "$upkeep" run --quiet chain --start-at b
ok "... it and what follows" test "$(ran)" = "b c"
ok "warnings" code 0 "$upkeep" run warn
ok "... are counted" has out "1 warning"
ok "--strict" code 12 "$upkeep" run --strict --quiet warn
ok "core.confirm without an answer" code 10 "$upkeep" run --quiet ask </dev/null
ok "--yes" code 0 "$upkeep" run --quiet --yes ask </dev/null
ok "--jobs 1" code 0 "$upkeep" run --quiet --jobs 1 wide
ok "... one after the other" test "$("$upkeep" log last --json | jq -r '[.[].text | tonumber] | sort | join(" ")')" = "1 2"
rm "$dir/n"
ok "--jobs 2" code 0 "$upkeep" run --quiet -j 2 wide
ok "... both at once" test "$("$upkeep" log last --json | jq -r '[.[].text | tonumber] | sort | join(" ")')" = "2 2"
ok "--jobs x" code 64 "$upkeep" run --jobs x wide
ok "plugins" code 0 "$upkeep" plugins --json
ok "... three instances of two" json 'map(.instance + "=" + .plugin) | sort == ["files=files", "logs=files", "system=system"]'
ok "doc of a plugin's action" code 0 "$upkeep" doc logs.expire
ok "... its parameters" has out "older_than (duration)"
ok "... its undo" has out "Undo: yes"
ok "doc --json" code 0 "$upkeep" doc logs.expire --json
ok "... a schema" json '.properties.older_than.type == "string" and .properties.paths.type == "array"'
ok "doc of no action" code 64 "$upkeep" doc logs.expier
ok "... the nearest is named" has err 'did you mean "expire"?'
# Help: the whole text; a change of it is a change of a file here.
here=$(cd "${0%/*}" && pwd)
for file in "$here"/help/*.txt; do
	name=${file##*/}; name=${name%.txt}; words=${name//-/ }
	[ "$name" = upkeep ] && words=
	# shellcheck disable=SC2086
	"$upkeep" $words --help >"$dir/help"
	ok "upkeep${words:+ }$words --help" diff -u "$file" "$dir/help"
done
"$upkeep" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z].*\)$/\1/p' |
	sed -E 's/ ([A-Z[].*)?$//; s/  .*//; s/ [A-Z[].*//; s/ /-/' | sort >"$dir/commands"
ok "every command has such a text" diff "$dir/commands" <(cd "$here/help" && ls | sed 's/\.txt$//' | grep -vx upkeep | sort)
ok "--version" test "$("$upkeep" --version)" = "upkeep $(sed -n "s/^VERSION = //p" "$top_builddir/Makefile")"
for page in upkeep.conf upkeep-graph; do
	ok "manual of $page is clean" test -z "$(man --warnings -l "$here/../../docs/$page.5" 2>&1 >/dev/null)"
done
# The manual pages say what --help says: the same tables.
for name in run plan drill check list history show log plugins doc cancel confirm recover rollback resume resolve locks "new plugin" "lint plugin"; do
	# shellcheck disable=SC2086
	"$upkeep" $name --help | grep -oE -- '--[a-z-]+' | sort -u >"$dir/said"
	"$upkeep" --man "${name// /-}" | man -l - 2>/dev/null | col -bx | grep -oE -- '^ +(-[a-z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u >"$dir/printed"
	ok "manual of $name has the options of --help" diff "$dir/said" "$dir/printed"
done
# Completion, as bash calls it.
eval "$("$upkeep" --completion bash)"
# complete WORD...: what the last word may become
complete_as() { COMP_WORDS=(upkeep "$@"); COMP_CWORD=$#; COMPREPLY=(); _upkeep "$upkeep" "${!#}" "${*: -2:1}"; }
offers() { local want=$1; shift; complete_as "$@"; [[ " ${COMPREPLY[*]} " == *" $want "* ]] ||
	{ echo "# $*: ${COMPREPLY[*]}"; return 1; }; }
only() { local want=$1; shift; complete_as "$@"; [ "${COMPREPLY[*]}" = "$want" ] ||
	{ echo "# $*: ${COMPREPLY[*]}"; return 1; }; }
ok "completes commands" only "history" hi
ok "... of two words" only "new" ne
ok "... the second" only "plugin" new ""
ok "... with its options" offers "--run" lint plugin --r
ok "... common options" only "--json" show --js
ok "... options of the command" offers "--only" run --o
ok "... not those of others" only "" check --only
ok "... graphs" only "chain" run ch
ok "... graphs of plan" only "chain needy ask warn wide" plan ""
ok "... graphs of history" offers "warn" history ""
ok "... tasks of the graph" only "a b c" run chain --only ""
ok "... runs" offers "last" show ""
id=$("$upkeep" history --json -n 1 | jq -r '.[0].run')
ok "... by id" only "$id" log "$id"
ok "... tasks of the run" only "x y" log last ""
ok "... actions" only "logs.expire" doc logs.exp
ok "... instances" offers "logs" doc lo
ok "... of the site that is named" only "" --site "$dir/none" run ch
ok "... colors" only "auto always" --color a
ok "... files after --site" offers "$dir/g.conf" --site "$dir/g"
echo "1..$n"
