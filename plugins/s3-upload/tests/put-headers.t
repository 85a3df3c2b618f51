#!/bin/bash
# SPDX-License-Identifier: MIT
# s3-upload.put with a storage class, and with encryption by the server.
export RGW_CLASS=COLD
. "${0%/*}/s3.sh"
head -c 17000000 /dev/urandom >"$dir/large"; echo small >"$dir/small"
export S3_CA_FILE
s3 PUT /bucket </dev/null
site <<END
plugins = { $(instance http bucket "$direct") $(instance tls bucket "$S3_TLS_ENDPOINT" "ca_file = \"$S3_CA_FILE\";") };
END
# graph NAME INSTANCE MORE: two graphs, of a small file and of one in parts; their keys are the graphs' names
graph() { local size
	for size in small large; do echo "$1-$size = { tasks = { put = {
  action = \"$2.put\"; key = \"$1-$size\"; file = \"$dir/$size\"; $3 }; }; };"; done; }
graphs <<END
$(graph cold http 'storage_class = "COLD";')
$(graph ice http 'storage_class = "ICE";')
$(graph kms tls 'sse = "kms"; sse_key = "site-key"; verify = "get";')
$(graph lost-key tls 'sse = "kms"; sse_key = "lost-key";')
$(graph open http 'sse = "s3";')
$(graph ignored tls 'sse = "s3";')
$(graph keyless tls 'sse = "s3"; sse_key = "site-key";')
get = { tasks = { get = { action = "tls.get"; key = "kms-large"; file = "$dir/got"; }; }; };
END
# never GRAPH CODE WORDS NEXT: it fails and says why and what to do; nothing is left
never() { ok "$1: it fails" code "$2" "$upkeep" run "$1"
	ok "... says why" has out "$3"; ok "... what to do" has out "$4"
	ok "... there is none" none "bucket/p/$1"; ok "... no open upload" uploads_are bucket 0; }
# encrypted KEY: the server names its key by https, and shows nothing of it by http
encrypted() { ! s3 GET "/bucket/p/$1" >"$dir/there" && direct=$S3_TLS_ENDPOINT header "bucket/p/$1" \
	'x-amz-server-side-encryption-aws-kms-key-id: site-key'; }

for size in small large; do
	ok "a storage class, $size" code 0 "$upkeep" run cold-$size
	ok "... is the object's" header bucket/p/cold-$size 'x-amz-storage-class: COLD'
	ok "... it is whole" same bucket/p/cold-$size "$dir/$size"
	never ice-$size 10 '400 InvalidArgument' 'look whether the server has the storage class ICE'
	ok "a key of the server, $size" code 0 "$upkeep" run kms-$size
	ok "... it is encrypted by it" encrypted kms-$size
	never lost-key-$size 10 'kms-keyid: lost-key' 'has the key "lost-key", and who may use it'
	never open-$size 10 '400 InvalidRequest' 'encrypts: some do by https alone'
	never ignored-$size 11 'took the object and did not encrypt it' 'leave sse out'
done
ok "what is encrypted is fetched" code 0 "$upkeep" run get
ok "... whole" cmp "$dir/got" "$dir/large"
ok "a key that is not for kms" code 10 "$upkeep" run keyless-small
ok "... is said" has out 'sse_key is for sse = "kms" alone'
echo "1..$n"
