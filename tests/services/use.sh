# SPDX-License-Identifier: MIT
# Sourced by tests that need a server, after $dir is made: use NAME [ARGUMENT...] starts
# tests/services/NAME in $dir/NAME and sets its variables; without its programs the whole test is
# skipped.
services=$top_srcdir/tests/services
used=
use()
{
	local answers code=0
	used="$used $1"
	answers=$("$services/$1" start "$dir/$1" $$ "${@:2}") || code=$?
	[ $code != 77 ] || { echo "1..0 # SKIP $1 is not installed"; exit 0; }
	[ $code = 0 ] || { echo "Bail out! $1 does not start"; exit 99; }
	eval "$answers"
}
end_used() { for service in $used; do "$services/$service" stop "$dir/$service"; done; chmod -R u+rwx "$dir"; rm -rf "$dir"; }
trap end_used EXIT
