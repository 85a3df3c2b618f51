#!/bin/bash
# SPDX-License-Identifier: MIT
# Each key of a task and of a graph, each option of core.exec and each reference does what it
# says, through the real command.
. "${0%/*}/tap.sh"
# A build that counts coverage complains where its files are another user's.
says() { local got; got=$("$upkeep" log last "$1" | grep -v '^profiling:'); [ "$got" = "$2" ] || { echo "# $1 says: $got"; return 1; }; }
field() { local got; got=$("$upkeep" show last --json | jq -r --arg t "$1" ".tasks[] | select(.task == \$t) | $2")
	[ "$got" = "$3" ] || { echo "# $1 $2: $got"; return 1; }; }
state() { field "$1" .state "$2"; }
output() { local got; got=$("$upkeep" show last --json | jq -r --arg t "$1" --arg n "$2" '.outputs[] | select(.task == $t and .name == $n) | .value')
	[ "$got" = "$3" ] || { echo "# $1.$2: $got"; return 1; }; }
holds() { [ "$(cat "$1")" = "$2" ] || { echo "# $1 holds: $(cat "$1")"; return 1; }; }
cat >"$dir/put" <<'END'
#!/bin/sh
sleep "$2"; echo "$1" >>"${0%/*}/order"
END
chmod 755 "$dir" "$dir/put"; mkdir -m 755 "$dir/work" "$dir/work/sub"
site <<'END'
locks = [ "database" ]; pools = { io = 1; };
END
graphs <<END
fine = { tasks = {
	ends = { action = "core.exec"; changes = "none"; about = "fails"; argv = [ "/bin/sh", "-c", "exit 3" ]; ignore_failure = true; };
	next = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; after = [ "ends" ]; };
	codes = { action = "core.exec"; changes = "none"; argv = [ "/bin/sh", "-c", "exit 4" ]; ok = [ 0, 4 ]; };
	told = { action = "core.exec"; changes = "none"; argv = [ "/bin/echo", "\${codes.exit}" ]; };
}; };
place = { params = { sub = { type = "string"; default = "sub"; }; }; tasks = {
	here = { action = "core.exec"; changes = "none"; cwd = "$dir/work"; umask = "037"; nice = 5; env = { COLOUR = "dark red"; };
		argv = [ "/bin/sh", "-c", "pwd; umask; nice; echo \$COLOUR; echo \$\${UPKEEP_SITE-none}" ]; };
	there = { action = "core.exec"; changes = "none"; cwd = "$dir/work/\${param.sub}"; argv = [ "/bin/pwd" ]; };
	lost = { action = "core.exec"; changes = "none"; cwd = "$dir/nowhere"; argv = [ "/bin/pwd" ]; ignore_failure = true; };
	odd = { action = "core.exec"; changes = "none"; cwd = "/dev/pts"; argv = [ "/bin/pwd" ]; };
	odder = { action = "core.exec"; changes = "none"; cwd = "/dev/pts/nowhere"; argv = [ "/bin/pwd" ]; ignore_failure = true; };
	oddest = { action = "core.exec"; changes = "none"; cwd = "/dev/pts"; argv = [ "/nowhere/pwd" ]; ignore_failure = true; };
}; };
other = { tasks = {
	user = { action = "core.exec"; changes = "none"; run_as = "nobody"; argv = [ "/bin/sh", "-c", "id -un; id -gn; echo \$HOME" ]; };
	group = { action = "core.exec"; changes = "none"; run_as_group = "daemon"; argv = [ "/bin/sh", "-c", "id -un; id -gn" ]; };
	file = { action = "core.exec"; changes = "none"; run_as = "nobody"; argv = [ "/bin/echo", "theirs" ]; stdout = "$dir/theirs"; };
	lost = { action = "core.exec"; changes = "none"; run_as = "nobody"; cwd = "/root/nowhere"; argv = [ "/bin/pwd" ]; ignore_failure = true; };
}; };
outputs = { tasks = {
	text = { action = "core.exec"; changes = "none"; capture = "text"; argv = [ "/usr/bin/printf", "a b\\n\\n" ]; };
	json = { action = "core.exec"; changes = "none"; capture = "json"; argv = [ "/bin/echo", "{\\"a\\": 1}" ]; };
	file = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo part; test -s $dir/whole || echo rest" ]; stdout = "$dir/whole"; };
	kept = { action = "core.exec"; argv = [ "/bin/sh", "-c", "echo half; exit 1" ]; stdout = "$dir/whole"; after = "file"; ignore_failure = true; };
	lines = { action = "core.exec"; changes = "none"; argv = [ "/bin/sh", "-c", "echo size=12KiB >&3; echo name=x y >&3" ];
		outputs = ( { name = "size"; type = "size"; }, { name = "name"; } ); };
	all = { action = "core.exec"; changes = "none"; argv = [ "/bin/echo", "\${text.stdout}|\${json.stdout}|\${lines.size}|\${lines.name}" ]; };
}; };
wrong = { on_failure = "continue"; tasks = {
	json = { action = "core.exec"; changes = "none"; capture = "json"; argv = [ "/bin/echo", "{" ]; };
	long = { action = "core.exec"; changes = "none"; capture = "text"; argv = [ "/usr/bin/head", "-c", "70000", "/dev/zero" ]; };
	type = { action = "core.exec"; changes = "none"; argv = [ "/bin/sh", "-c", "echo n=many >&3" ]; outputs = ( { name = "n"; type = "int"; } ); };
	silent = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; outputs = ( { name = "n"; }, { name = "m"; } ); };
	reader = { action = "core.exec"; changes = "none"; argv = [ "/bin/echo", "<\${silent.n}>" ]; };
	alone = { action = "core.exec"; changes = "none"; argv = [ "/bin/echo" ]; env = { M = "\${silent.m}"; }; };
	told = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; when = "\${silent.n} == 'x'"; };
}; };
names = { tasks = { all = { action = "core.exec"; changes = "none";
	argv = [ "/bin/echo", "\${run.id} \${run.stamp} \${graph.name} \${host.name} \${env.GIVEN}" ]; }; }; };
unset = { tasks = { all = { action = "core.exec"; changes = "none"; argv = [ "/bin/echo", "\${env.NOT_GIVEN}" ]; }; }; };
late = { on_failure = "continue"; tasks = {
	hung = { action = "core.exec"; changes = "none"; timeout = "200ms"; kill_after = "200ms"; argv = [ "/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done" ]; };
	polite = { action = "core.exec"; changes = "none"; timeout = "200ms"; kill_after = "60s"; argv = [ "/bin/sleep", "60" ]; };
	spoke = { action = "core.exec"; changes = "none"; log_max = "4KiB"; argv = [ "/usr/bin/seq", "10000" ]; };
	again = { action = "core.exec"; changes = "none"; transient = [ 9 ]; retry = { attempts = 3; delay = "5ms"; backoff = 2.0; max_delay = "8ms"; }; argv = [ "/bin/sh", "-c", "echo x >>$dir/again; exit 9" ]; };
	never = { action = "core.exec"; changes = "none"; retry = { attempts = 3; delay = "5ms"; }; argv = [ "/bin/sh", "-c", "echo x >>$dir/never; exit 8" ]; };
}; };
cancels = { tasks = {
	bad = { action = "core.exec"; changes = "none"; argv = [ "/bin/sh", "-c", "sleep 0.2; exit 1" ]; };
	beside = { action = "core.exec"; changes = "none"; argv = [ "/bin/sleep", "60" ]; };
	after = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; after = "bad"; };
	later = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; after = "beside"; };
}; };
finishes = { running = "finish"; tasks = {
	bad = { action = "core.exec"; changes = "none"; argv = [ "/bin/false" ]; };
	beside = { action = "core.exec"; changes = "none"; argv = [ "/bin/sleep", "0.5" ]; };
	later = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; after = "beside"; };
}; };
continues = { on_failure = "continue"; tasks = {
	bad = { action = "core.exec"; changes = "none"; argv = [ "/bin/false" ]; };
	after = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; after = "bad"; };
	beside = { action = "core.exec"; changes = "none"; argv = [ "/bin/sleep", "0.3" ]; };
	later = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; after = "beside"; };
}; };
changed = { tasks = { bad = { action = "core.exec"; argv = [ "/bin/false" ]; }; }; };
remembers = { tasks = {
	short = { action = "core.exec"; changes = "none"; argv = [ "$dir/put", "short", "0" ]; };
	long = { action = "core.exec"; changes = "none"; argv = [ "$dir/put", "long", "0.3" ]; };
	middle = { action = "core.exec"; changes = "none"; argv = [ "$dir/put", "middle", "0.1" ]; };
}; };
listed = { tasks = (
	{ task = "one"; action = "core.exec"; changes = "none"; argv = [ "/bin/echo", "1" ]; },
	{ task = "two"; action = "core.exec"; changes = "none"; argv = [ "/bin/echo", "2" ]; after = "one"; } ); };
inner = { params = { who = { type = "string"; }; }; tasks = {
	say = { action = "core.exec"; changes = "none"; capture = "text"; argv = [ "/bin/echo", "\${param.who} in \${graph.name}" ]; };
	more = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; after = "say"; };
}; };
outer = { tasks = {
	first = { action = "core.exec"; changes = "none"; capture = "text"; argv = [ "/bin/echo", "me" ]; };
	sub = { action = "core.graph"; graph = "inner"; params = { who = "\${first.stdout}"; }; };
	every = { action = "core.graph"; graph = "inner"; params = { who = "\${each}"; }; each = [ "a", "b" ]; after = "sub"; } ;
	none = { action = "core.graph"; graph = "inner"; params = { who = "x"; }; each = "$dir/*.none"; after = "every"; };
	off = { action = "core.graph"; graph = "inner"; params = { who = "x"; }; when = "'a' == 'b'"; };
	last = { action = "core.exec"; changes = "none"; argv = [ "/bin/echo", "\${sub/say.stdout}" ]; after = [ "none", "off" ]; };
}; };
bound = { wait_max = "200ms"; tasks = {
	first = { action = "core.exec"; argv = [ "/bin/sh", "-c", "touch $dir/first; until test -e $dir/go; do sleep 0.05; done" ]; };
	second = { action = "core.exec"; lock = [ "database" ]; argv = [ "/bin/true" ]; after = "first"; BOUND };
}; };
free = { wait_max = "200ms"; tasks = {
	first = { action = "core.exec"; argv = [ "/bin/sh", "-c", "touch $dir/first; until test -e $dir/go; do sleep 0.05; done" ]; };
	second = { action = "core.exec"; lock = [ "database" ]; argv = [ "/bin/true" ]; after = "first"; };
}; };
wanter = { wait_max = "200ms"; tasks = { want = { action = "core.exec"; lock = [ "database" ]; argv = [ "/bin/true" ]; }; }; };
exclusive = { tasks = {
	one = { action = "core.exec"; lock = [ "database" ]; argv = [ "/bin/sh", "-c", "mkdir $dir/alone && sleep 0.2; rmdir $dir/alone" ]; };
	two = { action = "core.exec"; lock = [ "database" ]; argv = [ "/bin/sh", "-c", "mkdir $dir/alone && sleep 0.2; rmdir $dir/alone" ]; };
	three = { action = "core.exec"; pool = [ "io" ]; argv = [ "/bin/sh", "-c", "mkdir $dir/single && sleep 0.2; rmdir $dir/single" ]; };
	four = { action = "core.exec"; pool = [ "io" ]; argv = [ "/bin/sh", "-c", "mkdir $dir/single && sleep 0.2; rmdir $dir/single" ]; };
}; };
skips = { overlap = "skip"; tasks = { hold = { action = "core.exec"; argv = [ "/bin/sh", "-c", "touch $dir/first; until test -e $dir/go; do sleep 0.05; done" ]; }; }; };
refuses = { overlap = "fail"; tasks = { hold = { action = "core.exec"; argv = [ "/bin/sh", "-c", "touch $dir/first; until test -e $dir/go; do sleep 0.05; done" ]; }; }; };
waits = { overlap = "wait"; wait_max = "10s"; tasks = { hold = { action = "core.exec"; argv = [ "/bin/sh", "-c", "touch $dir/first; until test -e $dir/go; do sleep 0.05; done" ]; }; }; };
slow = { timeout = "300ms"; tasks = {
	sleeper = { action = "core.exec"; changes = "none"; argv = [ "/bin/sleep", "60" ]; };
	later = { action = "core.exec"; changes = "none"; argv = [ "/bin/true" ]; after = [ "sleeper" ]; };
}; };
stays = { tasks = { daemon = { action = "core.exec"; leaves_running = true; argv = [ "/bin/sh", "-c", "sleep 60 >/dev/null 2>&1 & echo \$! >$dir/daemon" ]; };
	goes = { action = "core.exec"; argv = [ "/bin/sh", "-c", "sleep 60 >/dev/null 2>&1 & echo \$! >$dir/stray" ]; }; }; };
crowd = { tasks = { fork = { action = "core.exec"; changes = "none"; limits = { processes = 3; }; argv = [ "/bin/true" ]; }; }; };
END
sed -i 's/BOUND/rollback = { action = "core.exec"; argv = [ "\/bin\/true" ]; };/' "$dir/g.conf"
ok "the graphs are right" code 0 "$upkeep" check

ok "ignore_failure" code 0 "$upkeep" run fine
ok "... the task has failed" state ends failed
ok "... what follows runs" state next succeeded
ok "... it is a warning" has out "failed, which is ignored"
ok "... a failure under --strict" code 12 "$upkeep" run fine --strict
ok "ok: another code is success, and an output" says told 4

ok "cwd, umask, nice, env" code 0 "$upkeep" run place
ok "... all of them, and nothing of the caller's environment" says here "$dir/work"$'\n0037\n5\ndark red\nnone'
ok "... cwd with a reference" says there "$dir/work/sub"
# By the start helper, too, where the mount below it cannot be seen (chroot).
ok "... that is not there" field lost '.message | sub(" for /bin/pwd"; "") | gsub("\""; "")' "cannot enter $dir/nowhere: No such file or directory"
ok "... by the start helper, where a directory may hang" says odd /dev/pts
ok "... that is not there" field odder .message "cannot enter /dev/pts/nowhere: No such file or directory"
ok "... a program that is not there" field oddest .message "cannot execute /nowhere/pwd: No such file or directory"
ok "... with another value" code 0 "$upkeep" run place --param sub=.
ok "... there" says there "$dir/work"

if [ "$(id -u)" = 0 ]; then
	ok "run_as, run_as_group" code 0 "$upkeep" run other
	ok "... a user with its group and home" says user $'nobody\nnogroup\n/nonexistent'
	ok "... a group" says group $'root\ndaemon'
	ok "... its file" test "$(stat -c %U "$dir/theirs")" = nobody
	ok "... a directory that is not there" field lost .message "cannot enter /root/nowhere: Permission denied"
	ok "... as somebody else" code 77 setpriv --reuid nobody --regid nogroup --clear-groups \
		"$upkeep" run other --state-dir "$(mktemp -d -p /tmp upkeep-keys-XXXXXX)"
fi

ok "outputs" code 0 "$upkeep" run outputs
ok "... capture, and lines of descriptor 3" says all 'a b|{"a": 1}|12KiB|x y'
ok "... stdout: whole or not at all" holds "$dir/whole" $'part\nrest'
ok "... nothing left beside it" test "$(ls "$dir"/whole*)" = "$dir/whole"
ok "wrong outputs" code 10 "$upkeep" run wrong
ok "... not JSON" field json '.message | startswith("its standard output is not JSON: line 1:")' true
ok "... too long" field long .message "its standard output is longer than the 64 KiB that capture keeps"
ok "... of another type" field type '.message | startswith("its output \"n\": ")' true
ok "... never written: named at its reader" field reader .message '${silent.n} has no value: task "silent" did not write its output "n"'
ok "... in an environment, too" field alone .message '${silent.m} has no value: task "silent" did not write its output "m"'
ok "... and in a condition" state told failed

export GIVEN=given
ok "references" code 0 "$upkeep" run names
id=$("$upkeep" show last --json | jq -r .run)
ok "... run.id, run.stamp, graph.name, host.name, env" says all "$id ${id:0:8}T${id:9:6}Z names $(uname -n) given"
ok "... a variable that is not set" code 10 "$upkeep" run unset
ok "... named" has out '${env.NOT_GIVEN} is not set'

begin=$SECONDS
ok "timeout, kill_after, log_max, retry" code 10 "$upkeep" run late
ok "... killed after it" field hung .message "not done within 0.200 s"
ok "... ended by itself" field polite .reason timeout
ok "... in time" test $((SECONDS - begin)) -lt 10
ok "... both halves of its output" eval '"$upkeep" log last spoke | head -1 | grep -qx 1 && "$upkeep" log last spoke | tail -1 | grep -qx 10000'
ok "... the dropped bytes counted" has out "bytes of output were dropped (log_max)"
ok "... what is worth a retry" test "$(wc -l <"$dir/again")" = 3
ok "... its attempts" field again .attempt $'1\n2\n3'
ok "... what is not" test "$(wc -l <"$dir/never")" = 1

ok "a failure cancels what runs" code 10 "$upkeep" run cancels
ok "... beside it" state beside cancelled
ok "... after it" state after skipped
ok "... for that reason" field after .message "bad did not succeed"
ok "... nothing else starts" state later cancelled
ok "running = finish" code 10 "$upkeep" run finishes
ok "... what runs may end" state beside succeeded
ok "... nothing else starts" state later cancelled
ok "on_failure = continue" code 10 "$upkeep" run continues
ok "... what needs it is skipped" state after skipped
ok "... the rest runs" state later succeeded
ok "what may have changed something" code 12 "$upkeep" run changed

ok "order: as written, where nothing is known" code 0 "$upkeep" run remembers --jobs 1
ok "... so" holds "$dir/order" $'short\nlong\nmiddle'
rm "$dir/order"
ok "... the longest first, as remembered" code 0 "$upkeep" run remembers --jobs 1
ok "... so" holds "$dir/order" $'long\nmiddle\nshort'

ok "tasks as a list" code 0 "$upkeep" run listed
ok "... by their names" says two 2

ok "subgraphs" code 0 "$upkeep" run outer
ok "... a parameter that is an output" output sub/say stdout "me in inner"
ok "... each" output 'every[1]/say' stdout "b in inner"
ok "... an empty each" state none skipped
ok "... a condition over all of it" state off/more skipped
ok "... an output of a task inside" says last "me in inner"

begin_run() { rm -f "$dir/first" "$dir/go"; "$upkeep" run "$1" >"$dir/begun" 2>&1 & begun=$!; until_true test -e "$dir/first"; }
end_run() { touch "$dir/go"; wait $begun; }
begin_run bound
ok "what can be undone has all its locks from the start" code 75 "$upkeep" run wanter
ok "... for the whole run" has out "(graph bound) since 20"
end_run
ok "... free again" code 0 "$upkeep" run wanter
begin_run free
ok "others take them when they need them" code 0 "$upkeep" run wanter
end_run
ok "inside a run" code 0 "$upkeep" run exclusive --jobs 4
begin_run skips
ok "overlap = skip" code 0 "$upkeep" run skips
ok "... says so" has err 'graph "skips" is being run already; skipped'
ok "... but to cron" code 0 "$upkeep" run skips --quiet
ok "... nothing" test ! -s "$dir/err"
end_run
begin_run refuses
ok "overlap = fail" code 75 "$upkeep" run refuses
end_run
begin_run waits
(sleep 0.5; touch "$dir/go") &
ok "overlap = wait" code 0 "$upkeep" run waits
wait $begun

ok "the time limit of a graph" code 10 "$upkeep" run slow
ok "... is the cause" field sleeper .message 'the time limit of 0.300 s of graph "slow" was reached'
ok "... of what never started, too" field later .message 'the time limit of 0.300 s of graph "slow" was reached'
ok "... told" has out 'sleeper cancelled (timeout): the time limit of 0.300 s of graph "slow" was reached'
ok "... in the history" code 0 "$upkeep" history slow
ok "... as its cause" has out 'the time limit of 0.300 s of graph "slow" was reached'

ok "leaves_running" code 0 "$upkeep" run stays
ok "... stays" kill "$(cat "$dir/daemon")"
ok "... others do not" eval '! kill -0 "$(cat "$dir/stray")" 2>/dev/null'

if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	hidden() { unshare -m sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' sh "$@"; }
	ok "without cgroups" code 0 hidden "$upkeep" run listed
	ok "... a warning" has err "warning: no cgroup is writable here"
	ok "... not for cron" code 0 hidden "$upkeep" run listed --quiet
	ok "... nothing" test ! -s "$dir/err"
	ok "... check as JSON" code 0 hidden "$upkeep" check --json
	ok "... has it, too" json '.diagnostics[] | select(.warning and (.what | startswith("no cgroup is writable here")))'
	ok "... limits.processes cannot be kept" code 78 hidden "$upkeep" run crowd
	ok "... says so" has err 'task "fork": limits.processes cannot be kept here: no writable cgroup with the controller "pids"'
fi
echo "1..$n"
