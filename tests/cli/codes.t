#!/bin/bash
# SPDX-License-Identifier: MIT
# Every exit code of this version through the command line, each by what causes it.
. "${0%/*}/tap.sh"
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
chmod 755 "$dir"
hosts='locks = [ "host-codes-t" ];'
site <<<"$hosts plugins = { system = { }; };"
graphs <<END
good = { tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; }; }; };
loud = { tasks = { a = { action = "core.exec"; argv = [ "/bin/sh", "-c", "head -c 9999999 /dev/zero | tr '\\\\0' x" ]; changes = "none"; }; }; };
closed = { tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; }; }; };
hosted = { tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; lock = "host-codes-t"; }; }; };
clean = { tasks = { a = { action = "core.exec"; argv = [ "/bin/false" ]; changes = "none"; }; }; };
partly = { on_failure = "stop"; tasks = {
  a = { action = "core.exec"; argv = [ "/bin/touch", "$dir/touched" ]; };
  b = { action = "core.exec"; argv = [ "/bin/false" ]; changes = "none"; after = [ "a" ]; }; }; };
ignored = { tasks = { a = { action = "core.exec"; argv = [ "/bin/false" ]; changes = "none"; ignore_failure = true; }; }; };
other = { tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; run_as = "nobody"; }; }; };
end = { tasks = { a = { action = "core.exec"; changes = "none";
  argv = [ "/bin/sh", "-c", "kill -9 \$(ps -o ppid= -p \$\$); sleep 9" ]; }; }; };
busy = { overlap = "fail"; tasks = { a = { action = "core.exec"; argv = [ "/bin/sh", "-c", "touch $dir/going; exec sleep 300" ]; changes = "none"; }; }; };
END
ok "0: succeeded" code 0 "$upkeep" run good
ok "0: a failure that is ignored" code 0 "$upkeep" run ignored
ok "2: plan, and something would change" code 2 "$upkeep" plan partly
ok "0: plan, and nothing would" code 0 "$upkeep" plan good
ok "10: failed, and nothing was changed" code 10 "$upkeep" run clean
ok "12: failed, and changes remain" code 12 "$upkeep" run partly
ok "12: --strict with warnings" code 12 "$upkeep" run --strict ignored
ok "64: an unknown option" code 64 "$upkeep" run good --no
ok "64: too many words" code 64 "$upkeep" run good more
ok "64: no such graph" code 64 "$upkeep" run goood
ok "64: no such run" code 64 "$upkeep" show 1999
ok "70: the engine is killed" code 70 "$upkeep" run end
ok "... what to type next" has err "next: upkeep show 2"
ok "... nothing of it lives" has err "nothing of it is alive any more"
"$upkeep" run --quiet busy >"$dir/run" 2>&1 & run=$!
until_true test -e "$dir/going"
ok "75: the graph runs, and overlap = fail" code 75 "$upkeep" run busy
kill $run; wait $run; ok "10: cancelled, and nothing was changed" test $? = 10

# 69
mkdir -m 755 "$dir/plugins"; echo "not a plugin" >"$dir/plugins/broken.so"
printf '#!/bin/sh\n' >"$dir/plugins/x"
site <<<"$hosts plugins = { absent = { }; };"
ok "69: a plugin that is not there, check" code 69 "$upkeep" check
ok "... names it" has err '"absent"'
printf 'graphs = { inner = { tasks = { a = { action = "absent.do"; }; }; };\nouter = { tasks = { a = { action = "core.graph"; graph = "inner"; }; }; }; };\n' >"$dir/g2.conf"
sed 's|g.conf|g2.conf|' "$UPKEEP_SITE" >"$dir/two.conf"
ok "69: ... in a graph inside" code 69 "$upkeep" --site "$dir/two.conf" run outer
ok "69: ... run of a graph" code 69 "$upkeep" run good
site <<<"$hosts plugins = { broken = { }; }; plugin_dirs = [ \"$dir/plugins\" ];"
ok "69: a plugin that cannot be loaded" code 69 "$upkeep" check
ok "... names it" has err 'broken'
ok "69: lint" code 69 "$upkeep" lint plugin "$dir/plugins/broken.so"

# 74
mv "$dir/state" "$dir/state.good"
site <<<"$hosts"
: >"$dir/state"
ok "74: the state directory is a file" code 74 "$upkeep" run good
ok "... says so" has err "$dir/state"
rm "$dir/state"; cp -r "$dir/state.good" "$dir/state"
db=$dir/state/journal.db
sqlite3 "$db" "PRAGMA user_version=9999"
ok "74: the journal is newer than the program" code 74 "$upkeep" run good
ok "... says both" has err "has schema 9999, this upkeep knows up to"
ok "... and what to do" has err "next: use the newer upkeep"
ok "74: ... history" code 74 "$upkeep" history
rm "$db"*; yes garbage | head -c 20000 >"$db"
ok "74: the journal is damaged" code 74 "$upkeep" run good
ok "... what to do" has err "next: keep a copy of the state directory"
ok "74: ... show" code 74 "$upkeep" show last
ok "74: ... list" code 74 "$upkeep" list
rm -r "$dir/state"; cp -r "$dir/state.good" "$dir/state"
ok "0: moved away, a run begins a new one" code 0 "$upkeep" run good
if unshare -m true 2>/dev/null; then
	# in a mount namespace of its own: what is mounted there is gone with it
	full() { unshare -m bash -c 'mount -t tmpfs -o size=$1 none "$2" && shift 2 && exec "$@"' - "$1" "$dir/state" "${@:2}"; }
	ok "74: no room for the journal" code 74 full 4k "$upkeep" run good
	ok "... says so" has err "No space left on device"
	ok "... and what to do" has err "next: make room"
	fills() { "$upkeep" run --quiet good; head -c 999999 /dev/zero >"$dir/state/rest" 2>/dev/null
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do "$upkeep" run --quiet good || return; done; }
	export -f fills; export upkeep dir
	ok "74: the disk fills up under the journal" code 74 full 300k bash -c fills
	ok "... says so" has err "No space left on device"
else
	skip "a full disk" "cannot mount here"
fi

# 77
as() { setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent "$@"; }
if [ "$(id -u)" = 0 ] && as "$upkeep" --version >/dev/null 2>&1; then
	chmod 644 "$dir/g.conf" "$UPKEEP_SITE"
	ok "77: the journal of another user" code 77 as "$upkeep" run good
	ok "... says which" has err "$dir/state"
	ok "77: ... history" code 77 as "$upkeep" history
	ok "77: ... log" code 77 as "$upkeep" log last
	ok "77: ... locks" code 77 as "$upkeep" locks
	ok "77: ... cancel" code 77 as "$upkeep" cancel last
	mkdir -m 755 "$dir/closed"
	ok "77: a state directory that cannot be made" code 77 as "$upkeep" run good --state-dir "$dir/closed/state"
	install -d -o 65534 "$dir/own"
	ok "0: one of its own" code 0 as "$upkeep" run good --state-dir "$dir/own/state"
	install -d -o 65534 "$dir/mixed"; cp "$dir/state/journal.db" "$dir/mixed"; chmod 600 "$dir/mixed/journal.db"
	ok "77: a journal of another user in it" code 77 as "$upkeep" run good --state-dir "$dir/mixed"
	touch "$dir/own/state/locks/graph:closed"; chmod 600 "$dir/own/state/locks/graph:closed"
	ok "77: a lock of another user" code 77 as "$upkeep" run closed --state-dir "$dir/own/state"
	ok "... says which" has err "cannot open the lock $dir/own/state/locks/graph:closed: Permission denied"
	install -d -m 700 /run/lock/upkeep
	ok "77: the host's locks are root's" code 77 as "$upkeep" run hosted --state-dir "$dir/own/state"
	ok "... says which" has out "cannot open the lock /run/lock/upkeep/lock:host-codes-t: Permission denied"
	ok "... what to do" has out "next: start it as root, or as the user whose lock it is"
	ok "77: run_as of another" code 77 as "$upkeep" run other --state-dir "$dir/own/state"
	ok "... what to do" has err "next: start it as root"
	chmod 600 "$UPKEEP_SITE"
	ok "77: a site file of another user" code 77 as "$upkeep" check
	chmod 644 "$UPKEEP_SITE"
else
	skip "another user" "only for root, where others may enter the build directory"
fi

# 78
graphs <<<'good = { tasks = { a = { action = "core.exec"; argv = "/bin/true"; }; }; };'
ok "78: an error in the graph" code 78 "$upkeep" run good
graphs <<<'good = { tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; changes = "none"; }; }; }; bad = { tasks = 1; };'
ok "0: one in another graph" code 0 "$upkeep" run good
ok "78: ... check" code 78 "$upkeep" check
rm "$UPKEEP_SITE"
ok "78: no site file" code 78 "$upkeep" run good
echo "1..$n"
