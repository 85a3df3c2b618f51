#!/bin/bash
# SPDX-License-Identifier: MIT
# Files of a site that cannot be read, each for a reason that no case file can have.
. "${0%/*}/tap.sh"
site </dev/null
graphs <<<'fine = { tasks = { a = { action = "core.exec"; argv = [ "/bin/true" ]; }; }; };'
# with FILE: beside the graph
with() { printf 'state_dir = "%s";\ngraphs = [ "%s", "%s" ];\n' "$dir/state" "$dir/g.conf" "$1" >"$UPKEEP_SITE"; }
ok "a site that can be read" code 0 "$upkeep" check
ln -s nowhere "$dir/broken.conf"
with "$dir/broken*.conf"
ok "a link to nowhere" code 78 "$upkeep" check
ok "... is named" has err "cannot open $dir/broken.conf: No such file or directory"
truncate -s 257M "$dir/large.conf"
with "$dir/large.conf"
ok "a file too large" code 78 "$upkeep" check
ok "... says how large it may be" has err "$dir/large.conf is larger than 256 MiB; split it"
# A regular file that cannot be read, for anybody: the speed of the loopback interface.
if cat /sys/class/net/lo/speed >/dev/null 2>&1 || [ ! -e /sys/class/net/lo/speed ]; then
	ok "a file that fails # SKIP there is none here" true
else
	with /sys/class/net/lo/speed
	ok "a file that fails" code 78 "$upkeep" check
	ok "... says how" has err "cannot read /sys/class/net/lo/speed: Invalid argument"
fi
echo "1..$n"
