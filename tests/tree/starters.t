#!/bin/bash
# SPDX-License-Identifier: MIT
# What starts the sample graphs starts them at the times that they name, recovers at boot, and is
# installed.
set -u
cd "$top_srcdir/etc" || exit 1
n=0
ok() { n=$((n + 1)); if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi; }
schedule() { sed -n 's/^[[:space:]]*schedule = "\(.*\)";$/\1/p' "graphs/$1.conf"; }
# As cron has it: "02:40" is "40 2 * * *", "Sun 02:40" "40 2 * * Sun", "*-*-01 02:40" "40 2 1 * *"
cron() { awk '{ split($NF, at, ":"); day = week = "*"
	if (NF == 2 && $1 ~ /^\*-\*-/) day = substr($1, 5) + 0; else if (NF == 2) week = $1
	print at[2] + 0, (at[1] == "*" ? "*" : at[1] + 0), day, "*", week }' <<<"$1"; }
is() { [ "$1" = "$2" ] || { echo "# $1, not $2"; return 1; }; }
installed() { grep -qwF "etc/$1" etc.am; }

for file in graphs/*.conf; do
	graph=$(basename "$file" .conf)
	when=$(schedule "$graph")
	[ -n "$when" ] || continue # by hand
	# what not every host has is there as a comment
	ok "$graph: cron" is "$(sed -n "s|^#\{0,1\}\(.*[^ ]\) *root .*/upkeep run $graph --quiet\$|\1|p" cron.d/upkeep)" "$(cron "$when")"
	ok "$graph: systemd" is "$(sed -n 's/^OnCalendar=//p' "systemd/upkeep@$graph.timer")" "$when"
done
ok "recover at boot: cron" grep -q '^@reboot .*/upkeep recover --quiet$' cron.d/upkeep
ok "recover at boot: systemd" grep -q '^ExecStart=.*/upkeep recover --quiet$' systemd/upkeep-recover.service
for file in upkeep.conf graphs/* cron.d/* systemd/*; do
	ok "$file is installed" installed "$file"
done
if command -v systemd-analyze >/dev/null; then
	dir=$(mktemp -d) || exit 99
	trap 'rm -rf "$dir"' EXIT
	cp systemd/* "$dir"
	# Not where it is not installed: any program will do.
	sed -i 's|^ExecStart=/usr/bin/upkeep|ExecStart=/bin/true|' "$dir"/*.service
	for unit in upkeep-recover.service upkeep@x.service upkeep@x.timer upkeep@health.timer; do
		# What it says of other units is the host's.
		ok "$unit is right" is "$(systemd-analyze verify --man=no "$dir/$unit" 2>&1 | grep upkeep)" ""
	done
fi
echo "1..$n"
