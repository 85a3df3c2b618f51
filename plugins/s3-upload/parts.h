/*
 * How an object is cut into parts: a pure function of the number, so that whoever reads it
 * later can cut it the same way.
 *
 * There may be 10,000 parts, of at least 5 MiB but for the last.  Of a file the size is
 * known, and all parts are alike.  A stream's parts are held in memory until they are stored:
 * they begin with a sixteenth of the memory and double after every thousand, up to half of
 * it, so that one is stored while the next is read.  So a stream of nearly 4,000 times
 * the memory fits: 490 GiB in 128 MiB.
 */
#ifndef S3_UPLOAD_PARTS_H
#define S3_UPLOAD_PARTS_H

#include <stdint.h>

#define PARTS_TEXT 48

/* Part n has min(largest, first << (n - 1) / 1000) bytes. */
struct parts {
	uint64_t first, largest; /* bytes */
};

struct parts parts_of_stream(uint64_t memory_bytes);
struct parts parts_of_file(uint64_t size_bytes);

/* Of part `number`, from 1; the last part of an object may be shorter. */
uint64_t parts_size(const struct parts *parts, unsigned number);
/* Where it begins. */
uint64_t parts_offset(const struct parts *parts, unsigned number);
/* How many an object of this size has; 1 where it is empty. */
unsigned parts_count(const struct parts *parts, uint64_t size_bytes);
/* The size of the largest object. */
uint64_t parts_limit(const struct parts *parts);

/* "FIRST-LARGEST", as it is written into an object's metadata; reading it: 0 or -EINVAL. */
void parts_write(const struct parts *parts, char ret[PARTS_TEXT]);
int parts_read(struct parts *ret, const char *text);

#endif
