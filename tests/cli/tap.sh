# SPDX-License-Identifier: MIT
# Sourced by the tests of commands: a directory, a site in it, ok and what it is asked with.
upkeep=$top_builddir/core/upkeep
dir=$(mktemp -d) || exit 99
trap 'chmod -R u+rwx "$dir"; rm -rf "$dir"' EXIT
export UPKEEP_SITE=$dir/upkeep.conf
export UPKEEP_PLUGIN_DIR=${UPKEEP_PLUGIN_DIR-$(cd "$top_builddir" && pwd)/plugins/.libs}
# For root the cache of descriptions is the state directory's, before the site names its own.
export UPKEEP_STATE_DIR=$dir/state
n=0
ok() { n=$((n + 1)); if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi; }
# code N COMMAND...: ends with N; output in $dir/out, messages in $dir/err
code() { local want=$1; shift; "$@" >"$dir/out" 2>"$dir/err"; local got=$?
	[ $got = "$want" ] || { echo "# $*: $got, not $want"; sed 's/^/# /' "$dir/out" "$dir/err"
		return 1; }; }
has() { grep -qF -- "$2" "$dir/$1" || { echo "# no: $2"; sed 's/^/# /' "$dir/$1"; return 1; }; }
hasnt() { ! grep -qF -- "$2" "$dir/$1" || { echo "# there is: $2"; return 1; }; }
json() { [ -s "$dir/out" ] && jq -e "$1" "$dir/out" >/dev/null || { echo "# not: $1"; sed 's/^/# /' "$dir/out"
	return 1; }; }
# until COMMAND...: at most 20 s
until_true() { local i; for ((i = 0; i < 200; i++)); do "$@" && return; sleep 0.1; done; return 1; }
# gone PID: it has ended; that init, whose child it became, has not yet asked how does not matter
gone() { local stat; ! read -r stat 2>/dev/null <"/proc/$1/stat" || [[ ${stat##*) } == Z* ]]; }
# die PID...: by SIGKILL, all at one moment (stopped first: none sees another die), and they are gone: what is being killed holds its locks still
die() { local pid; kill -STOP "$@"; kill -KILL "$@"; for pid; do wait "$pid" 2>/dev/null; until_true gone "$pid"; done; }
site() { printf 'state_dir = "%s";\ngraphs = [ "%s" ];\n' "$dir/state" "$dir/g.conf" >"$UPKEEP_SITE"
	cat >>"$UPKEEP_SITE"; }
graphs() { { echo 'graphs = {'; cat; echo '};'; } >"$dir/g.conf"; }
