/* Hashes of a set's members, in the form of sha256sum. */
#ifndef POSTGRES_SUMS_H
#define POSTGRES_SUMS_H

#include <stddef.h>

struct sums {
	char *text; /* one member a line */
	size_t size, room;
	void *hash; /* of the member that is being read or written */
};

void sums_begin(struct sums *sums);
void sums_add(struct sums *sums, const void *bytes, size_t size);
/* The member is whole: its line is made. */
void sums_end(struct sums *sums, const char *name);
/* The name of the first member of which the line in `text` is another, or NULL: all are right.
 * On the heap. */
char *sums_differ(const struct sums *sums, const char *text, size_t size);
void sums_free(struct sums *sums);

#endif
