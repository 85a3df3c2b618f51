/* Who has a file open for writing. */
#ifndef FILES_WRITERS_H
#define FILES_WRITERS_H

#include <stddef.h>
#include <stdint.h>

struct writer {
	int pid;
	int appends; /* O_APPEND is set on the descriptor */
	char name[20];
};

struct writers {
	struct writer *items;
	size_t count;
	size_t unseen; /* processes whose descriptors this user may not see */
};

/* Looks through /proc for descriptors that write to the inode.  Negative errno. */
int writers_find(uint64_t dev, uint64_t ino, struct writers *ret);
void writers_free(struct writers *writers);
#define CLEANUP_WRITERS __attribute__((cleanup(writers_free)))

/*
 * Asks the kernel, by a read lease on a read-only descriptor: 1 nobody can write
 * to the file, 0 somebody can (also through a mapping), negative: it will not
 * say (another file system, another owner).  While the lease is held, opening for
 * writing waits, so that what is decided stays true; writers_release ends it.
 */
int writers_hold_off(int fd);
void writers_release(int fd);

/* The same question, answered from /proc where the kernel does not say: 1 somebody
 * has it open for writing (or might: *ret_unsure), 0 nobody.  No lease is kept. */
int writers_any(int fd, int *ret_unsure);

#endif
