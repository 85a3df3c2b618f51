#!/bin/bash
# SPDX-License-Identifier: MIT
# Memory does not grow with a stream: the largest process of a run (engine, workers, gpg) is as large
# for many bytes as for few.  UPKEEP_LONG=1: 64 MiB and 1 GiB.
. "${0%/*}/tap.sh"
! grep -qa __asan_init "$upkeep" || { echo '1..0 # SKIP address sanitizer keeps for a while what was freed'; exit; }
export HOME=$dir
site <<END
plugins = { backup = { stores = ( { name = "local"; path = "$dir/store"; } ); keyring = "$dir/keys"; }; };
END
few=40 many=160 # more than a pack
[ -z "${UPKEEP_LONG-}" ] || few=64 many=1024
mkdir "$dir/tree" "$dir/few" "$dir/many"
head -c ${few}M /dev/urandom >"$dir/few/file"; head -c ${many}M /dev/urandom >"$dir/many/file"
act() { printf '%s = { action = "%s"; %s };\n' "$1" "$2" "${3-}"; }
sink() { act sink core.exec "argv = [ \"/bin/sh\", \"-c\", \"exec cat >/dev/null\" ]; changes = \"none\"; from = \"$1\";"; }
for size in few many; do
	get=$(act get core.exec "argv = [ \"/bin/cat\", \"$dir/$size/file\" ]; changes = \"none\";")
	cat <<END
archive-$size = { tasks = { $(act get backup.archive "paths = [ \"$dir/$size\" ];") $(sink get) }; };
seal-$size = { tasks = { $get $(act seal backup.encrypt 'from = "get";') $(act open backup.decrypt 'from = "seal";') $(sink open) }; };
create-$size = { tasks = { $get $(act keep backup.create "name = \"$size\"; paths = [ ]; from = \"get\";") }; };
read-$size = { tasks = { $(act get backup.read "name = \"$size\"; path = \"/$size\";") $(sink get) }; };
END
done >"$dir/streams"
{ echo 'init = { tasks = { key = { action = "backup.init"; create_key = true; }; }; };'; cat "$dir/streams"; } | graphs
ok "a key" code 0 "$upkeep" run init
# peak GRAPH: KiB of the largest process
peak() { "$top_builddir/tests/bench/measure" "$dir/row" 1 "$upkeep" run "$1" >"$dir/out" 2>"$dir/err" && cut -d' ' -f2 "$dir/row"; }
for what in archive seal create read; do
	small=$(peak $what-few); large=$(peak $what-many)
	echo "# $what: $small KiB of $few MiB, $large KiB of $many MiB"
	ok "$what" test $((large)) -gt 0 -a $((large)) -le $((small + small / 10 + 2048))
done
echo "1..$n"
