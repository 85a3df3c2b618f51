#!/bin/bash
# SPDX-License-Identifier: MIT
# s3-upload.put with checksums: of a server that keeps them, and of those that do not.
. "${0%/*}/s3.sh"
head -c 12000001 /dev/urandom >"$dir/big"; head -c 40000000 /dev/urandom >"$dir/large"; echo small >"$dir/small"
mkdir -m 700 "$dir/resume"
s3 PUT /bucket </dev/null
use s3-faults
requests=$dir/s3-faults/requests
rule() { printf '%s\n' "$@" >"$dir/s3-faults/rules"; : >"$requests"; }
# tasks INSTANCE: a small file, one in parts, and a stream in parts; their keys are the graphs' names
tasks() { local name
	for name in small large; do echo "$1-$name = { tasks = { put = {
  action = \"$1.put\"; key = \"$1-$name\"; file = \"$dir/$name\"; $2 }; }; };"; done
	echo "$1-stream = { tasks = { $(keep "$1" "$1-stream" "cat $dir/big" "$2") }; };"; }
# settle INSTANCE...: a site and its graphs
settle() { site <<<"plugins = { $(for name; do instance "$name" bucket "${endpoint-$S3_FAULTY_ENDPOINT}" \
		"checksum = \"sha256\"; resume_dir = \"$dir/resume\";"; done) };"
	for name; do tasks "$name"; done | graphs; }
settle kept ignored refused again
keeps=("sums PUT checksum-sha256 1 all" "sums POST uploadId 1 all")

rule "${keeps[@]}"
for name in small large stream; do
	file=$name; [ $name != stream ] || file=big
	ok "where it is kept, $name" code 0 "$upkeep" run kept-$name
	ok "... nothing is warned of" hasnt out "keeps none"
	ok "... is there" same bucket/p/kept-$name "$dir/$file"
done
ok "... no object or part without it" test "$(grep '^PUT' "$requests" | grep -vc ' sums$')" = 0

rule
for name in small large stream; do
	file=$name; [ $name != stream ] || file=big
	ok "where it is ignored, $name" code 0 "$upkeep" run ignored-$name
	ok "... that is said" has out "says nothing of its checksum: it keeps none"
	ok "... once" test "$(grep -c 'keeps none' "$dir/out")" = 1
	ok "... is there" same bucket/p/ignored-$name "$dir/$file"
done

for code in 501:NotImplemented 400:InvalidRequest; do
	rule "$code PUT checksum-sha256 1 all" "$code POST checksum-algorithm 1 all"
	for name in small large stream; do
		ok "where it is refused by $code, $name" code 10 "$upkeep" run refused-$name
		ok "... says why" has out "${code/:/ }"
		ok "... what to do" has out 'look whether the server takes checksum = "sha256"'
		ok "... there is none" none bucket/p/refused-$name
		ok "... no open upload" uploads_are bucket 0
	done
done

# bytes that change on the way are sent again
rule 'corrupt PUT /kept.*partNumber=2' "${keeps[@]}"
s3 DELETE /bucket/p/kept-stream
ok "a part that changes on the way" code 0 "$upkeep" run kept-stream
ok "... is there" same bucket/p/kept-stream "$dir/big"

# what a kill leaves is not gone on with by parts of another kind
rule 'stall PUT partNumber=3'
"$upkeep" run again-large >"$dir/run" 2>&1 & run=$!
parts_are() { [ "$(grep -c 'partNumber=[12].* 200' "$requests")" = 2 ]; }
until_true parts_are
kill_run $run
"$upkeep" recover >"$dir/out" 2>&1
ok "what a kill leaves stays open" uploads_are bucket 1
rule
sed -i 's/checksum = "sha256"; //' "$UPKEEP_SITE"
ok "... without checksums it is another upload" code 0 "$upkeep" run again-large
ok "... of all parts" test "$(grep -c 'PUT.*partNumber=' "$requests")" = 3
ok "... is there" same bucket/p/again-large "$dir/large"

use swift
direct=$S3_ENDPOINT
printf %s "$S3_SECRET_KEY" >"$dir/secret"
s3 PUT /bucket </dev/null
endpoint=$direct settle swift
for name in small large; do
	ok "Swift, $name" code 0 "$upkeep" run swift-$name
	ok "... keeps none" has out "keeps none"
	ok "... is there" same bucket/p/swift-$name "$dir/$name"
done
echo "1..$n"
