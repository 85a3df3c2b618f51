#!/bin/bash
# SPDX-License-Identifier: MIT
# doc without a site; doc of the whole; lint as JSON.
. "${0%/*}/tap.sh"
ok "doc of an action of the core needs no site" code 0 "$upkeep" doc core.exec
ok "... its parameters" has out "argv (list of string, required)"
ok "... --json" code 0 "$upkeep" doc core.exec --json
ok "... a schema" json '.title == "core.exec" and (.required | index("argv") != null)'
ok "doc of a plugin that is installed" code 0 "$upkeep" doc files.expire
ok "... its parameters" has out "older_than"
ok "doc of a plugin's settings" code 0 "$upkeep" doc backup
ok "... with groups" has out "stores"
ok "... --json" code 0 "$upkeep" doc backup --json
ok "... a list of groups" json '.properties.stores.type == "array" and .properties.stores.items.type == "object"'
ok "doc alone lists the core's" code 0 "$upkeep" doc
ok "... exec" has out "core.exec:"
ok "... and says what is missing" has err "upkeep.conf"
ok "... --json" code 0 "$upkeep" doc --json
ok "... a list" json 'index("core.confirm") != null'
ok "doc of an instance that only the site knows" code 78 "$upkeep" doc logs.expire
ok "... the site is what is missing" has err "upkeep.conf"
ok "doc of no action of the core" code 64 "$upkeep" doc core.exce
ok "... the nearest is named" has err 'did you mean "exec"?'
site <<<'plugins = { logs = { plugin = "files"; }; system = { }; };'
graphs <<<'g = { tasks = { a = { action = "system.mounts"; }; }; };'
ok "doc of all" code 0 "$upkeep" doc
ok "... instances by their names" has out "logs.rotate:"
ok "doc of an instance" code 0 "$upkeep" doc logs
ok "... its actions" has out "logs.expire:"
ok "doc of one without settings" code 0 "$upkeep" doc core
ok "... says so" has out "No settings."
ok "bounds and choices" code 0 "$upkeep" doc logs.rotate
ok "... choices" has out "auto"
ok "a plugin that is not there" code 64 "$upkeep" doc nothing.at
for action in $("$upkeep" doc --json | jq -r '.[]'); do
	ok "doc $action" code 0 "$upkeep" doc "$action"
	ok "... as JSON" code 0 "$upkeep" doc "$action" --json
	ok "... a schema" json '.type == "object" and (.properties | type) == "object"'
done
so=$UPKEEP_PLUGIN_DIR/system.so
ok "lint" code 0 "$upkeep" lint plugin "$so"
ok "lint --json" code 0 "$upkeep" lint plugin "$so" --json
ok "... is one object" json '.plugin == "system" and .faults == [] and .abi_major == 1 and .file != null'
echo text >"$dir/bad.so"
ok "lint of no plugin" code 69 "$upkeep" lint plugin "$dir/bad.so" --json
ok "... is one object too" json '.plugin == null and (.faults | length) == 1'
echo "1..$n"
