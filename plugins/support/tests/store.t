#!/bin/bash
# SPDX-License-Identifier: MIT
# The same promises of every store: in a directory, on Ceph's S3, on Swift's.
dir=$(mktemp -d) || exit 99
. "$top_srcdir/tests/services/use.sh"
n=0
ok() { n=$((n + 1)); if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi; }
keeps() { "$top_builddir/plugins/support/tests/test_store" "$@" >"$dir/out" 2>&1 || { sed 's/^/# /' "$dir/out"; return 1; }; }
no_uploads() { ! "$services/s3-request" GET '/bucket?uploads=' | grep -q '<Upload>'; }
ok "a directory" keeps path "$dir/store"
for server in swift rgw; do
	use $server
	export S3_ENDPOINT S3_ACCESS_KEY S3_SECRET_KEY
	"$services/s3-request" PUT /bucket </dev/null
	ok "$server" keeps url s3://bucket/a/b
	ok "... no upload is left open" no_uploads
done

# what goes wrong between the parts of an upload
use s3-faults
refused() { S3_ENDPOINT=$S3_FAULTY_ENDPOINT keeps url s3://bucket/refused refused; }
for rule in 'no-etag PUT partNumber=3' '403:AccessDenied PUT partNumber=2 1 all' '200:InternalError POST uploadId 1 all' \
	'400:InvalidPart POST uploadId'; do
	echo "$rule" >"$dir/s3-faults/rules"
	ok "$rule" refused
	ok "... no upload is left open" no_uploads
done
echo '503 PUT partNumber=2' >"$dir/s3-faults/rules"
S3_ENDPOINT=$S3_FAULTY_ENDPOINT
ok "a passing refusal" keeps url s3://bucket/b
echo "1..$n"
