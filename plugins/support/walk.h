/*
 * The files that shell patterns match, found without following a symbolic link.
 *
 * A pattern is absolute.  *, ? and [...] match inside one component and never a
 * leading dot; a component "**" matches any number of directories, and at the
 * end every file beneath.  Names that begin with ".upkeep-" are never matched.
 */
#ifndef SUPPORT_WALK_H
#define SUPPORT_WALK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* A regular file, and what it was when it was seen. */
struct walk_file {
	char *dir; /* absolute path of its directory */
	char *name;
	size_t base_length; /* of the part of dir before the pattern's first wildcard */
	uint64_t dir_dev, dir_ino;
	uint64_t dev, ino;
	uint64_t size_bytes, used_bytes;
	int64_t mtime_ns;
	uint32_t mode, uid, gid;
};

/* Something that a pattern matched and that is left alone. */
struct walk_refusal {
	char *path;
	const char *why;
};

struct walk_list {
	struct walk_file *files; /* by path, each once */
	size_t count, room;
	struct walk_refusal *refused;
	size_t refused_count, refused_room;
	char **trash_dirs; /* directories gone through that hold a WALK_TRASH */
	size_t trash_count;
};

/* The directory into which what is removed goes, in the directory of the file. */
#define WALK_TRASH ".upkeep-trash"

/* FLAGS */
#define WALK_LINKED 1u  /* also files with several hard links */
#define WALK_FOREIGN 2u /* also other users' files in sticky directories (only to remove them) */
#define WALK_READ 4u    /* only to read: both of the above, and any directory */

#define WALK_HIDDEN 8u /* wildcards match leading dots too, and ".upkeep-" */

/* Adds what `pattern` matches.  Returns 0 or a negative errno (-EINVAL: not
 * absolute, or has "." or ".."; -ENOMEM). Directories that cannot be read are
 * refusals.  Call walk_finish after the last pattern. */
int walk_glob(struct walk_list *list, const char *pattern, unsigned flags);

/* Sorts by path and drops what several patterns matched. */
void walk_finish(struct walk_list *list);

void walk_free(struct walk_list *list);
#define CLEANUP_WALK __attribute__((cleanup(walk_free)))

/* Opens the directory of a file that was found; -ESTALE: it is another now. */
int walk_open_dir(const struct walk_file *file);

/* Opens the file itself inside its directory; -ESTALE: it is another now. */
int walk_open_file(int dir_fd, const struct walk_file *file, int flags, struct stat *ret_st);

#endif
