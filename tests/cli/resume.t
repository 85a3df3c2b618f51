#!/bin/bash
# SPDX-License-Identifier: MIT
# upkeep resume: the same run, with the graph as it was.
. "${0%/*}/tap.sh"
. "${0%/*}/undone.sh"
site <<<'plugins = { files = { }; }; locks = [ "db" ]; jobs = 1;'
make_graphs() { graphs <<END
	hold = { on_interrupt = "hold"; params = { word = { type = "string"; default = "word"; }; }; tasks = {
		$(t a "echo n=7 >&3; $say a" "outputs = ( { name = \"n\"; type = \"int\"; } ); $(undo "$say -a")")
		$(t b "$say b; $waits" "$(undo "$say -b") after = [ \"a\" ];")
		$(t c "$say ${1-}c-\${param.word}-\${a.n}" "$(undo "$say -c") after = [ \"b\" ];")
		$(t tell "$say \${run.verdict}" 'run_if = "done"; changes = "none";') }; };
	typed = { on_interrupt = "hold"; params = { f = { type = "float"; default = 2; }; s = { type = "size"; default = 1048576; }; l = { type = "list of string"; default = [ "a,b", "" ]; }; };
		tasks = { $(t b "$say \${param.f}; $waits" "$(undo "$say -b")") }; };
	stop = { on_failure = "stop"; tasks = { $(said a) $(t b "$say b; test -e $dir/mended" "$(undo "$say -b") after = [ \"a\" ];") }; };
	fine = { tasks = { $(said f) }; };
	failed = { tasks = { $(said f) $(bad 'after = [ "f" ];') }; };
	plugged = { on_interrupt = "hold"; tasks = { $(t b "$waits" 'changes = "none";')
		p = { action = "files.expire"; paths = [ "$dir/*.none" ]; older_than = "1d"; after = [ "b" ]; }; }; };
	torn = { on_interrupt = "hold"; tasks = { $(t a true "$(undo false 'retry = { attempts = 1; };')")
		$(t b "$waits" 'changes = "none"; after = [ "a" ];')
		p = { action = "files.expire"; paths = [ "$dir/*.none" ]; older_than = "1d"; after = [ "b" ]; }; }; };
	copies = { on_interrupt = "hold"; tasks = { e = { action = "core.exec"; argv = [ "$say", "\${each}" ]; each = "$dir/*.e"; };
		$(t b "$waits" 'after = [ "e" ];') }; };
END
}
make_graphs
ok "the graphs are right" code 0 "$upkeep" check
begin hold --param word=given; crash
ok "resume" eval 'touch "$dir/go"; code 0 "$upkeep" resume last'
ok "... what succeeded is not done again; parameters and outputs are those of the run" order "a b -b b c-given-7 succeeded"
ok "... the same run" test "$("$upkeep" history --json | jq length)" = 1
ok "... succeeded" run_is .state succeeded
ok "... which task ran twice" run_is '[.tasks[] | select(.task == "b").attempt] | join(" ")' "1 2"
ok "resume of what succeeded" code 64 "$upkeep" resume last
ok "... says so" has err "cannot be resumed: it is succeeded"
ok "a run that failed by stop" code 12 "$upkeep" run stop
touch "$dir/mended"
ok "... is gone on with" code 0 "$upkeep" resume last
ok "... so" order "a b -b b"
ok "a run that is rolled back" code 11 "$upkeep" run failed
ok "... is not" code 64 "$upkeep" resume last
: >"$dir/order"
begin hold; crash
ok "held by recover" code 13 "$upkeep" recover
touch "$dir/go"
ok "... resumed by a person" code 0 "$upkeep" resume last
ok "... so" order "a b -b b c-word-7 succeeded"

# today's graph
begin hold; crash; touch "$dir/go"
make_graphs other-
ok "the graph is another today" code 14 "$upkeep" resume last
ok "... says so" has err 'graph "hold" is not what it was'
ok "... what to type" has err "upkeep resume 2"
ok "... nothing ran" order "a b"
ok "... the run waits" run_is .state interrupted
ok "... as JSON" code 14 "$upkeep" resume last --json
ok "... refused" json '.state == "refused" and .exit_code == 14'
ok "--journaled" code 0 "$upkeep" resume last --journaled
ok "... as it was" order "-b b c-word-7 succeeded"
make_graphs
begin hold; crash; touch "$dir/go"
sed -i 's/    *fine = /fine = /; s/\t/ /g' "$dir/g.conf"; echo '# a comment' >>"$dir/g.conf"
graphs_of() { sed -n '2,$p' "$dir/g.conf"; }
ok "another layout is the same graph" code 0 "$upkeep" resume last
ok "... goes on" order "a b -b b c-word-7 succeeded"
make_graphs
begin hold; crash; touch "$dir/go"
site <<<'plugins = { files = { trash_keep = "1d"; }; }; locks = [ "db" ]; jobs = 1;'
ok "settings of plugins that it does not use" code 0 "$upkeep" resume last
: >"$dir/order"
rm -f "$dir/mended"
ok "... a selection" code 12 "$upkeep" run stop --start-at b
touch "$dir/mended"
: >"$dir/order"
ok "... stays what it was" code 0 "$upkeep" resume last
ok "... so" order "-b b"
touch "$dir/1.e" "$dir/2.e"
begin copies; crash; touch "$dir/go" "$dir/3.e"
: >"$dir/order"
ok "an each with other files" code 14 "$upkeep" resume last
ok "... as it was" code 0 "$upkeep" resume last --journaled
ok "... so" order ""
begin plugged; crash; touch "$dir/go"
mkdir -m 755 "$dir/plugins"
ok "without its plugin" code 10 env UPKEEP_PLUGIN_DIR="$dir/plugins" "$upkeep" resume last --journaled
ok "... says so" has out 'the plugin "files" is not here'
ok "... what to type" has out "next: install the plugin, then upkeep run plugged"
ok "... show" code 0 "$upkeep" show last
ok "... says the same" has out "next: install the plugin, then upkeep run plugged"
begin torn; crash; touch "$dir/go"
ok "... and an undo that fails" code 13 env UPKEEP_PLUGIN_DIR="$dir/plugins" "$upkeep" resume last --journaled
ok "... show" code 0 "$upkeep" show last
ok "... the run's next step" grep -q "^next: upkeep rollback 2" "$dir/out"
ok "... the task's own" has out "task p, next: install the plugin, then upkeep run torn"
"$upkeep" resolve --quiet last --why "the test"
begin hold; crash; touch "$dir/go"
graphs <<<'fine = { tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; }; }; };'
ok "the graph is there no more" code 14 "$upkeep" resume last
ok "... says so" has err 'it is not there any more'
graphs <<<'hold = { tasks = { a = { action = "core.'
: >"$dir/order"
ok "today's site cannot be read: as journaled" code 0 "$upkeep" resume last
ok "... so" order "-b b c-word-7 succeeded"
: >"$dir/order"; make_graphs
begin typed; crash; touch "$dir/go"
ok "parameters are what they are, whatever they look like" code 0 "$upkeep" resume last
ok "resume of no run" code 64 "$upkeep" resume 19
echo "1..$n"
