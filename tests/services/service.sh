# SPDX-License-Identifier: MIT
# Sourced by the commands that start a real server for a test:
#
#	eval "$(tests/services/rgw start "$dir/rgw" $$)"	variables that say where it answers
#	tests/services/rgw stop "$dir/rgw"
#
# `start DIR OWNER [ARGUMENT...]` returns when the server answers.  All of it lies in DIR, which
# it makes anew.  It ends at `stop`, or by itself when the process OWNER is gone, however that
# ended: its daemons are children of a keeper, and die with it.  `again DIR` starts one that has
# ended on what it left there, where the command can.  77: the program is not installed.
# A command defines serve(), which starts daemons by `daemon` and tells where by `answer`.
set -u

# What ends a daemon: these signals, ten seconds after one another.
signals=KILL

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
	setpriv --pdeathsig KILL "${@:2}" >>"log/$1" 2>&1 </dev/null &
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

# live PID...: one of them does
live()
{
	local pid
	for pid; do
		lives "$pid" && return
	done
	return 1
}

end_daemons()
{
	local signal i
	trap '' TERM
	for signal in $signals; do
		[ -z "$daemons" ] || kill -"$signal" $daemons 2>/dev/null
		for ((i = 0; i < 500; i++)); do
			live $daemons || return
			sleep 0.02
		done
	done
}

# The keeper: in a session of its own, so that what ends the test does not end it first.
keep()
{
	owner=$1
	daemons=
	trap end_daemons EXIT
	trap 'exit 0' TERM
	serve "${@:2}" || exit 1
	mv answers.partial answers
	setpriv --pdeathsig KILL tail --pid="$owner" -s 0.2 -f /dev/null &
	wait -n
}

# launch DIR OWNER [ARGUMENT...]: a keeper, and what it answers
launch()
{
	local keeper
	cd "$1" && mkdir -p log && rm -f answers answers.partial && echo "$2" >owner || exit 1
	setsid "$self" keep "$@" >log/keeper 2>&1 </dev/null &
	keeper=$!
	echo $keeper >pid
	while lives $keeper && [ ! -e answers ]; do sleep 0.02; done
	[ ! -e answers ] || { cat answers; return; }
	wait $keeper
	return 1
}

start()
{
	local try
	stop "$1"
	for try in 1 2 3; do
		mkdir -p "$1" && find "$1" -mindepth 1 -delete || exit 1
		launch "$@" && return
	done
	tail -n 20 log/* >&2
	return 1
}

again()
{
	stop "$1"
	launch "$1" "$(cat "$1/owner")" && return
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
	[ -n "${2-}" ] || set -- # an empty DIR would be where one stands
	case $#.${1-} in
	[3-9].start | [1-9]?.start) start "$(realpath -m "$2")" "${@:3}" ;;
	2.again) again "$(realpath -m "$2")" ;;
	2.stop) stop "$(realpath -m "$2")" ;;
	[3-9].keep | [1-9]?.keep) keep "${@:3}" ;;
	*)
		echo "usage: $0 start DIR OWNER [ARGUMENT...] | again DIR | stop DIR" >&2
		exit 64
		;;
	esac
}
