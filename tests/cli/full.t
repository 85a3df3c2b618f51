#!/bin/bash
# SPDX-License-Identifier: MIT
# Disks that are full, read-only or damaged: the verdict is written, or nothing begins.
if [ -z "${FULL_INSIDE-}" ]; then
	if [ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null; then
		echo "1..0 # SKIP needs root, and mounts of its own"
		exit 0
	fi
	FULL_INSIDE=1 exec unshare -m "$0" "$@"
fi
. "${0%/*}/tap.sh"
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
disk=$dir/disk
mkdir "$disk" "$dir/data" || exit 99
export UPKEEP_STATE_DIR=$disk/state
printf 'state_dir = "%s";\ngraphs = [ "%s" ];\nplugins = { files = { }; };\n' "$disk/state" "$dir/g.conf" >"$UPKEEP_SITE"
# all blocks, then what is left of the last ones
cat >"$dir/filler" <<END
#!/bin/sh
for size in 64k 4k 512; do dd if=/dev/zero of="$disk/fill.\$size" bs=\$size 2>/dev/null; done
exit "\${1-0}"
END
chmod 755 "$dir/filler"
graphs <<END
fine = { tasks = { a = { action = "core.exec"; argv = [ "/bin/touch", "$dir/began" ]; }; }; };
fills = { tasks = {
  fill = { action = "core.exec"; argv = [ "$dir/filler" ]; };
  never = { action = "core.exec"; argv = [ "/bin/touch", "$dir/never" ]; after = [ "fill" ]; };
  last = { action = "core.exec"; argv = [ "/bin/touch", "$dir/last" ]; after = [ "never" ]; }; }; };
beside = { on_failure = "continue"; tasks = {
  fill = { action = "core.exec"; argv = [ "$dir/filler" ]; };
  never = { action = "core.exec"; argv = [ "/bin/touch", "$dir/never" ]; after = [ "fill" ]; };
  sleeps = { action = "core.exec"; argv = [ "/bin/sleep", "300" ]; }; }; };
taken = { tasks = {
  old = { action = "files.expire"; paths = [ "$dir/data/*.log" ]; older_than = "7d"; };
  made = { action = "core.exec"; argv = [ "/bin/touch", "$dir/made" ]; after = [ "old" ];
    rollback = { action = "core.exec"; argv = [ "/bin/rm", "$dir/made" ]; }; };
  fill = { action = "core.exec"; argv = [ "$dir/filler" ]; changes = "none"; after = [ "made" ]; };
  never = { action = "core.exec"; argv = [ "/bin/touch", "$dir/never" ]; after = [ "fill" ]; }; }; };
stuck = { tasks = {
  made = { action = "core.exec"; argv = [ "/bin/touch", "$dir/made" ];
    rollback = { action = "core.exec"; argv = [ "/bin/false" ]; retry = { attempts = 1; }; }; };
  fill = { action = "core.exec"; argv = [ "$dir/filler" ]; changes = "none"; after = [ "made" ]; };
  never = { action = "core.exec"; argv = [ "/bin/touch", "$dir/never" ]; after = [ "fill" ]; }; }; };
fails = { tasks = { fill = { action = "core.exec"; argv = [ "$dir/filler", "1" ]; }; }; };
END
ballast() { [ "$(stat -c %s "$disk/state/ballast" 2>/dev/null)" = 16777216 ]; }
mounted() { mountpoint -q "$disk" || { echo "not ok $((n + 1)) - $1 cannot be mounted"; exit 1; }; }

# On a disk still full: with a few bytes of the ballast left a run may go on, with a warning.
again() {
	rm -f "$dir/began"
	"$upkeep" run fine >"$dir/out" 2>"$dir/err"
	case $? in
	0) has out "there is no ballast for a full disk" ;;
	10) has out "the disk is full" && test ! -e "$dir/began" ;;
	74) has err "make room" && test ! -e "$dir/began" ;;
	*) cat "$dir/out" "$dir/err"; return 1 ;;
	esac
}
# a disk that fills up, of each kind
full() {
	ok "$1: a run makes its ballast" code 0 "$upkeep" run fine
	ok "... of 16 MiB" ballast
	ok "... the disk fills up during a run" code 12 timeout 60 "$upkeep" run fills
	ok "... says so" has out "the disk is full: $disk/state has only its ballast left"
	ok "... and what to do" has out "make room on the file system of $disk/state, then upkeep run fills"
	ok "... nothing more was started" test ! -e "$dir/never" -a ! -e "$dir/last"
	ok "... the ballast is given up" test ! -e "$disk/state/ballast"
	ok "... the journal can be read" code 0 "$upkeep" show last --json
	ok "... the verdict is in it" json '.state == "failed partial" and .exit_code == 12 and .ended_ms > 0'
	ok "... why, and what to type next" json '(.cause | startswith("the disk is full: ")) and (.next | startswith("make room on the file system of "))'
	ok "... the task that filled it" json '.tasks[0].state == "succeeded"'
	ok "... history" code 0 "$upkeep" history
	ok "... the next run says what is missing" again
	rm "$disk"/fill.*
	ok "... with room again" code 0 "$upkeep" run fine
	ok "... what runs beside is cancelled" code 12 timeout 60 "$upkeep" run beside --jobs 2
	ok "... says so" code 0 "$upkeep" show last --json
	ok "... each task" json '[.tasks[] | [.task, .state]] | sort == [["fill","succeeded"],["never","failed"],["sleeps","cancelled"]]'
	rm "$disk"/fill.*
	ok "... with room again" code 0 "$upkeep" run fine
	echo old >"$dir/data/a.log"; touch -d '9 days ago' "$dir/data/a.log"
	ok "... what was changed before is taken back, in the ballast's room" code 11 timeout 60 "$upkeep" run taken
	ok "... by its record" test "$(cat "$dir/data/a.log")" = old
	ok "... and by its rollback" test ! -e "$dir/made"
	ok "... nothing more was started" test ! -e "$dir/never"
	ok "... says so" code 0 "$upkeep" show last --json
	ok "... why" json '.state == "rolled back" and (.cause | startswith("the disk is full: "))'
	rm "$disk"/fill.*
	ok "... with room again" code 0 "$upkeep" run fine
	ok "... an undo that fails then" code 13 timeout 60 "$upkeep" run stuck
	ok "... room first, then the rollback" has out "next: make room on the file system of $disk/state, then upkeep rollback 2"
	ok "... not another run" hasnt out "then upkeep run"
	ok "... show" code 0 "$upkeep" show last
	ok "... says the same" has out "next: make room on the file system of $disk/state, then upkeep rollback 2"
	rm "$disk"/fill.*; "$upkeep" resolve --quiet last --why "by hand"
	ok "... with room again" code 0 "$upkeep" run fine
	ok "... at the very end of a run" code 12 timeout 60 "$upkeep" run fails
	ok "... the task is what failed" code 0 "$upkeep" show last --json
	ok "... it says so" json '.state == "failed partial" and (.cause | startswith("task \"fill\""))'
	"$dir/filler"
	rm -f "$dir/began"
	ok "... without a byte" code 74 "$upkeep" run fine
	ok "... what to do" has err "next: make room on the file system of the state directory"
	ok "... nothing begins" test ! -e "$dir/began"
	ok "... the journal can be read" code 0 "$upkeep" history --json
	ok "... with that run" json '.[0].graph == "fails"'
	rm "$disk"/fill.*
	ok "... with room once more" code 0 "$upkeep" run fine
	ok "... there is a ballast again" ballast
	ok "... the journal is whole" test "$(sqlite3 "$disk/state/journal.db" 'PRAGMA integrity_check')" = ok
}
mount -t tmpfs -o size=40m none "$disk"
mounted tmpfs
full tmpfs
umount "$disk"
truncate -s 64M "$dir/image"
if mkfs.ext4 -q "$dir/image" && mount -o loop "$dir/image" "$disk" 2>/dev/null; then
	full ext4
	umount "$disk"
else
	skip ext4 "no loop device"
fi

mount -t tmpfs -o size=8m none "$disk"
mounted tmpfs
ok "a disk too small for a ballast" code 0 "$upkeep" run fine
ok "... a warning" has out "there is no ballast for a full disk: cannot keep 16 MiB"
ok "... nothing is left of it" test ! -e "$disk/state/ballast"
ok "... it fills up" code 74 timeout 60 "$upkeep" run fills
ok "... says so" has out "No space left on device"
ok "... nothing more was started" test ! -e "$dir/never"
rm "$disk"/fill.*
ok "... the journal can be read" code 0 "$upkeep" history --json
ok "... the run is there" json '.[0].graph == "fills" and .[0].state == "interrupted"'

ok "... with room again" code 0 "$upkeep" run fine

rm -f "$dir/began"
mount -o remount,ro "$disk"
ok "a disk that is read-only" code 74 "$upkeep" run fine
ok "... says so" has err "Read-only file system"
ok "... and what to do" has err "next: mount the file system of the state directory writable"
ok "... nothing was begun" test ! -e "$dir/began"
ok "... the journal can be read" code 0 "$upkeep" history --json
ok "... the runs are there" json 'length == 3'
mount -o remount,rw "$disk"
ok "... writable again" code 0 "$upkeep" run fine

rm -f "$dir/began"
dd if=/dev/urandom of="$disk/state/journal.db" bs=4096 count=1 conv=notrunc 2>/dev/null
ok "a journal that cannot be read" code 74 "$upkeep" run fine
ok "... says so" has err "$disk/state/journal.db"
ok "... and what to do" has err "next: keep a copy of the state directory"
ok "... nothing was begun" test ! -e "$dir/began"
ok "... history too" code 74 "$upkeep" history
mv "$disk/state/journal.db" "$disk/journal.db.damaged"
ok "... moved away" code 0 "$upkeep" run fine
ok "... a new one" code 0 "$upkeep" history --json
ok "... with that run" json 'length == 1'
umount "$disk"
echo "1..$n"
