#!/bin/bash
# SPDX-License-Identifier: MIT
# Secrets of all four kinds, named in an environment, a parameter and a setting: they arrive,
# and nothing else ever shows them.
UPKEEP_PLUGIN_DIR=$(cd "$top_builddir" && pwd)/tests/fault/.libs
. "${0%/*}/tap.sh"
export CREDENTIALS_DIRECTORY=$dir/credentials PASSPHRASE="caller-secret"
mkdir "$CREDENTIALS_DIRECTORY"
(umask 077; echo "system-secret" >"$CREDENTIALS_DIRECTORY/login"; echo "file-secret" >"$dir/pw"
	echo "token-secret" >"$dir/token"; echo "never-named" >"$dir/unnamed"
	printf '#!/bin/sh\necho asked >>%s\necho command-secret\n' "$dir/asked" >"$dir/teller"
	printf '#!/bin/sh\necho shown-anyway\nexit 4\n' >"$dir/refuses"
	printf '#!/bin/sh\nsleep 2\necho slow-secret\n' >"$dir/slow"; chmod 700 "$dir"/{teller,refuses,slow})
# What any of them would look like, but for what a program may make of them itself.
all='(caller|system|file|token|command)-secret|never-named|shown-anyway'
bare() { ! grep -rqE "$all" "$dir/out" "$dir/err" "$dir/state" ||
	{ grep -rlE "$all" "$dir/out" "$dir/err" "$dir/state" | sed 's/^/# shown in /'; return 1; }; }
field() { local got; got=$("$upkeep" show last --json | jq -r --arg t "$1" ".tasks[] | select(.task == \$t) | $2")
	[ "$got" = "$3" ] || { echo "# $1 $2: $got"; return 1; }; }
output() { local got; got=$("$upkeep" show last --json | jq -r --arg t "$1" --arg n "$2" '.outputs[] | select(.task == $t and .name == $n) | .value')
	[ "$got" = "$3" ] || { echo "# $1.$2: $got"; return 1; }; }
says() { local got; got=$("$upkeep" log last "$1"); [ "$got" = "$2" ] || { echo "# $1: $got"; return 1; }; }
# Prints come by another way than messages.
sorted() { local got; got=$("$upkeep" log last "$1" | LC_ALL=C sort); [ "$got" = "$2" ] || { echo "# $1: $got"; return 1; }; }
site <<END
plugins = { teller = { token = "file:$dir/token"; }; };
END
graphs <<END
programs = { tasks = {
	told = { action = "core.exec"; changes = "none"; capture = "text";
		argv = [ "/bin/sh", "-c", "echo \$A; echo \$B; echo \$C; echo \$D; printf %s \$A | wc -c; echo err \$A \$B\$C \$D >&2" ];
		env = { A = "secret:file:$dir/pw"; B = "secret:env:PASSPHRASE"; C = "secret:credential:login"; D = "secret:command:$dir/teller"; }; };
	again = { action = "core.exec"; changes = "none"; argv = [ "/bin/sh", "-c", "echo in pieces \$D | sed s/-secret//" ];
		env = { D = "secret:command:$dir/teller"; }; };
	next = { action = "core.exec"; changes = "none"; argv = [ "/bin/sh", "-c", "env | grep -c secret; echo \"\$0\"", "\${told.stdout}" ]; };
}; };
loud = { tasks = {
	shell = { action = "core.exec"; changes = "none"; argv = [ "/bin/sh", "-c", "echo \"\$A\" >&2; exit 3" ];
		env = { A = "secret:file:$dir/pw"; }; };
}; };
fails = { on_failure = "continue"; tasks = {
	missing = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; env = { A = "secret:env:NOT_THERE"; }; };
	refuses = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; env = { A = "secret:command:$dir/refuses"; }; };
	named = { action = "core.exec"; changes = "none"; capture = "text"; argv = [ "/bin/echo", "secret:file:$dir/unnamed" ]; };
	injected = { action = "core.exec"; changes = "none"; argv = [ "/bin/sh", "-c", "echo \$A" ]; env = { A = "\${named.stdout}"; }; };
}; };
plugin = { on_failure = "continue"; tasks = {
	file = { action = "teller.tell"; password = "file:$dir/pw"; };
	caller = { action = "teller.tell"; password = "env:PASSPHRASE"; };
	system = { action = "teller.tell"; password = "credential:login"; };
	command = { action = "teller.tell"; password = "command:$dir/teller"; };
	setting = { action = "teller.tell"; };
}; };
around = { on_failure = "continue"; tasks = {
	first = { action = "teller.tell"; env = { TELL = "secret:env:PASSPHRASE"; }; };
	second = { action = "teller.tell"; after = [ "first" ]; ignore_failure = true; env = { TELL = "secret:env:PASSPHRASE"; }; };
	third = { action = "teller.tell"; env = { TELL = "secret:env:PASSPHRASE"; }; };
}; };
stolen = { tasks = {
	steal = { action = "teller.steal"; password = "file:$dir/pw"; other = "file:$dir/unnamed"; };
	own = { action = "teller.steal"; password = "file:$dir/pw"; other = "file:$dir/pw"; };
	record = { action = "teller.record"; password = "file:$dir/pw"; };
}; };
slow = { tasks = {
	other = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; };
	told = { action = "core.exec"; changes = "none"; timeout = "1s"; argv = [ "/bin/sh", "-c", "test \$A = slow-secret" ];
		env = { A = "secret:command:$dir/slow"; }; };
}; };
END
ok "the graphs are right" code 0 "$upkeep" check

ok "programs get secrets of a file, the environment, a credential, a command" code 0 "$upkeep" run programs
ok "... whole" output told stdout $'***\n***\n***\n***\n11'
ok "... blanked in the log" says told $'err *** ****** ***'
ok "... no other task has one in its environment, and outputs are blanked" says next $'0\n***\n***\n***\n***\n11'
ok "... what a program makes of one is its own" says again "in pieces command"
ok "... a command runs once" test "$(wc -l <"$dir/asked")" = 1
ok "... nowhere in answers and state" bare
ok "... as JSON" code 0 "$upkeep" run programs --json
ok "... blanked" bare

ok "secrets that fail" code 10 "$upkeep" run fails --jobs 1
ok "... no variable" field missing .message 'secret "env:NOT_THERE": the environment has no NOT_THERE'
ok "... a command that fails" field refuses .message "secret \"command:$dir/refuses\": $dir/refuses failed (exit code 4)"
ok "... what a task puts out names no secret" says injected "secret:file:$dir/unnamed"
ok "... nowhere" bare
ok "the last lines of a failed task" code 10 "$upkeep" run loud
ok "... blanked" has out "    ***"
ok "... nowhere else" bare

ok "a plugin gets them" code 10 "$upkeep" run plugin
for t in file caller system command setting; do
	ok "... $t: its log" sorted $t $'failing: failed with ***: ***\nlogged ***\nprinted ***\nwarned of ***'
	ok "... $t: its output" output $t text '***'
done
ok "... its failure" field setting .message 'failed with ***: ***'
ok "... what to type next" field setting .next '***'
ok "... its row" code 0 "$upkeep" show last --json
ok "... blanked" json '[.tables.told[].cell] == ["***", "***", "***", "***", "***"]'
ok "... nowhere else" bare
ok "... as JSON" code 10 "$upkeep" run plugin --json
ok "... blanked" bare
ok "... quiet" code 10 "$upkeep" run plugin --quiet
ok "... blanked" bare
ok "... in a plan" code 2 "$upkeep" plan plugin
ok "... would tell" has out "tell ***"
ok "... blanked" bare

ok "a plugin's environment" code 10 "$upkeep" run around --jobs 1
ok "... blanked, also of a worker that another task has used" bare
ok "... its output" output third text '***'

ok "a plugin asks for what was not named to it" code 0 "$upkeep" run stolen
ok "... -EPERM" output steal result -1
ok "... and no text" output steal text nothing
ok "... its own it gets" output own result 11
ok "... a record with a secret is refused" output record result -1
ok "... nowhere" bare

ok "a slow command is not its task's time" code 0 "$upkeep" run slow
ok "... nor that of others" field other '.duration_ms < 1000' true
echo "1..$n"
