/* SPDX-License-Identifier: MIT */
#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <time.h>

#include "postgres/set.h"
#include "postgres/sums.h"
#include "support/cleanup.h"
#include "support/stream.h"

struct set_writer {
	struct upkeep_ctx *ctx;
	struct archive *archive;
	struct sums sums;
	unsigned parts;
	int fd, code;
	time_t now_s;
	bool closing; /* nothing is written any more */
};

static la_ssize_t write_bytes(struct archive *archive, void *arg, const void *bytes, size_t size)
{
	struct set_writer *writer = arg;
	if (writer->closing)
		return (la_ssize_t)size;
	writer->code = stream_write(writer->ctx, writer->fd, bytes, size);
	if (writer->code == 0)
		return (la_ssize_t)size;
	archive_set_error(archive, -writer->code, "cannot write");
	return -1;
}

static int refused(struct set_writer *writer, struct fault *fault)
{
	if (writer->code < 0)
		return stream_write_fault(writer->code, fault);
	return fault_set(fault, -EIO, NULL, "cannot write the set: %s",
		archive_error_string(writer->archive));
}

int set_writer_open(struct set_writer **ret, struct upkeep_ctx *ctx, int fd, struct fault *fault)
{
	struct set_writer *writer = *ret = fault_alloc(sizeof *writer);
	*writer = (struct set_writer){.ctx = ctx, .fd = fd, .now_s = time(NULL)};
	writer->archive = archive_write_new();
	if (!writer->archive)
		return fault_set(fault, -ENOMEM, NULL, "out of memory");
	archive_write_set_format_ustar(writer->archive);
	/* no blocks: what is written goes through as it is */
	archive_write_set_bytes_per_block(writer->archive, 0);
	if (archive_write_open(writer->archive, writer, NULL, write_bytes, NULL) != ARCHIVE_OK)
		return refused(writer, fault);
	return 0;
}

static int put(struct set_writer *writer, const char *name, const void *bytes, size_t size,
	struct fault *fault)
{
	struct archive_entry *entry = archive_entry_new();
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_mtime(entry, writer->now_s, 0);
	archive_entry_set_size(entry, (la_int64_t)size);
	int r = archive_write_header(writer->archive, entry) == ARCHIVE_OK ? 0 : -EIO;
	archive_entry_free(entry);
	if (r == 0 && size && archive_write_data(writer->archive, bytes, size) != (la_ssize_t)size)
		r = -EIO;
	return r < 0 ? refused(writer, fault) : 0;
}

int set_put(struct set_writer *writer, const char *name, const void *bytes, size_t size,
	struct fault *fault)
{
	sums_begin(&writer->sums);
	sums_add(&writer->sums, bytes, size);
	sums_end(&writer->sums, name);
	return put(writer, name, bytes, size, fault);
}

int set_put_part(struct set_writer *writer, const void *bytes, size_t size, struct fault *fault)
{
	CLEANUP_FREE char *name = fault_format(SET_PART "%06u", ++writer->parts);
	return set_put(writer, name, bytes, size, fault);
}

int set_writer_finish(struct set_writer *writer, struct fault *fault)
{
	int r = put(writer, SET_SUMS, writer->sums.text, writer->sums.size, fault);
	if (r == 0 && archive_write_close(writer->archive) != ARCHIVE_OK)
		r = refused(writer, fault);
	return r;
}

void set_writer_close(struct set_writer **writer)
{
	if (!*writer)
		return;
	/* libarchive would write the archive's end: whoever reads it must not take it for whole */
	(*writer)->closing = true;
	archive_write_free((*writer)->archive);
	sums_free(&(*writer)->sums);
	free(*writer);
	*writer = NULL;
}
