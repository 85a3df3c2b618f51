#!/bin/bash
# SPDX-License-Identifier: MIT
# The services of the tests themselves: both S3 servers check signatures, the proxy goes wrong
# where it is told, a database server can be stopped, killed and started again, and all of them
# end with their owner.
dir=$(mktemp -d) && chmod 711 "$dir" || exit 99
. "${0%/*}/use.sh"
n=0
ok() { n=$((n + 1)); if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi; }
s3() { "$services/s3-request" "$@" 2>"$dir/err"; }
says() { grep -qF -- "$1" "$dir/err" || { sed 's/^/# /' "$dir/err"; return 1; }; }
refused() { ! s3 "${@:2}" >"$dir/out" <"$dir/file" && says " $1 "; }
same() { s3 GET "$1" >"$dir/out" && cmp "$dir/out" "$dir/file"; }
rule() { printf '%s\n' "$@" >"$dir/s3-faults/rules"; }
set -a
head -c 1000000 /dev/urandom >"$dir/file"
for server in swift rgw; do
	use $server
	ok "$server: a bucket" s3 PUT /bucket </dev/null
	ok "... an object" s3 PUT /bucket/dir/a%20b <"$dir/file"
	ok "... comes back" same /bucket/dir/a%20b
	S3_SECRET_KEY=wrong
	ok "... refuses a wrong secret" refused 403 GET /bucket/dir/a%20b
	eval "$(cat "$dir/$server/answers")"
	ok "... and what is not the hash of the body" refused 400 PUT /bucket/b "x-amz-content-sha256:$(printf %064d 0)"
done
ok "rgw: another user may not" env S3_ACCESS_KEY="$S3_OTHER_ACCESS_KEY" bash -c '! "$1" GET /bucket/dir/a%20b >/dev/null 2>&1' - "$services/s3-request"

use s3-faults
S3_ENDPOINT=$S3_FAULTY_ENDPOINT
ok "the proxy passes what is signed" same /bucket/dir/a%20b
rule '503:SlowDown PUT /bucket/c 2'
ok "a fault at the second request: the first" s3 PUT /bucket/c <"$dir/file"
ok "... the second" refused 503 PUT /bucket/c
ok "... the third" s3 PUT /bucket/c <"$dir/file"
rule 'reset:90 PUT /bucket/d' 'after:500 PUT /bucket/e' 'no-etag HEAD /bucket/c' 'cut:90 GET /bucket/c' 'corrupt PUT /bucket/f'
reset() { ! s3 PUT /bucket/d <"$dir/file" && grep -qE 'Reset|Broken' "$dir/err"; }
ok "reset" reset
ok "... the server has nothing" refused 404 GET /bucket/d
ok "done, and said to have failed" refused 500 PUT /bucket/e
ok "... the server has it" same /bucket/e
no_etag() { s3 HEAD /bucket/c | grep -qix 'etag: *'; }
ok "an empty ETag" no_etag
cut() { ! s3 GET /bucket/c >"$dir/out"; }
ok "an answer cut short" cut
corrupt() { refused 400 PUT /bucket/f; }
ok "a byte that was changed on the way is noticed" corrupt
ok "it writes down what passed" grep -qx 'PUT /bucket/c 503:SlowDown' "$dir/s3-faults/requests"

use postgres 'work_mem = 5MB'
psql() { "$postgres_bin/psql" -XqAt -h "$postgres_socket" -p "$postgres_port" -U admin -d postgres -c "$1" 2>&1; }
refuses() { [[ $(psql 'SELECT 1') == *"$1"* ]]; }
port=$postgres_port
ok "postgres: a line of the configuration" test "$(psql 'SHOW work_mem')" = 5MB
ok "... a password is asked for" bash -c '! PGPASSWORD=wrong "$1" -h 127.0.0.1 -p "$2" -U admin -d postgres 2>/dev/null' - "$postgres_bin/psql" "$port"
psql 'CREATE TABLE kept AS SELECT 7 AS seven'
"$services/postgres" stop "$dir/postgres"
ok "... stopped, in good order" grep -q 'database system is shut down' "$dir/postgres/log/postgres"
ok "... it is gone" refuses 'No such file'
eval "$("$services/postgres" again "$dir/postgres")"
ok "... and again, with what was in it" test "$(psql 'SELECT seven FROM kept'):$postgres_port" = "7:$port"
kill -KILL "$postgres_pid"
eval "$("$services/postgres" again "$dir/postgres")"
ok "... when it was killed too" test "$(psql 'SELECT seven FROM kept'):$postgres_port" = "7:$port"

# what a killed test leaves: dies NAME starts one in $dir/dies and kills the owner; it gives the port
dies() { bash -c 'answers=$("$1/$2" start "$3" $$); echo "$answers" >"$4"; kill -KILL $$' - "$services" "$1" "$dir/dies" "$dir/answers" 2>/dev/null
	sed -n "s/.*\(port='\|:\)\([0-9]*\)'\$/\2/p" "$dir/answers"; }
ended() { ! grep -qz keep "/proc/$(cat "$dir/dies/pid")/cmdline" 2>/dev/null; }
for server in s3-faults postgres; do
	port=$(dies $server)
	for ((i = 0; i < 100; i++)); do ended && break; sleep 0.1; done
	ok "$server: what a killed test leaves ends by itself" ended
	ok "... its daemons too" bash -c '[ -n "$1" ] && ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null' - "$port"
done
rm -rf "$dir/dies"
eval "$("$services/postgres" start "$dir/dies" $$)"
kill -KILL "$(cat "$dir/dies/pid")"
gone() { ! kill -0 "$postgres_pid" 2>/dev/null; }
for ((i = 0; i < 100; i++)); do gone && break; sleep 0.1; done
ok "... and without their keeper" gone
empty_dir() { mkdir "$dir/here" && (cd "$dir/here" && for what in start again stop; do
	"$services/rgw" $what "" $$ >"$dir/out" 2>"$dir/err"; [ $? = 64 ] || exit 1; done) && rmdir "$dir/here"; }
ok "an empty DIR is refused: it would be where one stands" empty_dir
echo "1..$n"
