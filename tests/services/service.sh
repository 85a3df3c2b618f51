# SPDX-License-Identifier: MIT
# Sourced by the commands that start a real server for a test:
#
#	eval "$(tests/services/rgw start "$dir/rgw" $$)"	variables that say where it answers
#	tests/services/rgw stop "$dir/rgw"
#
# `start DIR OWNER` returns when the server answers.  All of it lies in DIR, which it makes
# anew.  It ends at `stop`, or by itself when the process OWNER is gone, however that ended:
# its daemons are children of a keeper, and die with it.  77: the program is not installed.
# A command defines serve(), which starts daemons by `daemon` and tells where by `answer`.
set -u

# needs PROGRAM...: or the test is skipped
needs()
{
	local program
	for program; do
		command -v "$program" >/dev/null || { echo "$program is not installed" >&2; exit 77; }
	done
}

# take_port: sets `port` to one on loopback where nobody listens.  It lies below those that
# the kernel hands out.  Who loses the race for it sees its daemon end, and starts again.
taken=
take_port()
{
	while :; do
		port=$((20000 + SRANDOM % 12000))
		[[ $taken == *" $port "* ]] && continue
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue
		taken="$taken $port "
		return
	done
}

# daemon NAME COMMAND...: in the background; its output is in DIR/log/NAME
daemon()
{
	setpriv --pdeathsig KILL "${@:2}" >"log/$1" 2>&1 </dev/null &
	daemons="$daemons $!"
}

# lives PID: it runs (one that is not yet waited for does not)
lives()
{
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" && [[ ${stat##*) } != Z* ]]
}

# wait_until COMMAND...: 60 s at most, and no longer than the daemons and the owner live
wait_until()
{
	local end=$((SECONDS + 60)) pid
	until "$@" >/dev/null 2>&1; do
		for pid in $owner $daemons; do
			lives "$pid" || { echo "process $pid has ended" >&2; return 1; }
		done
		[ $SECONDS -lt $end ] || { echo "not in time: $*" >&2; return 1; }
		sleep 0.05
	done
}

# answer NAME VALUE: a variable for who started it
answer()
{
	printf "%s='%s'\n" "$1" "$2" >>answers.partial
}

# The keeper: in a session of its own, so that what ends the test does not end it first.
keep()
{
	owner=$1
	daemons=
	trap 'kill -KILL $daemons; wait' EXIT
	trap 'exit 0' TERM
	serve || exit 1
	mv answers.partial answers
	daemon owner tail --pid="$owner" -s 0.2 -f /dev/null
	wait -n
}

start()
{
	local try keeper
	stop "$1"
	for try in 1 2 3; do
		rm -rf "$1"
		mkdir -p "$1/log"
		cd "$1" || exit 1
		setsid "$self" keep "$1" "$2" >log/keeper 2>&1 </dev/null &
		keeper=$!
		echo $keeper >pid
		while lives $keeper && [ ! -e answers ]; do sleep 0.02; done
		[ ! -e answers ] || { cat answers; return; }
		wait $keeper
	done
	tail -n 20 log/* >&2
	return 1
}

stop()
{
	local pid
	[ -e "$1/pid" ] || return 0
	read -r pid <"$1/pid"
	# the number may be another's by now
	grep -qzxF -- "$1" "/proc/$pid/cmdline" 2>/dev/null || return 0
	kill -TERM "$pid"
	while lives "$pid"; do sleep 0.02; done
}

# service_main ARGUMENT...: the command itself
service_main()
{
	self=$(realpath "$0")
	case ${1-}.$# in
	start.3) start "$(realpath -m "$2")" "$3" ;;
	stop.2) stop "$(realpath -m "$2")" ;;
	keep.3) keep "$3" ;;
	*)
		echo "usage: $0 start DIR OWNER | stop DIR" >&2
		exit 64
		;;
	esac
}
