#!/bin/bash
# SPDX-License-Identifier: MIT
# plan --save and run --plan: what was shown is what is done, or nothing is.
. "${0%/*}/tap.sh"
built=$UPKEEP_PLUGIN_DIR
export UPKEEP_PLUGIN_DIR=$dir/plugins
mkdir "$UPKEEP_PLUGIN_DIR" "$dir/data"
cp "$built/files.so" "$top_builddir/tests/cli/.libs/odd.so" "$UPKEEP_PLUGIN_DIR"
the_site() { site <<<'plugins = { files = { }; odd = { }; };'; }
the_graphs() { graphs <<END
tidy = { params = { age = { type = "duration"; default = "7d"; about = "age"; }; }; tasks = {
  old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "\${param.age}"; };
  say = { action = "core.exec"; argv = [ "/bin/echo", "${1:-one}", "\${run.id}", "\${run.stamp}" ]; after = [ "old" ]; changes = "none"; }; }; };
token = { tasks = { w = { action = "odd.write"; file = "$dir/written"; shown = "$dir/shown"; kept = "$dir/kept"; }; }; };
plain = { tasks = { w = { action = "odd.write"; file = "$dir/written"; }; }; };
secret = { tasks = { w = { action = "odd.write"; file = "$dir/written"; secret = "file:$dir/pw"; }; }; };
each = { tasks = { e = { action = "core.exec"; argv = [ "/bin/echo", "\${each}" ]; each = "$dir/data/*.log"; changes = "none"; }; }; };
fails = { tasks = { e = { action = "files.expire"; paths = [ "$dir/da\xffta/*.log" ]; older_than = "7d"; }; }; };
END
}
the_site; the_graphs
old() { echo "$1" >"$dir/data/$1.log"; touch -d '9 days ago' "$dir/data/$1.log"; }
old a
p=$dir/plan.json
save() { rm -f "$p"; code "${want:-2}" "$upkeep" plan --save "$p" "$@"; }
no_run() { [ ! -e "$dir/state/journal.db" ] || [ "$("$upkeep" history --json | jq length)" = "$1" ]; }

ok "save" save tidy
ok "... is shown as ever" has out "remove $dir/data/a.log"
ok "... and says where" has out "saved in $p"
ok "... the caller's own" test "$(stat -c %a:%u "$p")" = "600:$(id -u)"
ok "... JSON" test "$(jq '.upkeep_plan == 1 and .graph == "tidy" and (.tasks | length) == 2' "$p")" = true
ok "... over an open file, too" eval 'chmod 644 "$p"; code 2 "$upkeep" plan tidy --save "$p" --json; [ "$(stat -c %a "$p")" = 600 ]'
ok "... --json stays one object" json '.graph == "tidy"'
ok "into no directory" code 64 "$upkeep" plan tidy --save "$dir/none/plan.json"

# refusals: nothing runs
ok "another mode" eval 'chmod 640 "$p"; code 77 "$upkeep" run --plan "$p"'
ok "... says so" has err "has mode 0640, not 0600"
chmod 600 "$p"
ln -s "$p" "$dir/link"
ok "a symbolic link" code 77 "$upkeep" run --plan "$dir/link"
ok "... is not followed" has err "symbolic link"
if [ "$(id -u)" = 0 ]; then
	cp "$p" "$dir/other"; chmod 600 "$dir/other"; chown 65534 "$dir/other"
	ok "another's file" code 77 "$upkeep" run --plan "$dir/other"
	ok "... says so" has err "belongs to another user"
fi
mkfifo -m 600 "$dir/fifo"
ok "no file" code 78 timeout 10 "$upkeep" run --plan "$dir/fifo"
ok "no plan there" code 64 "$upkeep" run --plan "$dir/none"
(umask 077; echo '{ "upkeep_plan": 1 }' >"$dir/bad"; echo '{ "upkeep_plan": 2 }' >"$dir/newer"; head -c 300 "$p" >"$dir/torn")
ok "no plan in it" code 78 "$upkeep" run --plan "$dir/bad"
ok "one of a newer upkeep" code 78 "$upkeep" run --plan "$dir/newer"
ok "... says so" has err "newer upkeep"
ok "a torn one" code 78 "$upkeep" run --plan "$dir/torn"
ok "a graph beside it" code 64 "$upkeep" run --plan "$p" tidy
ok "a parameter beside it" code 64 "$upkeep" run --plan "$p" --param age=1d
ok "neither" code 64 "$upkeep" run
the_graphs two
ok "the graph has changed" code 78 "$upkeep" run --plan "$p"
ok "... the task is named" has err "changed since the plan was saved: task say"
ok "... what to type" has err "next: upkeep plan tidy, with the same options and --save FILE"
the_graphs
site <<<'plugins = { files = { }; odd = { }; }; undo_keep = "1d";'
ok "the site has changed" code 78 "$upkeep" run --plan "$p"
ok "... says so" has err "the site or the graph has changed"
the_site
(umask 077; jq '.host = "elsewhere"' "$p" >"$dir/elsewhere"; jq '.plugins.files = "0.9"' "$p" >"$dir/version")
ok "another host" code 78 "$upkeep" run --plan "$dir/elsewhere"
ok "another version of a plugin" code 78 "$upkeep" run --plan "$dir/version"
old b
ok "the state has changed" code 10 "$upkeep" run --plan "$p"
ok "... what is more" has err "task old would now do: remove $dir/data/b.log"
ok "... than was said" has err "the plan says: nothing more"
rm "$dir/data/b.log"; echo longer >"$dir/data/a.log"; touch -d '9 days ago' "$dir/data/a.log"
ok "the state has changed otherwise" code 10 "$upkeep" run --plan "$p"
ok "... both are said" has err "would now do: remove $dir/data/a.log (7 B); the plan says: remove $dir/data/a.log (2 B)"
old a
ok "nothing has run so far" no_run 0
ok "nothing was removed" test -e "$dir/data/a.log"

# what is as it was
ok "run --plan" code 0 "$upkeep" run --plan "$p"
ok "... does it" test ! -e "$dir/data/a.log"
ok "... under an id of its own" test "$(jq -r .id "$p")" != "$("$upkeep" history --json | jq -r '.[0].run')"
ok "again: the state has changed" code 10 "$upkeep" run --plan "$p"
ok "... what is said and not done now" has err "would now do: nothing more; the plan says: remove $dir/data/a.log"
"$upkeep" rollback last >/dev/null
ok "put back, it can be done again" code 0 "$upkeep" run --quiet --plan "$p"
ok "... durations, which are known now, make no other plan" no_run 2

# parameters and selection are the plan's
old c; touch -d '2 days ago' "$dir/data/c.log"
ok "save with options" save tidy --param age=1d --only old
ok "... are kept" code 0 "$upkeep" run --json --plan "$p"
ok "... the parameter" test ! -e "$dir/data/c.log"
ok "... the selection" json '[.tasks[].state] == ["succeeded", "skipped"]'
old d
want=0 ok "save a graph with a glob" save each
old f
ok "its copies are the plan" code 78 "$upkeep" run --plan "$p"
ok "... which is named" has err 'e[1]'

# tokens
echo shown >"$dir/shown"; echo kept >"$dir/kept"
ok "save with a token" save token
ok "... the last one" test "$(jq -r '.tasks[0].token' "$p")" = 6b657074
echo changed >"$dir/kept"
ok "... which its run gets" code 0 "$upkeep" run --plan "$p"
ok "... as it was left" test "$(cat "$dir/written")" = "token kept"
rm "$dir/written"; : >"$dir/kept"
ok "an empty token" save token
ok "... is one" code 0 "$upkeep" run --plan "$p"
ok "... of no bytes" test "$(cat "$dir/written")" = "token "
rm "$dir/written"
ok "a task without a token" save plain
ok "... gets none" code 0 "$upkeep" run --plan "$p"
ok "... from its plan" test "$(cat "$dir/written")" = "no token"
rm "$dir/written"
ok "a run without a plan" code 0 "$upkeep" run token
ok "... gets none" test "$(cat "$dir/written")" = "no token"
rm "$dir/written"
(umask 077; echo "file-secret" >"$dir/pw")
ok "a token that holds a secret" save secret
ok "... is refused" has out "a token with a secret: Operation not permitted"
ok "... and not in the file" eval '! grep -q "token\"\|66696c652d" "$p"'

# names that are no UTF-8
mkdir "$dir/da"$'\xff'"ta"; for f in x$'\xfe' x$'\xfd'; do echo x >"$dir/da"$'\xff'"ta/$f.log"; done
touch -d '9 days ago' "$dir/da"$'\xff'"ta/"x$'\xfe'.log
ok "names in no UTF-8" save fails
touch -d '9 days ago' "$dir/da"$'\xff'"ta/"x$'\xfd'.log; touch "$dir/da"$'\xff'"ta/"x$'\xfe'.log
ok "... are told apart" code 10 "$upkeep" run --plan "$p"
ok "... visibly" has err '\xfd.log'
touch -d '9 days ago' "$dir/da"$'\xff'"ta/"x$'\xfe'.log; touch "$dir/da"$'\xff'"ta/"x$'\xfd'.log
ok "... and are what they are" code 0 "$upkeep" run --plan "$p"
echo "1..$n"
