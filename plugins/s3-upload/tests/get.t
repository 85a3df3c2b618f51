#!/bin/bash
# SPDX-License-Identifier: MIT
# s3-upload.get and verify: files and streams of one state of an object, or none.
. "${0%/*}/s3.sh"
head -c 30000001 /dev/urandom >"$dir/big"; echo small >"$dir/small"; : >"$dir/empty"
s3 PUT /bucket </dev/null
use s3-faults
rules=$dir/s3-faults/rules requests=$dir/s3-faults/requests
: >"$requests"
site <<END
plugins = { $(instance s3 bucket "$S3_FAULTY_ENDPOINT" 'stall_timeout = "2s";') };
END
etag=$(md5sum <"$dir/small" | cut -d" " -f1)
sum() { sha256sum <"$1" | cut -d' ' -f1; }
# get KEY FILE MORE; verify KEY MORE
get() { echo "get = { action = \"s3.get\"; key = \"$1\"; file = \"$dir/$2\"; $3 };"; }
verify() { echo "verify = { action = \"s3.verify\"; key = \"$1\"; $2 };"; }
fail='fail = { action = "core.exec"; argv = [ "false" ]; changes = "none"; after = [ "get" ]; };'
read_it() { echo "get = { action = \"s3.get\"; key = \"$1\"; }; read = { action = \"core.exec\"; argv = [ \"/bin/cat\" ]; from = \"get\"; stdout = \"$dir/$2\"; };"; }
graphs <<END
put-big = { tasks = { put = { action = "s3.put"; key = "big"; file = "$dir/big"; }; }; };
put-other = { tasks = { put = { action = "s3.put"; key = "big"; file = "$dir/small"; if_none_match = false; lose_replaced = true; }; }; };
put-small = { tasks = { put = { action = "s3.put"; key = "small"; file = "$dir/small"; }; }; };
put-empty = { tasks = { put = { action = "s3.put"; key = "empty"; file = "$dir/empty"; }; }; };
big = { tasks = { $(get big got.big) }; };
small = { tasks = { $(get small got.small) }; };
empty = { tasks = { $(get empty got.empty) }; };
replaced = { tasks = { $(get big old 'replace = true;') }; };
undone = { tasks = { $(get big old 'replace = true;') $fail }; };
undone-new = { tasks = { $(get big new) $fail }; };
missing = { tasks = { $(get missing new) }; };
wrong = { tasks = { $(get big new "sha256 = \"$(sum "$dir/small")\";") }; };
right = { tasks = { $(get big right "sha256 = \"$(sum "$dir/big")\";") }; };
resumed = { tasks = { $(get big resumed 'resume = true;') }; };
changed = { tasks = { $(get big changed) }; };
stream = { tasks = { $(read_it big streamed) }; };
stream-empty = { tasks = { $(read_it empty streamed.empty) }; };
through = { tasks = { get = { action = "s3.get"; key = "big"; }; put = { action = "s3.put"; key = "copy"; from = "get"; }; }; };
v-big = { tasks = { $(verify big) }; };
v-copy = { tasks = { $(verify copy "sha256 = \"$(sum "$dir/big")\";") }; };
v-parts = { tasks = { $(verify copy) }; };
v-small = { tasks = { $(verify small) }; };
v-wrong = { tasks = { $(verify small "sha256 = \"$(sum "$dir/big")\";") }; };
v-head = { tasks = { $(verify small "level = \"head\"; size = \"6\"; etag = \"$etag\";") }; };
v-size = { tasks = { $(verify small 'level = "head"; size = "7";') }; };
v-unknown = { tasks = { $(verify "un known") }; };
END
for what in big small empty; do ok "put $what" code 0 "$upkeep" run put-$what; done
for what in big small empty; do
	ok "a file: $what" code 0 "$upkeep" run $what
	ok "... the same" cmp "$dir/$what" "$dir/got.$what"
done
stages() { ls -d "$dir"/.*.upkeep-* 2>/dev/null | wc -l; }
ok "nothing is left beside them" test "$(stages)" = 0
ok "one is there already" code 10 "$upkeep" run small
ok "... what to do" has out "set replace = true"
echo before >"$dir/old"; chmod 640 "$dir/old"
ok "a failure after it was replaced" code 11 "$upkeep" run undone
ok "... the one before is back" grep -qx before "$dir/old"
ok "... nothing is left" test "$(stages)" = 0
ok "a failure after a new one" code 11 "$upkeep" run undone-new
ok "... it is gone" test ! -e "$dir/new"
ok "replaced" code 0 "$upkeep" run --json replaced
ok "... by the object" cmp "$dir/big" "$dir/old"
ok "... with its mode" test "$(stat -c %a "$dir/old")" = 640
ok "... the one before is kept" grep -rqx before "$dir"/.old.upkeep-*/old
ok "no such object" code 10 "$upkeep" run missing
ok "... is said" has out "there is no object s3://bucket/p/missing"
ok "another hash" code 10 "$upkeep" run wrong
ok "... is said" has out "and should have $(sum "$dir/small")"
ok "... no file" test ! -e "$dir/new" -a "$(stages)" = 1
ok "the right hash" code 0 "$upkeep" run right

ok "a stream" code 0 "$upkeep" run stream
ok "... the same" cmp "$dir/big" "$dir/streamed"
ok "... of nothing" code 0 "$upkeep" run stream-empty
ok "... the same" cmp "$dir/empty" "$dir/streamed.empty"
ok "from object to object" code 0 "$upkeep" run through
ok "... the same" same bucket/p/copy "$dir/big"

for graph in v-big v-copy v-parts v-small v-head; do ok "verify: $graph" code 0 "$upkeep" run $graph; done
ok "verify: another hash" code 10 "$upkeep" run v-wrong
ok "... is said" has out "s3://bucket/p/small is not what it should be"
ok "verify: another size" code 10 "$upkeep" run v-size
s3 PUT '/bucket/p/un%20known' x-amz-meta-upkeep-sha256:"$(sum "$dir/big")" <"$dir/small"
ok "verify: what is not what was written down" code 10 "$upkeep" run v-unknown

# what goes wrong on the way
printf '%s\n' 'cut:50 GET /p/big 1' 'reset:90 GET /p/big 1' '503:SlowDown GET /p/big 1' >"$rules"
rm "$dir/got.big"
ok "an answer that is cut, a reset, a 503" code 0 "$upkeep" run --json big
ok "... the same" cmp "$dir/big" "$dir/got.big"
echo 'corrupt GET /p/small 1 all' >"$rules"
rm "$dir/got.small"
ok "a byte that was changed on the way" code 10 "$upkeep" run small
ok "... is noticed" has out "and should have $(sum "$dir/small")"
ok "... no file" test ! -e "$dir/got.small"
echo 'corrupt GET /p/copy 2' >"$rules"
ok "... in parts, by verify" code 10 "$upkeep" run v-parts
ok "... is noticed" has out "its bytes make the ETag"
echo 'stall GET /p/big 12 all' >"$rules"
: >"$requests"
"$upkeep" run resumed >"$dir/run" 2>&1 & run=$!
stalled() { grep -q 'GET.*stall' "$requests" && [ "$(grep -c 'GET /bucket/p/big 206' "$requests")" = 11 ]; }
until_true stalled; sleep 0.2
kill_run $run
: >"$rules"
"$upkeep" recover >"$dir/out" 2>&1
: >"$requests"
ok "resume: the next run goes on" code 0 "$upkeep" run resumed
ok "... with what is missing" test "$(grep -c 'GET.*206' "$requests")" -lt 25
ok "... the same" cmp "$dir/big" "$dir/resumed"
echo 'stall GET /p/big 12 all' >"$rules"
: >"$requests"
"$upkeep" run changed >"$dir/out" 2>&1 & run=$!
until_true stalled
s3 PUT /bucket/p/big <"$dir/small"
: >"$rules"
wait $run; code=$?
ok "an object that is replaced while it is fetched" test $code = 10
ok "... no file" test ! -e "$dir/changed"
echo "1..$n"
