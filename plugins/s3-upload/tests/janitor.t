#!/bin/bash
# SPDX-License-Identifier: MIT
# s3-upload.list and janitor: what there is below the prefix, seen and unseen.
. "${0%/*}/s3.sh"
s3 PUT /bucket </dev/null
use s3-faults
site <<END
plugins = { $(instance s3 bucket "$S3_FAULTY_ENDPOINT") };
END
graphs <<END
list = { tasks = { list = { action = "s3.list"; }; }; };
list-a = { tasks = { list = { action = "s3.list"; below = "a/"; }; }; };
young = { tasks = { tidy = { action = "s3.janitor"; older_than = "1h"; }; }; };
all = { tasks = { tidy = { action = "s3.janitor"; older_than = "0s"; }; }; };
END
ok "an empty place" code 0 "$upkeep" run --json list
ok "... says so" json '.tables == {}'
for key in p/a/1 p/a/2%20x p/b other; do s3 PUT "/bucket/$key" <<<"$key"; done
ok "list" code 0 "$upkeep" run --json list
ok "... what is below the prefix" json '[.tables.objects[].key] == ["a/1", "a/2 x", "b"]'
ok "... with sizes" json '[.tables.objects[].size] == [6, 10, 4]'
ok "list of a part" code 0 "$upkeep" run --json list-a
ok "... shows it" json '[.tables.objects[].key] == ["a/1", "a/2 x"]'

for key in p/one p/two%20x other; do s3 POST "/bucket/$key?uploads" </dev/null >/dev/null; done
ok "young uploads" code 0 "$upkeep" run young
ok "... are left" uploads_are bucket 3
ok "the plan" code 2 "$upkeep" plan all
ok "... names them" has out "abort the upload of s3://bucket/p/two x"
ok "... and not those of others" hasnt out "s3://bucket/other"
ok "... and changes nothing" uploads_are bucket 3
echo 'no-date GET uploads 1 all' >"$dir/s3-faults/rules"
ok "when they began is not known" code 0 "$upkeep" run all
ok "... is said" has out "does not say when the upload of s3://bucket/p/one"
ok "... and they are left" uploads_are bucket 3
echo '403:AccessDenied DELETE /one.uploadId' >"$dir/s3-faults/rules"
ok "one that may not be aborted" code 12 "$upkeep" run --json all
ok "... is told" json '.tables.uploads[0].result | test("403 AccessDenied")'
ok "... the other one is" json '.tables.uploads[1] | .key == "two x" and .result == "aborted"'
ok "again" code 0 "$upkeep" run --json all
ok "... is gone" json '.tables.uploads | length == 1'
ok "... those of others are left" uploads_are bucket 1
ok "nothing to do" code 0 "$upkeep" plan all
echo "1..$n"
