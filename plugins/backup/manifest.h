/*
 * The manifest: what is in a backup and where.  JSON lines, one object each:
 *	{"upkeep_backup": 2, "id": ..., "name": ..., "host": ..., "created_s": ..., "paths": [...],
 *	 "exclude": [...]}
 *	{"borrowed": 0, "of": ID, "number": ..., "sha256": ..., "size": ..., "plain": ...}
 *	{"path": ..., "type": "f", "mode": ..., "at": [[pack, offset, length, from, size]],
 *	 "seen": [ctime_s, ctime_ns, inode, device], ...}
 *	{"problem": "unreadable", "path": ..., "why": ...}
 *	{"pack": 0, "sha256": ..., "size": ..., "plain": ...}
 *	{"end": true, "entries": ..., "packs": ...}
 * A path or link that is not UTF-8 is written in hexadecimal, as "path_hex", "link_hex".
 *
 * Packs are numbered from 0 in the order in which they were made.  What was unchanged since an
 * earlier backup lies in a borrowed pack: one of another backup of the same name, always named by
 * the backup in whose group it lies, so that a reference leads to no further one.  In "at" a
 * borrowed pack is -1 - its place in the table of borrowed packs.  A pack lies in the store as
 * ID/NNNNN.pack; its hash is in the manifest that refers to it, whoever made it.
 *
 * "exclude" is there where patterns were left out.  "seen" is there where the entry kept still long
 * enough for a later backup to trust its times (manifest_entry).  Format 1 had neither "borrowed"
 * nor "seen".
 */
#ifndef BACKUP_MANIFEST_H
#define BACKUP_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backup/frame.h"
#include "support/fault.h"
#include "support/store.h"

#define MANIFEST_FORMAT 2
#define MANIFEST_FORMAT_OLDEST 1
/* The most that a manifest may be, plain. */
#define MANIFEST_BYTES_MAX (8ull << 30)
#define MANIFEST_LINE_MAX (64u << 20)
#define MANIFEST_PACKS_MAX 10000000u
/* From here on a piece's pack is a borrowed one: this and its place in their table. */
#define MANIFEST_BORROWED MANIFEST_PACKS_MAX

/* Where a part of an entry lies: `length` bytes of tar from `offset` of the plain pack
 * are its header and data; they hold the bytes [from, from + size) of the file. */
struct manifest_piece {
	uint32_t pack;
	uint64_t offset, length, from, size;
};

#define MANIFEST_TYPES "fdlpcbh" /* file, directory, link, fifo, char, block, hard link */

/* What the inode was when it was stored: where all of it is the same, nothing of the entry has
 * changed.  An inode of 0: not known, or it changed so shortly before that a later change might
 * have the same time. */
struct manifest_seen {
	int64_t ctime_s;
	uint32_t ctime_ns;
	uint64_t ino, dev;
};

struct manifest_entry {
	char *path; /* absolute */
	char *link; /* of l: its text; of h: the path that comes before it; else NULL */
	char type;
	bool changed; /* while it was read */
	uint32_t mode, uid, gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	struct manifest_seen seen;
	uint64_t size;
	char sha256[STORE_HASH_TEXT]; /* of a file: of its bytes, holes left out */
	struct manifest_piece *pieces;
	size_t piece_count;
};

struct manifest_pack {
	char sha256[STORE_HASH_TEXT]; /* of the sealed bytes */
	uint64_t size, plain;         /* sealed; as tar */
	char *of;        /* the backup in whose group it lies; NULL: the manifest's own */
	uint32_t number; /* its name there */
};

struct manifest_problem {
	char *path, *kind, *why;
};

struct manifest {
	char *id, *name, *label, *host;
	int64_t created_s;
	char **paths, **exclude;
	size_t path_count, exclude_count;
	struct manifest_entry *entries;
	size_t entry_count, entry_room;
	struct manifest_pack *packs; /* its own */
	size_t pack_count, pack_room;
	struct manifest_pack *borrowed;
	size_t borrowed_count, borrowed_room;
	struct manifest_problem *problems;
	size_t problem_count;
	bool ended;
};

/* Takes in one line.  -EBADMSG with the reason where it is not as it must be. */
int manifest_add_line(
	struct manifest *manifest, const char *line, size_t size, struct fault *fault);
/* Reads all lines of the zstd frame in fd (from its start) and checks the whole. */
int manifest_read(struct manifest *manifest, int fd, struct fault *fault);
/* Takes in the lines of a frame without checking the whole: for a manifest in several frames. */
int manifest_read_lines(struct manifest *manifest, int fd, struct fault *fault);
/* What can only be checked at the end: every piece lies in a pack, every hard link has
 * its file before it, the end is there. */
int manifest_check(const struct manifest *manifest, struct fault *fault);
/* The pack of that number in a piece, or NULL: there is none. */
const struct manifest_pack *manifest_pack(const struct manifest *manifest, uint32_t pack);
void manifest_free(struct manifest *manifest);
#define CLEANUP_MANIFEST __attribute__((cleanup(manifest_free)))

/* The same in the other direction, line by line. */
struct manifest_writer;
int manifest_begin(struct manifest_writer **ret, const struct manifest *head, struct fault *fault);
int manifest_put_entry(struct manifest_writer *writer, const struct manifest_entry *entry);
int manifest_put_problem(
	struct manifest_writer *writer, const char *path, const char *kind, const char *why);
int manifest_put_pack(struct manifest_writer *writer, const struct manifest_pack *pack);
/* Before the first entry that refers to it. */
int manifest_put_borrowed(struct manifest_writer *writer, const struct manifest_pack *pack);
/* The lines of one pack, in a frame of their own: from its beginning on, the writer puts the lines
 * of entries that a later backup could build upon there too.  The head comes with pack 0. */
struct manifest_part {
	struct frame_writer *frame;
	int fd;
};
int manifest_part_begin(struct manifest_part *part, struct manifest_writer *writer,
	const struct manifest *head, uint32_t pack, struct fault *fault);
/* Ends it with the pack; *ret_fd is the caller's. */
int manifest_part_end(struct manifest_part *part, const struct manifest_pack *pack, int *ret_fd);
void manifest_part_abort(struct manifest_part *part);
/* Ends it; *ret_fd, in memory, is the caller's.  Frees the writer. */
int manifest_end(struct manifest_writer **writer, int *ret_fd, struct fault *fault);
void manifest_abort(struct manifest_writer **writer);

/* Whether `path` is absolute, without "//", "." and "..". */
bool manifest_path_valid(const char *path);
/* The letter for the type of a file; 0: none, it is left out. */
char manifest_type(uint32_t mode);
/* Whether `id` can be a backup of that name: STAMP-NAME-HEX, of which the first half is the
 * fraction of the second and the rest random. */
bool manifest_id_valid(const char *id, const char *name);

#endif
