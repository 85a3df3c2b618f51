#!/bin/bash
# SPDX-License-Identifier: MIT
# References: what each becomes, in a run, and what is said where there is nothing.
. "${0%/*}/tap.sh"
site <<<''
echo='action = "core.exec"; changes = "none";'
graphs <<END
values = { params = { list = { type = "list of string"; default = [ "x y", "z" ]; };
    n = { type = "int"; default = 7; }; f = { type = "float"; default = 0.5; }; t = { type = "bool"; default = true; };
    s = { type = "size"; default = "2KiB"; }; d = { type = "duration"; default = "90s"; }; }; tasks = {
  whole = { $echo argv = "\${param.list}"; outputs = ( { name = "never"; } ); ok = [ 0, 127 ]; ignore_failure = true; };
  mixed = { $echo argv = [ "/bin/echo", "n=\${param.n} f=\${param.f} t=\${param.t} s=\${param.s} d=\${param.d}", "\${graph.name}" ]; };
  names = { $echo argv = [ "/bin/echo", "\${run.id}|\${host.name}|\${env.GREETING}|\${run.stamp}" ]; }; }; };
unset = { tasks = { a = { $echo argv = [ "/bin/echo", "\${env.SURELY_NOT_SET}" ]; }; }; };
unwritten = { tasks = { a = { $echo argv = [ "/bin/true" ]; outputs = ( { name = "x"; } ); };
  b = { $echo argv = [ "/bin/echo", "\${a.x}" ]; }; }; };
unknown = { tasks = { a = { $echo argv = [ "/bin/true" ]; outputs = ( { name = "x"; } ); };
  b = { $echo argv = [ "/bin/true" ]; when = "\${a.x} == 'y'"; }; }; };
empty = { tasks = { e = { $echo argv = [ "/bin/true" ]; each = "$dir/none/*"; outputs = ( { name = "x"; } ); };
  b = { $echo argv = "\${e.x}"; }; }; };
inner = { params = { word = { type = "string"; default = "plain"; }; }; tasks = {
  say = { $echo argv = [ "/bin/echo", "\${param.word}", "\${graph.name}" ]; outputs = ( { name = "x"; } ); ignore_failure = true; }; }; };
outer = { params = { who = { type = "string"; default = "me"; }; }; tasks = {
  first = { $echo argv = [ "/bin/sh", "-c", "echo x=made >&3" ]; outputs = ( { name = "x"; } ); };
  sub = { action = "core.graph"; graph = "inner"; params = { word = "\${param.who} and \${first.x}"; }; };
  last = { $echo argv = [ "/bin/echo", "end" ]; after = [ "sub" ]; }; }; };
bounds = { params = { n = { type = "int"; min = 0; default = 1; }; m = { type = "int"; min = -9; default = 1; }; x = { type = "int"; max = 9; default = 1; }; };
  tasks = { a = { $echo argv = [ "/bin/true" ]; }; }; };
pair = { params = { word = { type = "string"; }; }; tasks = { one = { $echo argv = [ "/bin/true" ]; };
  two = { $echo argv = [ "/bin/echo", "\${param.word}" ]; after = "one"; }; }; };
inside = { tasks = { a = { $echo argv = [ "/bin/sh", "-c", "echo x=1 >&3" ]; outputs = ( { name = "x"; } ); };
  sub = { action = "core.graph"; graph = "pair"; params = { word = "\${a.x}"; }; }; }; };
left = { tasks = { a = { $echo argv = [ "/bin/sh", "-c", "echo x=1 >&3" ]; outputs = ( { name = "x"; } ); };
  b = { $echo argv = [ "/bin/echo", "\${a.x}" ]; }; }; };
END
says() { local got; got=$("$upkeep" log last "$1" 2>/dev/null); [ "$got" = "$2" ] || { echo "# $1: $got"; return 1; }; }
export GREETING="a  b"
ok "the graphs are right" code 0 "$upkeep" check
"$upkeep" run values >"$dir/out" 2>&1
ok "numbers and truths in a text" says mixed "n=7 f=0.5 t=true s=2KiB d=90s values"
id=$("$upkeep" history --json -n 1 | jq -r '.[0].run')
"$upkeep" log last names >"$dir/out" 2>/dev/null
ok "the run, the host, the environment" has out "$id|$(uname -n)|a  b|"
ok "a variable that is not set" code 10 "$upkeep" run unset
ok "... is named" has out 'env.SURELY_NOT_SET'
ok "... and what to do" has out "set it where upkeep is started"
ok "an output that was not written" code 10 "$upkeep" run unwritten
ok "... says which and by whom" has out 'task "a" did not write its output "x"'
ok "... in a condition" code 10 "$upkeep" run unknown
ok "... too" has out 'task "a" did not write its output "x"'
ok "outputs of no copies: refused before anything runs" code 78 "$upkeep" run empty
ok "... they are an empty list" has err "must not be empty"
ok "a parameter of the graph around" code 0 "$upkeep" run outer
ok "... means what it means there" says sub/say "me and made inner"
ok "... --param" code 0 "$upkeep" run outer --param who='you  all'
ok "... the same" says sub/say "you  all and made inner"
ok "the output of a task that is left out" code 64 "$upkeep" run left --skip a
ok "... is named" has err "a.x"
ok "a least alone" code 64 "$upkeep" run bounds -p n=-5
ok "... below nothing" code 0 "$upkeep" run bounds -p n=5 -p m=99
ok "... below zero" code 64 "$upkeep" run bounds -p m=-10
ok "a greatest alone" code 64 "$upkeep" run bounds -p x=10
ok "... above nothing" code 0 "$upkeep" run bounds -p x=-10
ok "... whichever task of a graph inside uses it" code 64 "$upkeep" run inside --only sub/two
echo "1..$n"
