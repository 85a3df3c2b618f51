# SPDX-License-Identifier: MIT
# Sourced (bash): a brood, and what is alive of it after its runner was killed.  $work is the
# caller's directory.
mark=3600.0$$
brood=$(cd "$top_srcdir" && pwd)/tests/bench/brood
alive() { pgrep -f -c "$mark"; }
# start_brood COMMAND...: a runner, as from a terminal, where no signal is ignored; it is $runner
start_brood() {
	rm -f "$work/there"
	env --default-signal=INT,QUIT,HUP,TERM "$@" >"$work/said" 2>&1 </dev/null &
	runner=$!
	local i
	for ((i = 0; i < 400; i++)); do [ -e "$work/there" ] && return; sleep 0.05; done
	return 1
}
# count_alive: how many there are in the end, and no more than 3 s later
count_alive() {
	local i
	for ((i = 0; i < 60 && $(alive) > 0; i++)); do sleep 0.05; done
	alive || :
}
end_brood() {
	local pid
	for pid in $(pgrep -f "$mark"); do kill -KILL "$pid" 2>/dev/null || :; done
	kill -KILL "$runner" 2>/dev/null || :
	wait "$runner" 2>/dev/null || :
}
