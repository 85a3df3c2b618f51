#!/bin/bash
# SPDX-License-Identifier: MIT
# s3-upload.put where something goes wrong: the object is whole, or there is none and no upload.
. "${0%/*}/s3.sh"
head -c 12000001 /dev/urandom >"$dir/big"; echo small >"$dir/small"
for bucket in bucket kept; do s3 PUT /$bucket </dev/null; done
s3 PUT '/kept?versioning=' >/dev/null <<<'<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
use s3-faults
rules=$dir/s3-faults/rules requests=$dir/s3-faults/requests
printf wrongwrongwrong >"$dir/wrong"; chmod 600 "$dir/wrong"
site <<END
plugins = { $(instance s3 bucket "$S3_FAULTY_ENDPOINT" 'stall_timeout = "1s";')
  $(instance kept kept "$S3_FAULTY_ENDPOINT") $(instance nobody bucket http://127.0.0.1:1) $(instance gone gone "$direct")
  $(instance tls bucket "${S3_TLS_ENDPOINT-}" "ca_file = \"${S3_CA_FILE-}\";") $(instance untrusted bucket "${S3_TLS_ENDPOINT-}")
  wrong = { plugin = "s3-upload"; bucket = "bucket"; endpoint = "$direct"; access_key = "$S3_ACCESS_KEY"; secret_key = "file:$dir/wrong"; }; };
END
# Two graphs for each key: a stream in parts, and a small file
graphs <<END
$(for key in busy cut lost silent error denied changed slow skewed expired refused torn unsure; do
	echo "$key = { tasks = { $(keep s3 $key "cat $dir/big" 'verify = "get";') }; };"
	echo "$key-small = { tasks = { put = { action = \"s3.put\"; key = \"$key-small\"; file = \"$dir/small\"; }; }; };"
done)
$(for name in wrong nobody gone tls untrusted; do echo "$name = { tasks = { put = { action = \"$name.put\"; key = \"$name\"; file = \"$dir/small\"; }; }; };"; done)
twice = { tasks = { $(keep s3 twice "cat $dir/big; touch $dir/read; while [ ! -e $dir/go ]; do sleep 0.05; done") }; };
hidden = { tasks = { put = { action = "kept.put"; key = "hidden"; file = "$dir/small"; }; }; };
between = { tasks = { put = { action = "s3.put"; key = "twice"; file = "$dir/small"; }; }; };
END
rule() { printf '%s\n' "$@" >"$rules"; }
# whole GRAPH: it is put all the same
whole() { ok "$1: it is put" code 0 "$upkeep" run "$1"; ok "... and whole" same "bucket/p/$1" "$dir/$2"; }
# never GRAPH CODE WORDS: it is not, and says why
never() { ok "$1: it fails" code "$2" "$upkeep" run "$1"; ok "... says why" has out "$3"; ok "... there is none" none "bucket/p/$1"
	ok "... no open upload" uploads_are bucket 0; }

rule '503:SlowDown PUT /busy' '500:InternalError POST /busy 1 2' '503:SlowDown PUT partNumber=2 1 2' '429:TooMany HEAD /busy'
whole busy big; whole busy-small small
rule 'reset:90 PUT /cut' 'reset:50 PUT partNumber=2'
whole cut big; whole cut-small small
rule 'after:reset POST /lost.uploadId' 'after:reset PUT /lost-small' 'after:500 PUT partNumber=1'
whole lost big; whole lost-small small
rule 'no-etag POST /silent' 'no-etag PUT /silent-small'
whole silent big; whole silent-small small
rule '200:InternalError POST /error.uploadId'
whole error big
rule 'corrupt PUT /changed-small' 'corrupt PUT /changed.partNumber=2'
whole changed big; whole changed-small small
rule 'stall PUT /slow.partNumber=1'
whole slow big
rule '200:AccessDenied POST /denied.uploadId 1 all' '403:AccessDenied PUT /denied-small 1 all'
never denied 10 'AccessDenied'; never denied-small 10 'AccessDenied'
rule '403:RequestTimeTooSkewed PUT /skewed 1 all' '403:RequestTimeTooSkewed POST /skewed.uploads 1 all'
never skewed 10 'RequestTimeTooSkewed'; never skewed-small 10 'timedatectl'
rule '400:ExpiredToken PUT /expired 2 all'
never expired 10 'ExpiredToken'
rule 'no-etag PUT /refused.partNumber=2 1 all'
never refused 10 'without an ETag'
# what is refused was done by the attempt before: the undo of the put looks for it
rule 'after:reset PUT /unsure-small' '403:AccessDenied PUT /unsure-small 1 all'
never unsure-small 11 'AccessDenied'
rule 'corrupt GET /torn 1 all'
never torn 11 'what comes back has the SHA-256'
: >"$rules"

versions_are() { local is; is=$(s3 GET '/kept?versions=' | grep -o '<Version>' | wc -l)
	[ "$is" = "$1" ] || { echo "# $is versions"; return 1; }; }
ok "one that another one hides" code 0 "$upkeep" run --json hidden
run=$(jq -r .run "$dir/out")
s3 PUT /kept/p/hidden <<<other
rule '403:AccessDenied HEAD versionId 1 all'
ok "... cannot be looked at" code 13 "$upkeep" rollback "$run" --force
rule
ok "... is not thought to be gone" code 0 "$upkeep" rollback "$run" --force
ok "... and is gone then, alone" versions_are 1

ok "a wrong secret" code 10 "$upkeep" run wrong
ok "... is said" has out "SignatureDoesNotMatch"
ok "... whose it is" has out "look at the keys, which come from the settings"
ok "... and nothing of it" hasnt out wrongwrongwrong
ok "no such bucket" code 10 "$upkeep" run gone
ok "... what to do" has out 'make the bucket "gone"'
if [ -n "${S3_TLS_ENDPOINT-}" ]; then
	ok "by https" code 0 "$upkeep" run tls
	ok "... is there" same bucket/p/tls "$dir/small"
	ok "a certificate that nobody knows" code 10 "$upkeep" run untrusted
	ok "... what to do" has out "set ca_file to the certificate"
fi
"$upkeep" run twice >"$dir/run" 2>&1 & run=$!
until_true test -e "$dir/read"
ok "two put the same key: one comes first" code 0 "$upkeep" run between
touch "$dir/go"
wait $run; code=$?
ok "... the other fails" test $code = 10
ok "... the first is still there" same bucket/p/twice "$dir/small"
ok "... no open upload" uploads_are bucket 0
echo "1..$n"
