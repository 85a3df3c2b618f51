/*
 * Reading back: chosen entries out of their packs.  Each pack is fetched whole into
 * memory and compared with its hash before gpg sees it; only the packs needed are read.
 */
#ifndef BACKUP_READER_H
#define BACKUP_READER_H

#include <archive.h>
#include <archive_entry.h>

#include "backup/keys.h"
#include "backup/manifest.h"

/* A piece of an entry that is wanted; `tag` is the caller's. */
struct reader_item {
	const struct manifest_entry *entry;
	size_t piece;
	size_t tag;
};

/* What is done with them, in the order in which they lie in the packs. */
struct reader_sink {
	void *data;
	int (*begin)(void *data, const struct reader_item *item, struct archive_entry *tar,
		struct fault *fault);
	/* `offset` is of the file */
	int (*bytes)(void *data, const struct reader_item *item, const void *bytes, size_t size,
		uint64_t offset, struct fault *fault);
	int (*end)(void *data, const struct reader_item *item, struct fault *fault);
};

/* Fetches a pack, by its number in a piece, into memory and checks size and hash; *ret_fd is the
 * caller's. */
int reader_fetch(struct store *store, const struct manifest *manifest, uint32_t pack, int *ret_fd,
	struct fault *fault);

/* Sorts the items and reads them. */
int reader_run(struct keys *keys, struct store *store, const struct manifest *manifest,
	struct reader_item *items, size_t count, const struct reader_sink *sink,
	struct fault *fault);

#endif
