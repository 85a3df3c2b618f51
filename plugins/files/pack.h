/* Compressing one file into another and back, by libarchive. */
#ifndef FILES_PACK_H
#define FILES_PACK_H

#include <stdint.h>

/* The ending that files of a format ("zstd", "gzip") have. */
const char *pack_suffix(const char *format);

/* True for a name that ends like a compressed file. */
int pack_is_packed(const char *name);

/* Writes all of from_fd, compressed, to the empty to_fd.  `level` 0: the
 * format's own.  The hash and count are of the plain bytes.  -ECANCELED. */
int pack_write(int from_fd, int to_fd, const char *format, int level, int cancel_fd,
	char ret_hash[65], uint64_t *ret_bytes);

/* Reads the compressed from_fd; writes the plain bytes to the empty to_fd, or
 * nowhere (-1).  -EBADMSG: damaged. */
int pack_read(int from_fd, int to_fd, int cancel_fd, char ret_hash[65], uint64_t *ret_bytes);

#endif
