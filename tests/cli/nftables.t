#!/bin/bash
# SPDX-License-Identifier: MIT
# A real rule set, in a network of its own, that would lock everybody out: the guard puts it back.
. "${0%/*}/tap.sh"
[ "$(id -u)" = 0 ] && command -v nft ip >/dev/null && unshare -n nft list ruleset >/dev/null 2>&1 ||
	{ echo "1..0 # SKIP only for root, with nft and ip"; exit 0; }
space=upkeep-test-$$
ip netns add "$space" || { echo "1..0 # SKIP no network namespaces"; exit 0; }
trap 'ip netns del $space; chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
inside() { ip netns exec "$space" "$@"; }
inside true 2>/dev/null || { echo "1..0 # SKIP no mounts here"; exit 0; }
inside ip link set lo up
cat >"$dir/open.nft" <<'END'
flush ruleset
table inet filter { chain input { type filter hook input priority 0; policy accept; }; }
END
cat >"$dir/shut.nft" <<'END'
flush ruleset
table inet filter { chain input { type filter hook input priority 0; policy drop; }; }
END
site <<<''
rules='action = "core.exec"; argv = [ "/usr/sbin/nft", "-f", "'$dir'/shut.nft" ];
	rollback = { action = "core.exec"; argv = [ "/usr/sbin/nft", "-f", "'$dir'/open.nft" ]; };'
graphs <<END
brief = { tasks = { rules = { $rules confirm_within = "2s"; }; }; };
long = { tasks = { rules = { $rules confirm_within = "300s"; }; }; };
END
policy() { local got; got=$(inside nft list ruleset | grep -o 'policy [a-z]*'); [ "$got" = "policy $1" ] || { echo "# $got"; return 1; }; }
reaches() { inside ping -c1 -W1 127.0.0.1 >/dev/null 2>&1 || inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/7; true' 2>&1 | grep -q refused; }
inside nft -f "$dir/open.nft"
ok "before, the host can be reached" reaches
ip netns exec "$space" "$upkeep" run brief >"$dir/out" 2>"$dir/err" & run=$!
ok "the rules that lock out are in force" until_true policy drop
wait $run; got=$?
ok "... and are put back" policy accept
ok "... which is said" test $got = 15
ok "... the host can be reached" reaches
ip netns exec "$space" "$upkeep" run brief >"$dir/out" 2>"$dir/err" & run=$!
until_true policy drop >/dev/null
until_true grep -q waiting "$dir/out" >/dev/null
# As when the connection dies that all hang on.
engine=$(ps -o pid= --ppid "$run" -o comm= | awk '$2 == "upkeep-engine" { print $1 }')
die $run $engine
ok "with everything dead but the guard" until_true policy accept
ok "... recover: not confirmed in time" code 15 inside "$upkeep" recover
ok "... the rules are as they were" policy accept
ip netns exec "$space" "$upkeep" run long >"$dir/out" 2>"$dir/err" & run=$!
until_true grep -q waiting "$dir/out" >/dev/null
ok "from elsewhere they are confirmed" code 0 "$upkeep" confirm last
wait $run; got=$?
ok "... the run succeeds" test $got = 0
ok "... they stay" policy drop
echo "1..$n"
