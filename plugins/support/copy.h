/* Copying bytes and what belongs to a file, with proof that the copy is whole. */
#ifndef SUPPORT_COPY_H
#define SUPPORT_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define COPY_HASH_BYTES 32
#define COPY_HASH_TEXT (2 * COPY_HASH_BYTES + 1)

/* SHA-256 of `length` bytes from `offset` (UINT64_MAX: to the end). -EIO: shorter. */
int copy_hash(int fd, uint64_t offset, uint64_t length, char ret_text[COPY_HASH_TEXT]);

/* Copies `length` bytes of from_fd (UINT64_MAX: to the end) from its start to
 * the start of the empty to_fd, leaving runs of zeros as holes; the hash is of
 * what was read.  Stops with -ECANCELED when cancel_fd (or -1) is readable. */
int copy_bytes(int from_fd, int to_fd, uint64_t length, int cancel_fd,
	char ret_hash[COPY_HASH_TEXT], uint64_t *ret_bytes);

/* Writes all of it at the offset. */
int copy_write_at(int fd, const void *bytes, size_t size, uint64_t offset);

/* Gives to_fd the owner, extended attributes (with them ACLs), mode and times
 * of from_fd.  What the file system or a missing privilege refuses about
 * attributes is left; an owner that cannot be set is -EPERM. */
int copy_metadata(int from_fd, int to_fd);

/* True once cancel_fd (or -1) says stop. */
int copy_cancelled(int cancel_fd);

#endif
