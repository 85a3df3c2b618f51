#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/json.md names every member that the commands print, and they print every one that it names.
. "${0%/*}/tap.sh"
doc=$(cd "${0%/*}" && pwd)/../../docs/json.md
# of SECTION TABLE: its members, a line each; those that are not always there have a "?" before them
of() { awk -v section="$1" -v table="$2" '
	/^## / { here = $2; sub(/,$/, "", here) }
	/^\| member/ { at = $0; gsub(/^\| member( of)?( a)? ?|[`|]| *\| meaning.*/, "", at) }
	/^\| `/ && here == section && at == table {
		only = /\(only / ? "?" : ""; sub(/^\| /, ""); sub(/ \|.*/, ""); gsub(/[`,]/, "")
		for (i = 1; i <= NF; i++) print only $i
	}' "$doc"; }
# members FILTER SECTION TABLE [SECTION TABLE]: what it yields has these members
members() { local filter=$1 all; shift
	all=$(for ((; $#; )); do of "$1" "$2"; shift 2; done)
	json --argjson all "$(jq -R . <<<"$all" | jq -s .)" "
		(\$all | map(select(startswith(\"?\") | not))) as \$must | (\$all | map(ltrimstr(\"?\"))) as \$may |
		[ $filter | keys_unsorted ] | (\$must != []) and . != [] and all(.[]; \$must - . == [] and . - \$may == [])"; }
json() { jq -e "$@" "$dir/out" >/dev/null || { echo "# not: ${*: -1}"; sed 's/^/# /' "$dir/out"; return 1; }; }

mkdir "$dir/old"; touch -d '3 days ago' "$dir/old/a.tmp"
site <<<'plugins = { files = { }; system = { }; }; locks = [ "site" ]; pools = { io = 1; };'
graphs <<END
told = { about = "tells"; schedule = "daily"; tasks = {
	later = { action = "core.exec"; changes = "none"; argv = [ "/bin/sh", "-c", "[ -e $dir/once ] || { touch $dir/once; exit 75; }" ];
		retry = { attempts = 2; delay = "1ms"; }; };
	tells = { action = "core.exec"; changes = "none"; argv = [ "/bin/echo", "so" ]; capture = "text"; after = [ "later" ]; };
	mounts = { action = "system.mounts"; warn = "0%"; crit = "0%"; after = [ "tells" ]; };
	never = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; run_if = "failure"; };
}; };
back = { tasks = {
	old = { action = "files.expire"; paths = [ "$dir/old/*.tmp" ]; older_than = "1d"; };
	bad = { action = "core.exec"; changes = "none"; argv = [ "/bin/sh", "-c", "echo so; exit 3" ]; after = [ "old" ]; };
}; };
drilled = { tasks = {
	old = { action = "files.expire"; paths = [ "$dir/old/*.tmp" ]; older_than = "1d"; };
}; };
final = { tasks = { make = { action = "core.exec"; argv = [ "/bin/true" ]; }; }; };
holds = { tasks = {
	waits = { action = "core.exec"; changes = "none"; argv = [ "/bin/sleep", "60" ]; lock = [ "site" ]; pool = [ "io" ]; };
}; };
END
ok "run" code 0 "$upkeep" run told --json
ok "... its members" members . run ""
ok "... of its tasks" members '.tasks[]' run task
ok "... each task once" json '[.tasks[].task] == ["later", "tells", "mounts", "never"]'
ok "... cells are plain" json '[.tables[][][]] | . != [] and all(.[]; type != "object")'
ok "show" code 0 "$upkeep" show last --json
ok "... its members" members . show "" history ""
ok "... of its tasks" members '.tasks[]' show tasks
ok "... an element for each attempt" json '[.tasks[].task] == ["later", "later", "tells", "mounts", "never"]'
ok "... an output names its task" json '[.outputs[] | select(.name == "stdout")] == [{task: "tells", name: "stdout", value: "so"}]'
ok "a run that fails" code 11 "$upkeep" run back --json
ok "... its members" members . run ""
ok "... of its tasks" members '.tasks[]' run task
ok "show" code 0 "$upkeep" show last --json
ok "... its members" members . show "" history ""
ok "... of the records" members '.undo_records[]' show undo_records
ok "... of the tries" members '.undo_tries[]' show undo_tries
ok "log" code 0 "$upkeep" log last --json
ok "... its members" members '.[]' log ""
ok "history" code 0 "$upkeep" history --json
ok "... its members" members '.[]' history ""
ok "list" code 0 "$upkeep" list --json
ok "... its members" members '.[]' list ""
ok "... of the last run" json '.[0].last | keys == ["run", "started_ms", "state"]'
ok "plugins" code 0 "$upkeep" plugins --json
ok "... its members" members '.[]' plugins ""
ok "plan" code 2 "$upkeep" plan back --json
ok "... its members" members . plan ""
ok "... of its tasks" members '.tasks[]' plan tasks
ok "... of what they would do" json '[.tasks[].would[] | keys] | . != [] and all(.[]; . == ["do", "irreversible", "known_after", "undo"])'
ok "... of the undo" json '[.undo[] | keys] == [["do", "task", "undo"]]'
ok "drill" code 0 "$upkeep" drill drilled --json
ok "... its members" members . drill ""
ok "... of its tasks" json '[.tasks[] | keys] == [["after", "before", "same", "task", "why"]]'
ok "... both ways" members '.forward, .back' run ""
ok "a drill that is refused" code 64 "$upkeep" drill final --json
ok "... its members" json 'keys == ["exit_code", "graph", "irreversible", "state"] and .irreversible == [{task: "make", why: .irreversible[0].why}]'
"$upkeep" run holds >"$dir/held" 2>&1 &
runs=$!
held() { "$upkeep" locks --json >"$dir/out" && json '[.[].kind] | sort == ["graph", "lock", "pool"]' >/dev/null; }
ok "locks" until_true held
ok "... its members" members '.[]' locks ""
ok "a run that does not come about" code 0 "$upkeep" run holds --json
ok "... its members" members . run ""
ok "... says so" json '.state == "skipped" and .run == "" and .message != null'
kill -TERM "$runs"; wait "$runs"
echo 'graphs = { g = { tasks = { a = { action = "core.exce"; }; }; }; };' >"$dir/g.conf"
ok "check" code 78 "$upkeep" check --json
ok "... its members" members . check ""
ok "... of what it found" members '.diagnostics[]' check diagnostics
ok "a graph with errors" code 78 "$upkeep" run g --json
ok "... no object" test ! -s "$dir/out"
ok "no such graph" code 64 "$upkeep" run nothing --json
ok "... no object" test ! -s "$dir/out"
echo "1..$n"
