/* A name in an open directory, and moving files between such places. */
#ifndef FILES_PLACE_H
#define FILES_PLACE_H

#include <sys/stat.h>

#include <upkeep/plugin.h>

#include "record.h"
#include "reopen.h"

struct place {
	int dir_fd;
	const char *dir; /* absolute path of it, for people and records */
	const char *name;
};

/* RESULT of what re-checks a file before it changes it, beside 0 and UPKEEP_*:
 * it is not the file that was seen, and nothing was changed. */
#define PLACE_SKIPPED 2

/* Renames without replacing, after writing it down.  The file must be `st` then
 * and after.  `reopen` (may be NULL) is how its writers are told at the undo. */
int32_t place_move(struct upkeep_ctx *ctx, struct place from, struct place to,
	const struct stat *st, const struct reopen *reopen);

/* Moves the file into the trash of its directory (undone by moving it back);
 * with `now` removes it for good. */
int32_t place_trash(struct upkeep_ctx *ctx, struct place file, const struct stat *st, int now);

/* Removes from the trash in `dir` what lies there longer than keep_ms, or in plan
 * (`only_say`) says so. */
int32_t place_trash_purge(struct upkeep_ctx *ctx, const char *dir, int64_t keep_ms, int only_say);

/* Makes the file `name` for writing, empty and of this user alone (0600), in
 * place of a leftover of that name.  Returns a descriptor or a negative errno. */
int place_make(int dir_fd, const char *name);

/* The same without a name as yet, where the file system can (O_TMPFILE): then a crash leaves
 * nothing of it, and `partial` becomes "". */
int place_make_nameless(int dir_fd, char partial[NAME_MAX + 1]);
/* Gives what was made so its name, which must be free (-EEXIST). */
int place_name(int dir_fd, int made_fd, const char *partial, const char *name);
/* Removes what has no name of its own yet. */
void place_drop(int dir_fd, const char *partial);

/* Removes `name` if it is the inode of st; -ESTALE: it is another, and stays.  By way of
 * the name ".upkeep-removing-NAME", so that what is removed is what was looked at. */
int place_remove(int dir_fd, const char *name, uint64_t dev, uint64_t ino);
/* After a removal that was cut off: gives the file its name back.  0 also where there was none;
 * -EEXIST: the name is taken. */
int place_unremove(int dir_fd, const char *name, uint64_t dev, uint64_t ino);

/* The name of something unfinished: ".upkeep-partial-NAME"; -ENAMETOOLONG. */
int place_partial(char partial[NAME_MAX + 1], const char *name);

/* The fingerprint that undo_applied gets. */
void place_fingerprint(const struct stat *st, char text[96]);

#endif
