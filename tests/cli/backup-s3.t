#!/bin/bash
# SPDX-License-Identifier: MIT
# Backups in a bucket, on a real server: made, read back, pruned, undone; and each thing that can
# go wrong on the way: the last good backup stays, and nothing half-made is seen.
. "${0%/*}/tap.sh"
. "$top_srcdir/tests/services/use.sh"
use rgw
export HOME=$dir S3_ENDPOINT S3_ACCESS_KEY S3_SECRET_KEY
s3() { "$services/s3-request" "$@" </dev/null; }
s3 PUT /backups
use s3-faults
faults=$dir/s3-faults
printf %s "$S3_SECRET_KEY" >"$dir/secret"; chmod 600 "$dir/secret"
# store NAME ENDPOINT ACCESS
store() { echo "{ name = \"$1\"; url = \"s3://backups/site1\"; endpoint = \"$2\"; attempts = 2;
  access_key = \"$3\"; secret_key = \"file:$dir/secret\"; }"; }
site <<END
plugins = { backup = { keyring = "$dir/keys"; stores = (
  $(store offsite "$S3_FAULTY_ENDPOINT" "$S3_ACCESS_KEY"), $(store writer "$S3_FAULTY_ENDPOINT" "$S3_OTHER_ACCESS_KEY"),
  $(store nobucket "$S3_ENDPOINT" "$S3_ACCESS_KEY" | sed s/backups/nobucket/) ); }; };
END
mkdir -p "$dir/etc/sub" "$dir/back"; echo setting >"$dir/etc/app.conf"; seq 100000 >"$dir/etc/sub/numbers"
graphs <<END
init = { tasks = { key = { action = "backup.init"; create_key = true; }; }; };
$(for store in offsite writer nobucket; do
	echo "create-$store = { tasks = { keep = { action = \"backup.create\"; store = \"$store\"; name = \"etc\"; paths = [ \"$dir/etc\" ]; }; }; };"
	echo "list-$store = { tasks = { list = { action = \"backup.list\"; store = \"$store\"; }; }; };"
done)
stream = { tasks = { dump = { action = "core.exec"; argv = [ "/usr/bin/seq", "100000" ]; changes = "none"; };
  keep = { action = "backup.create"; name = "dump"; from = "dump"; paths = [ ]; as = "app.dump"; }; }; };
verify = { tasks = { verify = { action = "backup.verify"; all = true; }; }; };
find = { tasks = { find = { action = "backup.find"; pattern = "numbers"; }; }; };
back = { tasks = { one = { action = "backup.restore"; name = "etc"; target = "$dir/back"; };
  two = { action = "backup.restore"; name = "dump"; target = "$dir/back"; after = [ "one" ]; }; }; };
prune = { tasks = { prune = { action = "backup.prune"; name = "etc"; keep_daily = 1; }; }; };
pin = { tasks = { pin = { action = "backup.pin"; name = "etc"; }; }; };
unpin = { tasks = { pin = { action = "backup.unpin"; name = "etc"; }; }; };
END
count() { "$upkeep" run --json list-offsite | jq '.tables | to_entries[0].value | length'; }
backups_are() { local is; is=$(count); [ "$is" = "$1" ] || { echo "# $is backups"; return 1; }; }
rule() { printf '%s\n' "$@" >"$faults/rules"; }
good() { rule; code 0 "$upkeep" run verify && backups_are "$1"; }
keys() { s3 GET "/backups?list-type=2&prefix=site1%2F$1" | grep -oE '<Key>[^<]*' | sed 's/<Key>//'; }
unlocked() { [ -z "$(keys .locks)" ] || { keys .locks | sed 's/^/# /'; return 1; }; }
no_uploads() { ! s3 GET '/backups?uploads' | grep -q '<Upload>'; }
# create STORE: something has changed since the last one
create() { echo $SRANDOM >"$dir/etc/changes"; "$upkeep" run "create-$1"; }
# kill_at PATTERN: a run of create-offsite is killed, with all it is, while such a request is answered
kill_at()
{
	local run
	: >"$faults/requests"
	rule "stall PUT $1"
	echo $SRANDOM >"$dir/etc/changes"
	"$upkeep" run create-offsite >"$dir/run" 2>&1 & run=$!
	until_true grep -q stall "$faults/requests"
	# shellcheck disable=SC2046
	die $run $(cat /proc/$run/task/$run/children)
	rule
}

ok "a key" code 0 "$upkeep" run init
ok "plan" code 2 "$upkeep" plan create-offsite
ok "... writes nothing" test -z "$(keys)"
ok "files" code 0 "$upkeep" run create-offsite
ok "a stream" code 0 "$upkeep" run stream
ok "two backups, which verify" good 2
ok "find" code 0 "$upkeep" run --json find
ok "... finds" json '.tables | to_entries[0].value | length == 1'
ok "restore" code 0 "$upkeep" run back
ok "... the files" diff -r "$dir/etc" "$dir/back$dir/etc"
ok "... the stream" cmp <(seq 100000) "$dir/back/app.dump"
plain() { local key; for key in $(keys); do s3 GET "/backups/$key"; done | grep -qaE 'setting|12345'; }
told() { grep -rqF "$S3_SECRET_KEY" "$dir/state"; }
not() { ! "$@"; }
ok "nothing plain is in the bucket" not plain
ok "no lock is left" unlocked
ok "no secret was told" not told
: >"$faults/requests"
rule 'stall GET prefix=site1%2F.locks 2'
"$upkeep" run create-offsite >"$dir/run" 2>&1 & run=$!
until_true grep -q stall "$faults/requests"
kill -TERM $run; wait $run
rule
ok "a run that is stopped while it takes its lock leaves none" unlocked

# pruned and brought back, pinned, made and undone
sleep 1
ok "a second one" code 0 "$upkeep" run create-offsite
ok "... verifies" good 3
ok "prune: the plan" code 2 "$upkeep" plan prune
ok "prune" code 0 "$upkeep" run --json prune
pruned=$(jq -r .run "$dir/out")
ok "... one less" backups_are 2
ok "... undone" code 0 "$upkeep" rollback "$pruned"
ok "... is there again, and whole" good 3
ok "pin" code 0 "$upkeep" run pin
ok "pin again" code 0 "$upkeep" run pin
ok "unpin" code 0 "$upkeep" run unpin
ok "another" code 0 "$upkeep" run create-offsite
ok "... undone" code 0 "$upkeep" rollback last
ok "... the others are whole" good 3

# passing trouble
for fault in 503:SlowDown 500:InternalError 429 reset:90 after:reset after:500 200:InternalError no-etag; do
	object='manifest$'
	[ $fault = no-etag ] && object='\.pack'
	rule "$fault PUT $object"
	ok "once $fault at $object" code 0 create offsite
	ok "... is undone" code 0 "$upkeep" rollback last
done
rule '503 GET pack' 'reset:90 GET pack 2' 'cut:90 GET manifest$' '500 HEAD manifest'
ok "reading through it" code 0 "$upkeep" run verify
rule 'corrupt GET pack 1 all'
ok "a pack that comes in other bytes" code 10 "$upkeep" run verify
ok "... is told" has out "its hash is not the manifest's"
ok "... and good again" good 3

# trouble that stays
for fault in 503:SlowDown 200:InternalError reset:90 400:ExpiredToken 403:RequestTimeTooSkewed 403:AccessDenied corrupt; do
	object='\.pack'
	[ $fault = 200:InternalError ] && object='manifest$'
	[ $fault = reset:90 ] && object='manifest\.sig$'
	rule "$fault PUT $object 1 all"
	ok "always $fault at $object" code 11 create offsite
	[ $fault = 403:RequestTimeTooSkewed ] && ok "... says what to type" has out timedatectl
done
ok "the last good ones are there" good 3
rule '503 HEAD manifest 1 all'
ok "prune that cannot ask what is a backup" code 10 "$upkeep" run prune
rule '503 HEAD removed 2 all'
ok "... or which are removed" code 10 "$upkeep" run prune
ok "... removes nothing" good 3
ok "no lock is left" unlocked

# killed in the middle
kill_at '\.pack'
ok "a run that is killed leaves its lock" test -n "$(keys .locks)"
"$upkeep" recover >"$dir/out" 2>&1
ok "... is rolled back" has out "rolled back"
ok "... the last good ones are there" good 3
ok "prune knows that its process has ended" code 0 "$upkeep" run prune
ok "... and takes its lock away" unlocked
kill_at '/manifest$'
ok "killed before the last object: the next run" code 0 create offsite
ok "... puts it back first" good 3
ok "prune takes what became none" code 0 "$upkeep" run prune
ok "no upload is open" no_uploads

# a host that may only write
policy() { "$services/s3-request" PUT '/backups?policy'; }
# allow USER ACTIONS RESOURCE [CONDITION]
allow() { echo "{ \"Effect\": \"Allow\", \"Principal\": { \"AWS\": \"arn:aws:iam:::user/$1\" }, \"Action\": [ $2 ], \"Resource\": \"arn:aws:s3:::backups$3\" $4 }"; }
# what another account writes is its own, unless the bucket's policy says so
ours=$(allow tester '"s3:*"' '/*')
policy <<END
{ "Version": "2012-10-17", "Statement": [ $ours, $(allow other '"s3:PutObject"' '/site1/*') ] }
END
before=$(count)
ok "no lock is left" unlocked
ok "a host that may only write: backs up" code 0 create writer
ok "... cannot remove its lock" test "$(keys .locks | wc -l)" = 1
ok "... which says that it has ended" test "$(s3 GET "/backups/$(keys .locks)")" = '{"ended": true}'
ok "... cannot read" code 10 "$upkeep" run list-writer
ok "... and says so" has out "403 AccessDenied"
ok "... its backup is good" good $((before + 1))
rule '403:AccessDenied PUT manifest\.sig 1 all'
ok "... one that fails" code 11 "$upkeep" run create-writer
ok "... is hidden" good $((before + 1))
locks=$(keys .locks | wc -l)
policy <<END
{ "Version": "2012-10-17", "Statement": [ $ours, $(allow other '"s3:PutObject"' '/site1/*'),
  $(allow other '"s3:GetObject", "s3:DeleteObject"' '/site1/.locks/*'), $(allow other '"s3:ListBucket"' '' ', "Condition": { "StringLike": { "s3:prefix": "site1/.locks/*" } }') ] }
END
ok "with its locks: backs up" code 0 create writer
ok "... takes its lock away" test "$(keys .locks | wc -l)" -le "$locks"
ok "... is good" good $((before + 2))

# prune looks at each of them to list them, for what they need, and for what became none: here it fails
groups() { s3 GET '/backups?list-type=2&delimiter=%2F&prefix=site1%2F' | grep -oE '<Prefix>site1/[0-9][^<]*' | grep -c -- "$1"; }
before=$(count)
rule "503 HEAD manifest $(($(groups '') + $(groups -etc-) + 1)) 2"
ok "prune that can no longer ask, at the last" code 11 "$upkeep" run prune
ok "... had begun" test "$(grep -c 'HEAD.*manifest 503' "$faults/requests")" -gt 0
ok "... all of them are back and whole" good "$before"

ok "no such bucket" code 10 create nobucket
ok "... is told" has out 'make the bucket "nobucket"'
sed -i "s|name = \"offsite\";|& path = \"$dir/store\";|" "$UPKEEP_SITE"
ok "both path and url" code 10 create offsite
ok "... is told" has out "both path and url"
echo "1..$n"
