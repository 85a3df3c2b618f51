#!/bin/bash
# SPDX-License-Identifier: MIT
# Tasks of other users and groups: who they are, what they may, what is said of none.
. "${0%/*}/tap.sh"
[ "$(id -u)" = 0 ] && id nobody >/dev/null 2>&1 && getent group daemon >/dev/null ||
	{ echo "1..0 # SKIP only for root, with nobody and daemon"; exit 0; }
site <<<''
who='argv = [ "/bin/sh", "-c", "id -un; id -gn; id -G; echo $HOME $USER $LOGNAME" ]; changes = "none";'
graphs <<END
own = { tasks = { a = { action = "core.exec"; $who }; }; };
other = { tasks = { a = { action = "core.exec"; run_as = "nobody"; $who }; }; };
group = { tasks = { a = { action = "core.exec"; run_as_group = "daemon"; $who }; }; };
both = { tasks = { a = { action = "core.exec"; run_as = "nobody"; run_as_group = "daemon"; $who };
  b = { action = "core.exec"; after = [ "a" ]; run_as = "nobody"; run_as_group = "daemon"; $who }; }; };
nouser = { tasks = { a = { action = "core.exec"; run_as = "nobody-here"; $who }; }; };
nogroup = { tasks = { a = { action = "core.exec"; run_as_group = "none-here"; $who }; }; };
may = { tasks = { a = { action = "core.exec"; run_as = "nobody"; argv = [ "/bin/cat", "$dir/closed" ]; changes = "none"; }; }; };
END
says() { [ "$("$upkeep" log last "$1" | sed -n "$2p")" = "$3" ] || { echo "# $("$upkeep" log last "$1")"; return 1; }; }
home=$(getent passwd nobody | cut -d: -f6)
ok "a task of one's own" code 0 "$upkeep" run own
ok "... is the caller's" says a 1 root
ok "run_as" code 0 "$upkeep" run other
ok "... its user" says a 1 nobody
ok "... its group" says a 2 "$(id -gn nobody)"
ok "... its groups, none of the caller's" says a 3 "$(id -G nobody)"
ok "... its home and names" says a 4 "$home nobody nobody"
ok "run_as_group" code 0 "$upkeep" run group
ok "... the caller" says a 1 root
ok "... its group" says a 2 daemon
ok "both" code 0 "$upkeep" run both
ok "... the user" says a 1 nobody
ok "... the group" says a 2 daemon
ok "... once more" says b 2 daemon
echo secret >"$dir/closed"; chmod 600 "$dir/closed"
ok "what the user may not read" code 10 "$upkeep" run may
ok "... is not read" has out "Permission denied"
"$upkeep" run nouser >"$dir/out" 2>"$dir/err"
ok "a user that does not exist fails" test $? -ge 10
cat "$dir/err" >>"$dir/out"
ok "... is named" has out 'no user "nobody-here"'
"$upkeep" run nogroup >"$dir/out" 2>"$dir/err"
ok "a group that does not exist fails" test $? -ge 10
cat "$dir/err" >>"$dir/out"
ok "... is named" has out 'no group "none-here"'
echo "1..$n"
