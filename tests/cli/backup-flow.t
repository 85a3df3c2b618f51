#!/bin/bash
# SPDX-License-Identifier: MIT
# archive, encrypt, decrypt, read: streams of plain and of sealed bytes, nothing plain on the disk,
# and of what is not ours, or not whole, not one byte comes out.
. "${0%/*}/tap.sh"
export HOME=$dir
site <<END
plugins = { backup = { stores = ( { name = "local"; path = "$dir/store"; } ); keyring = "$dir/keys"; };
  stranger = { plugin = "backup"; stores = ( { name = "local"; path = "$dir/store2"; } ); keyring = "$dir/keys2"; }; };
END
mkdir -p "$dir/tree/sub" "$dir/got" "$dir/spool"
seq 400000 >"$dir/tree/numbers"; echo secret-of-the-site >"$dir/tree/sub/file"; ln "$dir/tree/numbers" "$dir/tree/sub/again"
ln -s numbers "$dir/tree/link"; truncate -s 5M "$dir/tree/holes"; echo end >>"$dir/tree/holes"; mkfifo "$dir/tree/fifo"
# sh NAME SCRIPT [KEYS]: a task that is a program
sh() { printf '%s = { action = "core.exec"; argv = [ "/bin/sh", "-c", "%s" ]; changes = "none"; %s };\n' "$1" "$2" "${3-}"; }
# act NAME ACTION [KEYS]
act() { printf '%s = { action = "%s"; %s };\n' "$1" "$2" "${3-}"; }
save() { sh save "cat >$dir/got/$1" "from = \"$2\";"; }
tree="paths = [ \"$dir/tree\" ];"
seal='act seal backup.encrypt "from = \"get\";"'
open='act open backup.decrypt "from = \"get\"; spool = \"$dir/spool\";"'
graphs <<END
init = { tasks = { key = { action = "backup.init"; create_key = true; }; other = { action = "stranger.init"; create_key = true; }; }; };
zstd = { tasks = { $(act get backup.archive "$tree") $(save tar.zst get) }; };
plain = { tasks = { $(act get backup.archive "$tree compress = \"none\"; exclude = [ \"sub\" ];") $(save tar get) }; };
absent = { tasks = { $(act get backup.archive "paths = [ \"$dir/absent\" ];") $(save absent get) }; };
alone = { tasks = { $(act get backup.archive "$tree") }; };
sealed = { tasks = { $(act get backup.archive "$tree") $(eval "$seal") $(save sealed seal) }; };
whole = { tasks = { $(sh get "cat $dir/tree/numbers") $(eval "$seal") $(act open backup.decrypt 'from = "seal";') $(save whole open) }; };
open = { tasks = { $(sh get "cat $dir/in") $(eval "$open") $(save opened open) }; };
strange = { tasks = { $(sh get "cat $dir/tree/numbers") $(act seal stranger.encrypt 'from = "get";') $(save in seal) }; };
loud = { tasks = { $(sh get "cat $dir/in; touch $dir/going; exec sleep 300") $(eval "$open") $(save opened open) }; };
fails = { tasks = { $(sh get "cat $dir/tree/numbers; exit 3") $(eval "$seal")
  $(sh zip "gzip -c >$dir/got/zip; touch $dir/got/end" 'from = "seal";') $(sh cat "cat >$dir/got/cat; touch $dir/got/end" 'from = "seal";') }; };
halts = { tasks = { $(sh get "cat $dir/tree/numbers") $(eval "$seal") $(sh save "head -c 100 >$dir/got/part" 'from = "seal";') }; };
keep = { tasks = { $(sh get "cat $dir/tree/numbers") $(act keep backup.create 'from = "get"; name = "db"; as = "db.dump"; paths = [ ];') }; };
files = { tasks = { $(act keep backup.create "name = \"files\"; $tree") }; };
read = { tasks = { $(act get backup.read 'name = "db"; path = "/db.dump";') $(save read get) }; };
holes = { tasks = { $(act get backup.read "name = \"files\"; path = \"$dir/tree/holes\";") $(save holes get) }; };
again = { tasks = { $(act get backup.read "name = \"files\"; path = \"$dir/tree/sub/again\";") $(save again get) }; };
missing = { tasks = { $(act get backup.read 'name = "db"; path = "/no.dump";') $(save missing get) }; };
link = { tasks = { $(act get backup.read "name = \"files\"; path = \"$dir/tree/link\";") $(save missing get) }; };
END
# output TASK NAME: of the newest run
output() { "$upkeep" show --json last | jq -r ".outputs[] | select(.task == \"$1\" and .name == \"$2\") | .value"; }
none_out() { [ ! -s "$dir/got/$1" ] || { echo "# there is $(stat -c %s "$dir/got/$1")"; return 1; }; }
# refuses TEXT: what is in $dir/in comes not out
refuses() { rm -f "$dir/got/opened"; code 10 "$upkeep" run open && has out "$1" && none_out opened; }
ok "keys" code 0 "$upkeep" run init
ok "the graphs are right" code 0 "$upkeep" check

ok "archive" code 0 "$upkeep" run zstd
ok "... counts" test "$(output get entries) $(output get problems)" = "8 0"
mkdir "$dir/t"; ok "... for tar and zstd" eval 'zstd -dc "$dir/got/tar.zst" | tar -C "$dir/t" --warning=none -xpf -'
ok "... the same files" diff -r --no-dereference --exclude=fifo "$dir/tree" "$dir/t$dir/tree"
ok "... hard links" test "$dir/t$dir/tree/numbers" -ef "$dir/t$dir/tree/sub/again"
ok "... the pipe" test -p "$dir/t$dir/tree/fifo"
ok "... holes" test "$(stat -c %b "$dir/t$dir/tree/holes")" -lt 100
ok "archive without compression" code 0 "$upkeep" run plain
ok "... and without what was left out" eval '! tar --warning=none -tf "$dir/got/tar" | grep -q sub'
ok "a source that is not there" code 10 "$upkeep" run absent
ok "an archive that nobody reads" code 10 "$upkeep" run alone
ok "... says so" has out "nobody reads what it writes"

ok "archive, encrypt, a program" code 0 "$upkeep" run sealed
g() { gpg --homedir "$dir/keys" --batch --trust-model always -q -d "$@" 2>"$dir/err"; }
ok "... gpg by hand opens it" eval 'g "$dir/got/sealed" | g | zstd -dc | tar --warning=none -tf - | grep -q sub/file'
ok "... sealed" eval '! grep -q secret "$dir/got/sealed"'
ok "encrypt, decrypt" code 0 "$upkeep" run whole
ok "... the same bytes" cmp "$dir/tree/numbers" "$dir/got/whole"
cp "$dir/got/sealed" "$dir/in"
ok "decrypt" code 0 "$upkeep" run open
ok "... says whose it is" test "$(output open signer)" = "$(cat "$dir/keys/upkeep-site-key")"
ok "... and of when" test "$(date -d "$(output open signed)" +%s)" -gt $(($(date +%s) - 100))
ok "... the archive" eval 'zstd -dc "$dir/got/opened" | tar --warning=none -tf - | grep -q sub/file'
ok "... nothing is left of the spool" test -z "$(ls -A "$dir/spool")"

# of what is not ours not one byte comes out
head -c -1 "$dir/got/sealed" >"$dir/in"; ok "cut at its end" refuses "the stream is refused"
head -c 100000 "$dir/got/sealed" >"$dir/in"; ok "cut in the middle" refuses "the stream is refused"
: >"$dir/in"; ok "empty" refuses "it is nothing that upkeep has sealed"
{ cat "$dir/got/sealed"; echo more; } >"$dir/in"; ok "something after it" refuses "refused"
cat "$dir/got/sealed" "$dir/got/sealed" >"$dir/in"; ok "twice" refuses "refused"
cp "$dir/tree/numbers" "$dir/in"; ok "plain bytes" refuses "it is nothing that upkeep has sealed"
g "$dir/got/sealed" >"$dir/in"; ok "without its signature" refuses "it is encrypted, but not signed"
sign() { gpg --homedir "$dir/keys" --batch -q "$@" 2>"$dir/err"; }
g "$dir/got/sealed" | sign -s -z 0 >"$dir/in"; ok "signed by us for something else" refuses "signed as something else"
head -c 300M /dev/zero | sign -s -z 9 --sig-notation stream@upkeep.invalid=1 >"$dir/in"
ok "a bomb" refuses "it grows while it is unpacked"
ok "a stranger's" code 0 "$upkeep" run strange
cp "$dir/got/in" "$dir/in"; ok "... is refused" refuses "it was signed by a key that is not trusted"
gpg --homedir "$dir/keys2" --batch -q --trust-model always -r "$(cat "$dir/keys2/upkeep-site-key")" -e "$dir/tree/numbers" 2>/dev/null
sign -s -z 0 --sig-notation stream@upkeep.invalid=1 <"$dir/tree/numbers.gpg" >"$dir/in"; rm "$dir/tree/numbers.gpg"
ok "ours, sealed to another" refuses "the keyring has no secret key of a recipient"
sign -s -z 0 --sig-notation stream@upkeep.invalid=1 <"$dir/tree/numbers" >"$dir/in"
ok "ours, not sealed" refuses "gpg could not decrypt"
ok "... nothing is left of the spool" test -z "$(ls -A "$dir/spool")"

# gpg says a line of each byte that has no place there
{ printf -- '-----BEGIN PGP MESSAGE-----\n\n'; yes '@@@@@@@@@@@@@@@' | head -n 200000; } >"$dir/in"
"$upkeep" run loud >"$dir/run" 2>&1 & run=$!
until_true test -e "$dir/going"
said=$(find /proc/[0-9]*/fd -lname '/memfd:errors *' -exec stat -Lc %s {} + 2>/dev/null | sort -n | tail -n 1)
ok "what gpg says is bounded" test "${said:-0}" -gt 0 -a "${said:-0}" -le 65536
kill -TERM $run; wait $run
ok "... nothing came out" none_out opened

# what is not whole has no end
ok "a writer that fails" code 10 "$upkeep" run fails
ok "... no reader of what is sealed sees an end" test ! -e "$dir/got/end"
cp "$dir/got/cat" "$dir/in"; ok "... and what it has is refused" refuses "refused"
ok "a reader that stops" code 10 "$upkeep" run halts

ok "a stream into a backup" code 0 "$upkeep" run keep
ok "files" code 0 "$upkeep" run files
ok "read" code 0 "$upkeep" run read
ok "... the bytes" cmp "$dir/tree/numbers" "$dir/got/read"
ok "... their hash" test "$(output get sha256)" = "$(sha256sum <"$dir/tree/numbers" | cut -d' ' -f1)"
ok "a file with holes" code 0 "$upkeep" run holes
ok "... zeros" cmp "$dir/tree/holes" "$dir/got/holes"
ok "a further name of one" code 0 "$upkeep" run again
ok "... its bytes" cmp "$dir/tree/numbers" "$dir/got/again"
ok "a file that is not in it" code 10 "$upkeep" run missing
ok "... says what to type" has out "backup.find shows what there is"
ok "a link" code 10 "$upkeep" run link
pack=$(ls "$dir"/store/*db*/00000.pack)
printf x | dd of="$pack" bs=1 seek=1000 conv=notrunc 2>/dev/null
rm "$dir/got/read"; ok "a pack that was changed" code 10 "$upkeep" run read
ok "... not one byte" none_out read
ok "... says so" has out "its hash is not the manifest's"
ok "nothing plain on the disk" test -z "$(grep -rlF secret-of-the-site "$dir" --exclude-dir=tree --exclude-dir=t --exclude=tar)"
echo "1..$n"
