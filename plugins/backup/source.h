/* One file while it is read: its bytes, where its holes are, and whether it kept still. */
#ifndef BACKUP_SOURCE_H
#define BACKUP_SOURCE_H

#include "backup/pack.h"
#include "backup/tree.h"
#include "support/store.h"

struct source_extent {
	uint64_t offset, size;
};

struct source {
	int fd;
	struct stat st;                /* of the open file, at its start */
	struct source_extent *extents; /* where there is data, in order */
	size_t count;
	bool short_read; /* zeros stand for what was no longer there */
	struct store_hash *hash;
	char *buffer;
};

/* Opens the node: a regular file for reading, anything else as a mere name.  Negative
 * errno: it is gone (-ENOENT), cannot be read, or is something else now (-ESTALE). */
int source_open(struct source *source, struct tree *tree, uint32_t node);
/* What a symbolic link says (NULL: see errno); the caller frees it. */
char *source_link(const struct source *source);
/* The bytes of data, holes not counted. */
uint64_t source_data_size(const struct source *source);
/* Where a part that begins at `from` and has at most `most` bytes of data ends. */
uint64_t source_part_end(const struct source *source, uint64_t from, uint64_t most);
/* Tells the entry the holes of the part. */
void source_map(
	const struct source *source, uint64_t from, uint64_t end, struct archive_entry *entry);
/* Writes the part, as many bytes as were promised, whatever the file is now. */
int source_write(
	struct source *source, uint64_t from, uint64_t end, struct pack *pack, struct fault *fault);
/* The hash of the bytes of data, as it is in a manifest; "" where it could not be read whole.
 * -ECANCELED. */
int source_hash(struct source *source, int cancel_fd, char ret[STORE_HASH_TEXT]);
/* True where the file is not what it was when it was opened. */
bool source_changed(const struct source *source);
/* What has become of a file that has changed. */
const char *source_change(const struct source *source);
void source_close(struct source *source);

#endif
