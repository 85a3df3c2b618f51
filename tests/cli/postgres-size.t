#!/bin/bash
# SPDX-License-Identifier: MIT
# A dump of several parts: there and back, in little memory.  UPKEEP_LONG=1: of 1 GiB.
. "${0%/*}/tap.sh"
. "${0%/*}/postgres.sh"
rows=250000; [ -z "${UPKEEP_LONG-}" ] || rows=10000000
sql postgres -c 'CREATE DATABASE app'
sql app -c "CREATE TABLE bulk AS SELECT n AS id, md5(n::text) || md5((n + 1)::text) AS a, n / 7.0 AS b FROM generate_series(1, $rows) AS n" \
	-c 'CREATE TABLE small AS SELECT 1 AS one'
pg_site
graphs <<END
dump = { tasks = { dump = { action = "postgres.dump"; database = "app"; };
	keep = { action = "core.exec"; argv = [ "/bin/cat" ]; stdout = "$dir/app.set"; from = "dump"; }; }; };
proof = { tasks = { $(cat_task read "$dir/app.set") verify = { action = "postgres.verify"; from = "read"; };
	drill = { action = "postgres.drill"; from = "read"; }; }; };
restore = { tasks = { $(cat_task read "$dir/app.set") restore = { action = "postgres.restore"; from = "read"; }; }; };
END
# lean COMMAND...: no process of it had more than 150 MiB
lean() { python3 - "$@" <<'END'
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print("# %d MiB" % most)
sys.exit(code or most > 150)
END
}
[ -z "${INSTRUMENTED-}" ] || lean() { "$@"; }
sum() { sql app -c "SELECT count(*), sum(id), md5(string_agg(a, '' ORDER BY id) FILTER (WHERE id % 97 = 0)), sum(b) FROM bulk"; }
before=$(sum)
ok "dump" lean "$upkeep" run --quiet dump
ok "... in parts" test "$(tar -tf "$dir/app.set" | grep -c '^database.dump')" -ge 2
ok "verify and drill of one stream" lean "$upkeep" run --quiet proof
sql app -c 'TRUNCATE bulk'
ok "restore" lean "$upkeep" run --quiet restore
ok "... the same rows" test "$(sum)" = "$before"
echo "1..$n"
