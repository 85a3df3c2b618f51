#!/bin/bash
# SPDX-License-Identifier: MIT
# s3-upload.check: what it asks a bucket, and what it says of one that is not fit.
. "${0%/*}/s3.sh"
s3 PUT /bucket </dev/null
s3 PUT /ruled </dev/null
use s3-faults
rule() { printf '%s\n' "$@" >"$dir/s3-faults/rules"; }
site <<END
plugins = { $(instance s3 bucket "$S3_FAULTY_ENDPOINT") $(instance sums bucket "$S3_FAULTY_ENDPOINT" 'checksum = "sha256";') $(instance ruled ruled "$direct") $(instance gone gone "$direct")
  other = { plugin = "s3-upload"; bucket = "bucket"; endpoint = "$direct"; access_key = "$S3_OTHER_ACCESS_KEY"; secret_key = "file:$dir/secret"; }; };
END
graphs <<END
tidy = { tasks = { tidy = { action = "s3.janitor"; older_than = "0s"; }; }; };
$(for name in s3 sums ruled gone other; do echo "$name = { tasks = { check = { action = \"$name.check\"; }; }; };"; done)
END
# is CHECK FILTER: of that line
is() { json ".tables.checks[] | select(.check == \"$1\") | $2"; }
ok "a bucket" code 0 "$upkeep" run --json s3
ok "... all is well" json '[.tables.checks[].result] == ["OK", "OK", "OK", "OK", "OK", "OK", "OK", "OK"]'
ok "... without versions" is versions '.detail == "none" and (.hint | test("gone for good"))'
ok "... without a rule for open uploads" is lifecycle '(.detail | test("never")) and (.hint | test("janitor"))'
ok "... compares what the signature and Content-MD5 say" is checksums \
	'.detail == "verified: signature\u0027s SHA-256, Content-MD5; ignored: SHA256, CRC32, CRC32C, CRC64NVME" and .hint == ""'
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
rule 'sums PUT partNumber.*x-amz-checksum 1 all'
ok "one that compares checksums" code 0 "$upkeep" run --json s3
ok "... all of them" is checksums '.detail == "verified: signature\u0027s SHA-256, Content-MD5, SHA256, CRC32, CRC32C, CRC64NVME"'
ok "... one can be kept" is checksums '.hint | test("lets the server keep it")'
ok "... and is" code 0 "$upkeep" run --json sums
ok "... without more to do" is checksums '.hint == ""'
rule '400:InvalidRequest POST x-amz-checksum-algorithm 1 all' 'sums PUT x-amz-checksum-crc32c 1 all'
ok "one that takes none" code 0 "$upkeep" run --json s3
ok "... is told" is checksums '.detail == "verified: signature\u0027s SHA-256, Content-MD5; refused: SHA256, CRC32, CRC32C, CRC64NVME"'
ok "... but the setting sends it" code 10 "$upkeep" run --json sums
ok "... what to do" is checksums '.result == "FAILED" and .hint == "set checksum = \"none\""'
rule '501:NotImplemented PUT x-amz-checksum-(sha256|crc32$) 1 all'
ok "one that takes it with no part" code 0 "$upkeep" run --json s3
ok "... is told" is checksums '.detail | test("ignored: CRC32C, CRC64NVME; refused: SHA256, CRC32$")'
rule '503:SlowDown PUT partNumber 1 2'
ok "one that is busy" code 0 "$upkeep" run --json s3
ok "... is asked again" is checksums '.detail | test("^verified: signature.s SHA-256, Content-MD5;")'
rule
ok "the setting where it is ignored" code 0 "$upkeep" run --json sums
ok "... is said" is checksums '.result == "OK" and .hint == "checksum = \"sha256\" does nothing here"'
ok "... nothing is left" uploads_are bucket 0
rule 'stall PUT partNumber 1 all'
"$upkeep" run s3 >"$dir/run" 2>&1 & run=$!
until_true uploads_are bucket 1 >/dev/null
kill_run $run
rule
ok "a check that is killed" uploads_are bucket 1
ok "... leaves what janitor finds" code 0 "$upkeep" run tidy
ok "... nothing is left" uploads_are bucket 0
ok "keys of a stranger" code 10 "$upkeep" run other
ok "no such bucket" code 10 "$upkeep" run gone
ok "... is said" has out 'there is no bucket "gone"'

# another server
use swift
direct=$S3_ENDPOINT
printf %s "$S3_SECRET_KEY" >"$dir/secret"
site <<<"plugins = { $(instance swift bucket "$direct") };"
graphs <<<'swift = { tasks = { check = { action = "swift.check"; }; }; };'
s3 PUT /bucket </dev/null
ok "Swift" code 0 "$upkeep" run --json swift
ok "... compares the same" is checksums \
	'.detail == "verified: signature\u0027s SHA-256, Content-MD5; ignored: SHA256, CRC32, CRC32C, CRC64NVME"'
ok "... nothing is left of it" uploads_are bucket 0
ok "... no object either" none
echo "1..$n"
