#!/bin/bash
# SPDX-License-Identifier: MIT
# s3-upload.prune: what is old goes, what is young, kept, changed or a backup's stays.
. "${0%/*}/s3.sh"
s3 PUT /bucket </dev/null
use s3-faults
site <<END
plugins = { $(instance s3 bucket "$S3_FAULTY_ENDPOINT") };
END
graphs <<END
old = { tasks = { tidy = { action = "s3.prune"; below = "db/"; older_than = "2s"; }; }; };
three = { tasks = { tidy = { action = "s3.prune"; below = "db/"; older_than = "0s"; keep = 3; }; }; };
all = { tasks = { tidy = { action = "s3.prune"; older_than = "0s"; }; }; };
site = { tasks = { tidy = { action = "s3.prune"; below = "site/"; older_than = "0s"; }; }; };
group = { tasks = { tidy = { action = "s3.prune"; below = "site/20261123T000000Z-a-00000000/"; older_than = "0s"; }; }; };
END
keys() { s3 GET '/bucket?list-type=2' | grep -oE '<Key>[^<]*' | sed 's/<Key>//' | sort | tr '\n' ' '; }
keys_are() { local is; is=$(keys); [ "${is% }" = "$*" ] || { echo "# $is"; return 1; }; }
rule() { printf '%s\n' "$@" >"$dir/s3-faults/rules"; }

ok "nothing there" code 0 "$upkeep" run old
for key in p/db/1 p/db/2 other; do s3 PUT "/bucket/$key" <<<"$key"; done
ok "all is young" code 0 "$upkeep" plan old
sleep 3
for key in p/db/3 p/db/4; do s3 PUT "/bucket/$key" <<<"$key"; done
ok "two are old: the plan" code 2 "$upkeep" plan --save "$dir/plan" old
ok "... names them" has out "delete s3://bucket/p/db/1"
ok "... and no other" hasnt out "p/db/3"
ok "... and changes nothing" keys_are other p/db/1 p/db/2 p/db/3 p/db/4
s3 PUT /bucket/p/db/2 <<<"written anew"
ok "other objects than those of the plan" code 10 "$upkeep" run --plan "$dir/plan"
ok "... are not deleted" keys_are other p/db/1 p/db/2 p/db/3 p/db/4
ok "the newest three stay" code 0 "$upkeep" run --json three
ok "... one is deleted" json '[.tables.objects[] | [.key, .result]] == [["db/1", "deleted"]]'
ok "... others not" keys_are other p/db/2 p/db/3 p/db/4
rule 'no-date GET list-type 1 all'
ok "when they were written is not known" code 0 "$upkeep" run all
ok "... is said" has out "does not say when s3://bucket/p/db/2 was written"
ok "... and they are left" keys_are other p/db/2 p/db/3 p/db/4
rule 'no-etag HEAD p/db'
ok "one that is another object now" code 0 "$upkeep" run --json all
ok "... stays" json '[.tables.objects[].result] | sort == ["deleted", "it is another object now, and stays"]'
rule '403:AccessDenied DELETE p/db'
sleep 1.1; s3 PUT /bucket/p/db/5 <<<5; sleep 1.1; s3 PUT /bucket/p/db/6 <<<6
ok "one that may not be deleted" code 12 "$upkeep" run --json all
ok "... is told" json '.tables.objects | map(select(.result | test("403 AccessDenied"))) | length == 1'
ok "... and does not keep the others" json '.tables.objects | map(select(.result == "deleted")) | length == 2'
ok "the newest of all stays" code 0 "$upkeep" run all
ok "... and what is not below the prefix" keys_are other p/db/6

group=p/site/20261123T000000Z-a-00000000
s3 PUT "/bucket/$group/manifest" <<<"manifest"; s3 PUT "/bucket/$group/00000.pack" <<<"pack"
for graph in all site group; do
	ok "$graph: backups" code 12 "$upkeep" run $graph
	ok "... are not for it" has out "backup.prune"
done
ok "... all is there" keys_are other p/db/6 "$group/00000.pack" "$group/manifest"
ok "what lies beside them" code 0 "$upkeep" run old
s3 DELETE "/bucket/$group/manifest" </dev/null; s3 DELETE "/bucket/$group/00000.pack" </dev/null
s3 PUT /bucket/p/site/.locks/shared~1 <<<lock
ok "a store without backups" code 12 "$upkeep" run site
ok "... neither" keys_are other p/db/6 p/site/.locks/shared~1
echo "1..$n"
