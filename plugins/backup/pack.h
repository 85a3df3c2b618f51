/* A pack being made: pax tar entries inside one zstd frame, in memory; or a stream of the same. */
#ifndef BACKUP_PACK_H
#define BACKUP_PACK_H

#include <archive_entry.h>
#include <stdint.h>

#include "backup/frame.h"
#include "support/fault.h"

#define PACK_INPUT_MAX (32ull << 20)

struct pack;
int pack_begin(struct pack **ret, struct fault *fault);
/* One that goes to `write` as it comes, as a frame of that level; 0: without one. */
int pack_begin_to(struct pack **ret, int level, frame_sink *write, void *data, struct fault *fault);
/* Begins an entry; its header counts as input.  *ret_offset is where it lies. */
int pack_header(
	struct pack *pack, struct archive_entry *entry, uint64_t *ret_offset, struct fault *fault);
int pack_data(struct pack *pack, const void *bytes, size_t size, struct fault *fault);
/* `size` bytes that the entry's sparse map calls a hole. */
int pack_hole(struct pack *pack, uint64_t size, struct fault *fault);
/* Ends the entry; *ret_end is where the next one will begin. */
int pack_finish(struct pack *pack, uint64_t *ret_end, struct fault *fault);
/* Bytes of input so far, holes not counted. */
uint64_t pack_input(const struct pack *pack);
/* Ends the pack; *ret_fd (the caller's) holds the frame, *ret_plain is its tar's size. */
int pack_end(struct pack **pack, int *ret_fd, uint64_t *ret_plain, struct fault *fault);
/* Ends one that went to `write`. */
int pack_close(struct pack **pack, struct fault *fault);
void pack_abort(struct pack **pack);

#endif
