#!/bin/bash
# SPDX-License-Identifier: MIT
# s3-upload.check: what it asks a bucket, and what it says of one that is not fit.
. "${0%/*}/s3.sh"
s3 PUT /bucket </dev/null
s3 PUT /ruled </dev/null
use s3-faults
rule() { printf '%s\n' "$@" >"$dir/s3-faults/rules"; }
site <<END
plugins = { $(instance s3 bucket "$S3_FAULTY_ENDPOINT") $(instance ruled ruled "$direct") $(instance gone gone "$direct")
  other = { plugin = "s3-upload"; bucket = "bucket"; endpoint = "$direct"; access_key = "$S3_OTHER_ACCESS_KEY"; secret_key = "file:$dir/secret"; }; };
END
graphs <<END
$(for name in s3 ruled gone other; do echo "$name = { tasks = { check = { action = \"$name.check\"; }; }; };"; done)
END
# is CHECK FILTER: of that line
is() { json ".tables.checks[] | select(.check == \"$1\") | $2"; }
ok "a bucket" code 0 "$upkeep" run --json s3
ok "... all is well" json '[.tables.checks[].result] == ["OK", "OK", "OK", "OK", "OK", "OK", "OK"]'
ok "... without versions" is versions '.detail == "none" and (.hint | test("gone for good"))'
ok "... without a rule for open uploads" is lifecycle '(.detail | test("never")) and (.hint | test("janitor"))'
ok "... nothing is left of it" uploads_are bucket 0
none() { ! s3 GET "/bucket?list-type=2" | grep -q '<Key>'; }
ok "... no object either" none

s3 PUT '/ruled?versioning' <<<'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
lifecycle='<LifecycleConfiguration><Rule><ID>a</ID><Prefix></Prefix><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>'
s3 PUT '/ruled?lifecycle' "Content-MD5:$(printf %s "$lifecycle" | openssl md5 -binary | base64)" < <(printf %s "$lifecycle")
ok "one with versions and rules" code 0 "$upkeep" run --json ruled
ok "... says so" is versions '.detail == "kept" and .hint == ""'
ok "... and when uploads end" is lifecycle '(.detail | test("after 3 days")) and .hint == ""'

rule '403:AccessDenied POST uploads 1 all'
ok "keys that may not write" code 10 "$upkeep" run --json s3
ok "... are told" is write '.result == "FAILED" and (.detail | test("403 AccessDenied"))'
rule '403:AccessDenied GET lifecycle 1 all' '403:AccessDenied GET list-type 1 all'
ok "what may not be asked" code 0 "$upkeep" run --json s3
ok "... is unknown" is lifecycle '.result == "unknown"'
ok "keys of a stranger" code 10 "$upkeep" run other
ok "no such bucket" code 10 "$upkeep" run gone
ok "... is said" has out 'there is no bucket "gone"'
echo "1..$n"
