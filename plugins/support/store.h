/*
 * A store: a flat place for whole objects under names of two parts, "group/name".
 *
 * An object is there whole or not at all, and never changes.  A group appears with its first
 * object; nothing is promised of the order in which `remove` takes its objects.  Each kind of
 * store fills one table of functions: this header has the one in a directory, store-s3.h the
 * one in a bucket.
 */
#ifndef SUPPORT_STORE_H
#define SUPPORT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/fault.h"

#define STORE_HASH_BYTES 32
#define STORE_HASH_TEXT (2 * STORE_HASH_BYTES + 1)
/* Room for a name: parts are at most 200 bytes of [A-Za-z0-9._~-], not beginning with a dot. */
#define STORE_NAME_MAX 200

struct store;

/* The names in a listing, sorted; of objects their sizes in bytes as well, in the same order
 * (NULL: of groups, or the store does not say). */
struct store_names {
	char **items;
	uint64_t *sizes;
	size_t count;
};

struct store_ops {
	/* Writes all `size` bytes of fd (from its start) as group/name; returns when it is
	 * durable but for the directory (see sync).  -EEXIST: there is one of that name. */
	int (*put)(struct store *store, const char *group, const char *name, int fd, uint64_t size,
		char ret_hash[STORE_HASH_TEXT], struct fault *fault);
	/* Copies the object to the end of fd; at most `limit` bytes (-EFBIG).
	 * -ENOENT: there is none. */
	int (*get)(struct store *store, const char *group, const char *name, int fd, uint64_t limit,
		uint64_t *ret_size, char ret_hash[STORE_HASH_TEXT], struct fault *fault);
	/* What was put into the group, and the group's own name, survives power loss. */
	int (*sync)(struct store *store, const char *group, struct fault *fault);
	/* Groups of the store (`group` is ""); or objects of a group. */
	int (*list)(struct store *store, const char *group, bool groups, struct store_names *ret,
		struct fault *fault);
	/* Removes a whole group; 0 also where there is none. */
	int (*remove)(struct store *store, const char *group, struct fault *fault);
	/* Removes one object; 0 also where there is none. */
	int (*remove_object)(
		struct store *store, const char *group, const char *name, struct fault *fault);
	/* 1 there, 0 not, or a negative errno: then nothing is known of it. */
	int (*has)(struct store *store, const char *group, const char *name, struct fault *fault);
	/* Holds the store until it is closed: shared (readers and makers) or alone
	 * (whoever removes), without waiting; `who` tells others who it is.  -EBUSY: others
	 * hold it, and the fault says who. */
	int (*hold)(struct store *store, bool alone, const char *who, struct fault *fault);
	/* Device and inode of what must not be backed up into itself; -ENOENT: none. */
	int (*identity)(struct store *store, uint64_t *ret_dev, uint64_t *ret_ino);
	void (*close)(struct store *store);
};

struct store {
	const struct store_ops *ops;
	char *name;   /* as the site calls it */
	char *place;  /* for messages: its directory or URL */
	int again_ms; /* how long to wait before `hold` is tried again */
};

/* Opens the directory `path` as a store; made (0700) where `make`. */
int store_open_local(
	struct store **ret, const char *name, const char *path, bool make, struct fault *fault);
void store_close(struct store **store);
#define CLEANUP_STORE __attribute__((cleanup(store_close)))

/* True where `name` can be one part of an object's name. */
bool store_name_valid(const char *name);

void store_names_free(struct store_names *names);
#define CLEANUP_NAMES __attribute__((cleanup(store_names_free)))

/* SHA-256 while bytes pass: begin, add, end (which frees; text may be NULL). */
struct store_hash;
struct store_hash *store_hash_begin(void);
void store_hash_add(struct store_hash *hash, const void *bytes, size_t size);
void store_hash_end(struct store_hash **hash, char text[STORE_HASH_TEXT]);

/* Copies up to `limit` bytes (UINT64_MAX: all) from one descriptor to another by read
 * and write; hashes when `hash`.  Returns 0 or a negative errno; -EFBIG past the limit. */
int store_copy(int from, int to, uint64_t limit, struct store_hash *hash, uint64_t *ret_size);

#endif
