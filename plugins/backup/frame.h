/* One zstd frame, written and read piece by piece. */
#ifndef BACKUP_FRAME_H
#define BACKUP_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "support/fault.h"

struct frame_writer;
/* Begins a frame at the position of fd, which stays the caller's. */
int frame_begin(struct frame_writer **ret, int fd, struct fault *fault);
/* Begins one of that level whose bytes go to `write`, which answers 0 or a negative errno. */
typedef int frame_sink(void *data, const void *bytes, size_t size);
int frame_begin_to(
	struct frame_writer **ret, int level, frame_sink *write, void *data, struct fault *fault);
int frame_write(struct frame_writer *frame, const void *bytes, size_t size);
/* Ends the frame and frees the writer (also on failure); NULL is fine. */
int frame_end(struct frame_writer **frame);

struct frame_reader;
/* Reads a frame from the position of fd; at most `limit` bytes come out. */
int frame_open(struct frame_reader **ret, int fd, uint64_t limit, struct fault *fault);
/* The bytes read, 0 at the end of a whole frame; -EBADMSG: damaged, cut or followed by
 * something; -EFBIG: more than the limit. */
ssize_t frame_read(struct frame_reader *frame, void *bytes, size_t size);
void frame_close(struct frame_reader **frame);

#endif
