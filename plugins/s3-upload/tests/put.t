#!/bin/bash
# SPDX-License-Identifier: MIT
# s3-upload.put: files and streams become objects, whole or not at all, and are taken back.
. "${0%/*}/s3.sh"
head -c 30000001 /dev/urandom >"$dir/big"; head -c 45000000 /dev/urandom >"$dir/large"
echo small >"$dir/small"; : >"$dir/empty"; mkdir -m 700 "$dir/resume"
for bucket in plain kept; do s3 PUT /$bucket </dev/null; done
s3 PUT '/kept?versioning=' >/dev/null <<<'<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
s3 PUT /locked x-amz-bucket-object-lock-enabled:true </dev/null
site <<END
plugins = { $(instance plain plain "$direct") $(instance kept kept "$direct") $(instance locked locked "$direct")
  $(instance again plain "$direct" "resume_dir = \"$dir/resume\";") };
END
# file INSTANCE KEY FILE MORE
file() { echo "put = { action = \"$1.put\"; key = \"$2\"; file = \"$dir/$3\"; $4 };"; }
fail='fail = { action = "core.exec"; argv = [ "false" ]; changes = "none"; after = [ "put" ]; };'
graphs <<END
small = { tasks = { $(file plain "a b+c" small 'metadata = [ "who=me" ]; tags = [ "k=v w", "x=" ]; content_type = "text/x";') }; };
empty = { tasks = { $(file plain empty empty) }; };
large = { tasks = { $(file plain large large 'verify = "get";') }; };
stream = { tasks = { $(keep plain stream "cat $dir/big" 'verify = "get";') }; };
short = { tasks = { $(keep plain short "cat $dir/small") }; };
nothing = { tasks = { $(keep plain nothing "true") }; };
undone = { tasks = { $(keep plain undone "cat $dir/big") $fail }; };
undone-small = { tasks = { $(file plain undone small) $fail }; };
fails = { tasks = { $(keep plain fails "cat $dir/big; exit 3") }; };
fails-short = { tasks = { $(keep plain fails "cat $dir/small; exit 3") }; };
$(for end in 0 3; do echo "client-$end = { tasks = {
	write = { action = \"core.exec\"; argv = [ \"/bin/sh\", \"-c\", \"cat $dir/big; exit $end\" ]; changes = \"none\"; };
	put = { action = \"core.exec\"; from = \"write\"; argv = [ \"$services/s3-request\", \"PUT\", \"/plain/p/client\" ]; changes = \"none\";
	  env = { S3_ENDPOINT = \"$direct\"; S3_ACCESS_KEY = \"$S3_ACCESS_KEY\"; S3_SECRET_KEY = \"secret:file:$dir/secret\"; }; }; }; };"; done)
hangs = { tasks = { $(keep plain hangs "cat $dir/big; touch $dir/going; exec sleep 300") }; };
there = { tasks = { $(file plain short large 'if_none_match = false;') }; };
lost = { tasks = { $(file plain short large 'if_none_match = false; lose_replaced = true;') }; };
first = { tasks = { $(file kept k small) }; };
second = { tasks = { $(file kept k large 'if_none_match = false;') }; };
third = { tasks = { $(file kept k big 'if_none_match = false;') $fail }; };
lock = { tasks = { $(file locked l small 'object_lock = "governance"; retain_days = 1;') }; };
lock-more = { tasks = { $(file locked more small 'object_lock = "compliance"; retain_days = 1;') }; };
lock-large = { tasks = { $(file locked ll large 'object_lock = "governance"; retain_days = 1;') }; };
again = { tasks = { $(file again again large) }; };
both = { tasks = { $(keep plain both "true" "file = \"$dir/small\";") }; };
neither = { tasks = { put = { action = "plain.put"; key = "neither"; }; }; };
bad = { tasks = { $(file plain bad small 'metadata = [ "a b" ];') }; };
END
ok "plan" code 2 "$upkeep" plan small
ok "... says whose keys" has out "with keys from the settings"
ok "a small file" code 0 "$upkeep" run --json small
ok "... its hash is told" json ".tables.put[0].sha256 == \"$(sha256sum <"$dir/small" | cut -d' ' -f1)\""
ok "... is there" same plain/p/a%20b%2Bc "$dir/small"
ok "... with its metadata" header plain/p/a%20b%2Bc 'x-amz-meta-who: me'
ok "... its type" header plain/p/a%20b%2Bc 'content-type: text/x'
tags() { s3 GET '/plain/p/a%20b%2Bc?tagging=' | grep -q '<Key>k</Key><Value>v w</Value>'; }
ok "... its tags" tags
ok "an empty file" code 0 "$upkeep" run empty
ok "... is there" same plain/p/empty "$dir/empty"
ok "a file in parts, read back" code 0 "$upkeep" run --json large
ok "... three" json '.tables.put[0].parts == 3'
ok "... is there" same plain/p/large "$dir/large"
ok "a stream in parts, read back" code 0 "$upkeep" run --json stream
ok "... of 5 MiB" json '.tables.put[0].parts == 6'
ok "... is there" same plain/p/stream "$dir/big"
ok "a short stream" code 0 "$upkeep" run short
ok "... is there" same plain/p/short "$dir/small"
ok "a stream of nothing" code 0 "$upkeep" run nothing
ok "... is there" same plain/p/nothing "$dir/empty"

ok "a later task fails" code 11 "$upkeep" run undone
ok "... the object is gone" none plain/p/undone
ok "... also a small one" code 11 "$upkeep" run undone-small
ok "... is gone" none plain/p/undone
# whoever is stopped first has the word: nothing changed (10), or put back (11)
clean() { code 10 "$upkeep" run "$1" >/dev/null || { [ $? = 1 ] && grep -q 'rolled back' "$dir/out"; }; }
ok "the stream's writer fails at its end" clean fails
ok "... nothing is there" none plain/p/fails
ok "... also of a short one" clean fails-short
ok "... nothing is there" none plain/p/fails
ok "another upload client, of what is not whole" code 10 "$upkeep" run client-3
ok "... has not seen the end" none plain/p/client
ok "another upload client, of what is whole" code 0 "$upkeep" run client-0
ok "... has" same plain/p/client "$dir/big"
ok "no upload is open" uploads_are plain 0

"$upkeep" run hangs >"$dir/run" 2>&1 & run=$!
until_true test -e "$dir/going"
until_true uploads_are plain 1 >/dev/null
kill_run $run
"$upkeep" recover >"$dir/out" 2>&1
ok "a run that is killed" has out "rolled back"
ok "... no upload is open" uploads_are plain 0
ok "... nothing is there" none plain/p/hangs

ok "an object is there" code 10 "$upkeep" run short
ok "... what to do" has out "choose another key, or set if_none_match = false"
ok "... it would be lost" code 10 "$upkeep" run there
ok "... what to do" has out "switch versioning on, or set lose_replaced = true"
ok "... and it is still there" same plain/p/short "$dir/small"
ok "... unless that is wanted" code 0 "$upkeep" run lost
ok "... it is another" same plain/p/short "$dir/large"

ok "where versions are kept" code 0 "$upkeep" run first
ok "... it may be replaced" code 0 "$upkeep" run second
ok "... it is another" same kept/p/k "$dir/large"
ok "... and replaced again, before a failure" code 11 "$upkeep" run third
ok "... the one before is back" same kept/p/k "$dir/large"
"$upkeep" history --json >"$dir/out"; run2=$(jq -r "[.. | objects | select(.graph? == \"second\")][0].run" "$dir/out")
ok "... hours later too" code 0 "$upkeep" rollback "$run2"
ok "... the first is back" same kept/p/k "$dir/small"

ok "a locked object" code 0 "$upkeep" run lock
ok "... is locked" header locked/p/l 'x-amz-object-lock-mode: GOVERNANCE'
ok "... in parts" code 0 "$upkeep" run lock-large
ok "... is locked" header locked/p/ll 'x-amz-object-lock-mode: GOVERNANCE'
ok "... the plan" code 2 "$upkeep" plan lock-more
ok "... says that it stays" has out "cannot be undone"

# a file's upload goes on after a kill
use s3-faults
sed -i "s|$direct|$S3_FAULTY_ENDPOINT|" "$UPKEEP_SITE"
echo 'stall PUT partNumber=3' >"$dir/s3-faults/rules"
"$upkeep" run again >"$dir/run" 2>&1 & run=$!
parts_are() { [ "$(grep -sc 'partNumber=[12].* 200' "$dir/s3-faults/requests")" = 2 ]; }
until_true parts_are
kill_run $run
: >"$dir/s3-faults/rules"
"$upkeep" recover >"$dir/out" 2>&1
ok "with resume_dir what a kill leaves stays open" uploads_are plain 1
: >"$dir/s3-faults/requests"
ok "... the next run goes on" code 0 "$upkeep" run --json again
ok "... with what is missing" test "$(grep -c 'PUT.*partNumber=' "$dir/s3-faults/requests")" = 1
ok "... all of it is there" same plain/p/again "$dir/large"
ok "... nothing is open or remembered" test -z "$(ls "$dir/resume")"
ok "... no upload" uploads_are plain 0

ok "file and stream" code 10 "$upkeep" run both
ok "neither" code 10 "$upkeep" run neither
ok "metadata that is none" code 10 "$upkeep" run bad
ok "... is said" has out '"a b" is not name=value'
ok "no secret is in the journal or the logs" test -z "$(grep -raF "$S3_SECRET_KEY" "$dir/state")"
echo "1..$n"
