/* SPDX-License-Identifier: MIT */
#include "backup/pack.h"

#include <archive.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/frame.h"
#include "backup/seal.h"
#include "support/cleanup.h"

struct pack {
	int fd, error;
	struct frame_writer *frame; /* NULL: to `write` as it is */
	frame_sink *write;
	void *data;
	struct archive *tar;
	uint64_t input, plain;
};

static la_ssize_t write_tar(struct archive *tar, void *data, const void *bytes, size_t size)
{
	struct pack *pack = data;
	int r = pack->error   ? pack->error
		: pack->frame ? frame_write(pack->frame, bytes, size)
			      : pack->write(pack->data, bytes, size);
	if (r < 0) {
		pack->error = r;
		archive_set_error(tar, -r, "%s", strerror(-r));
		return -1;
	}
	pack->plain += size;
	return (la_ssize_t)size;
}

static int tar_fault(struct pack *pack, struct fault *fault)
{
	return fault_set(fault, pack->error ? pack->error : -EIO, NULL,
		"cannot write the archive: %s", archive_error_string(pack->tar));
}

static int open_tar(struct pack *pack, struct fault *fault)
{
	struct archive *tar = pack->tar = archive_write_new();
	if (!tar)
		return fault_set(fault, -ENOMEM, NULL, "cannot begin an archive");
	if (archive_write_set_format_pax(tar) != ARCHIVE_OK)
		return tar_fault(pack, fault);
	/* one form of each attribute; this setter answers "failed" where it worked */
	archive_write_set_format_option(tar, "pax", "xattrheader", "SCHILY");
	if (archive_write_set_format_option(tar, "pax", "hdrcharset", "BINARY") != ARCHIVE_OK ||
		archive_write_set_bytes_per_block(tar, 0) != ARCHIVE_OK ||
		archive_write_set_bytes_in_last_block(tar, 1) != ARCHIVE_OK ||
		archive_write_open(tar, pack, NULL, write_tar, NULL) != ARCHIVE_OK)
		return tar_fault(pack, fault);
	return 0;
}

int pack_begin(struct pack **ret, struct fault *fault)
{
	struct pack *pack = fault_alloc(sizeof *pack);
	pack->fd = seal_memory("pack", fault);
	int r = pack->fd < 0 ? pack->fd : frame_begin(&pack->frame, pack->fd, fault);
	if (r == 0)
		r = open_tar(pack, fault);
	if (r < 0)
		pack_abort(&pack);
	*ret = pack;
	return r;
}

int pack_begin_to(struct pack **ret, int level, frame_sink *write, void *data, struct fault *fault)
{
	struct pack *pack = fault_alloc(sizeof *pack);
	*pack = (struct pack){.fd = -1, .write = write, .data = data};
	int r = level ? frame_begin_to(&pack->frame, level, write, data, fault) : 0;
	if (r == 0)
		r = open_tar(pack, fault);
	if (r < 0)
		pack_abort(&pack);
	*ret = pack;
	return r;
}

int pack_header(
	struct pack *pack, struct archive_entry *entry, uint64_t *ret_offset, struct fault *fault)
{
	*ret_offset = pack->plain;
	int r = archive_write_header(pack->tar, entry);
	if (r != ARCHIVE_OK)
		return tar_fault(pack, fault);
	pack->input += pack->plain - *ret_offset;
	return 0;
}

int pack_data(struct pack *pack, const void *bytes, size_t size, struct fault *fault)
{
	la_ssize_t n = archive_write_data(pack->tar, bytes, size);
	if (n != (la_ssize_t)size)
		return tar_fault(pack, fault);
	pack->input += size;
	return 0;
}

int pack_hole(struct pack *pack, uint64_t size, struct fault *fault)
{
	static const char zeros[1 << 20];
	while (size > 0) {
		size_t n = size < sizeof zeros ? (size_t)size : sizeof zeros;
		if (archive_write_data(pack->tar, zeros, n) != (la_ssize_t)n)
			return tar_fault(pack, fault);
		size -= n;
	}
	return 0;
}

int pack_finish(struct pack *pack, uint64_t *ret_end, struct fault *fault)
{
	if (archive_write_finish_entry(pack->tar) != ARCHIVE_OK)
		return tar_fault(pack, fault);
	*ret_end = pack->plain;
	return 0;
}

uint64_t pack_input(const struct pack *pack)
{
	return pack->input;
}

static int end_bytes(struct pack *pack, struct fault *fault)
{
	int r = archive_write_close(pack->tar) == ARCHIVE_OK ? 0 : tar_fault(pack, fault);
	int end = frame_end(&pack->frame);
	if (r == 0 && end < 0)
		r = fault_set(fault, end, NULL, "cannot compress: %s", strerror(-end));
	return r;
}

int pack_end(struct pack **ret, int *ret_fd, uint64_t *ret_plain, struct fault *fault)
{
	struct pack *pack = *ret;
	int r = end_bytes(pack, fault);
	if (r == 0) {
		*ret_fd = TAKE_FD(pack->fd);
		*ret_plain = pack->plain;
	}
	pack_abort(ret);
	return r;
}

int pack_close(struct pack **ret, struct fault *fault)
{
	int r = end_bytes(*ret, fault);
	pack_abort(ret);
	return r;
}

void pack_abort(struct pack **ret)
{
	struct pack *pack = *ret;
	if (!pack)
		return;
	/* closing the archive still writes: the frame goes last; where a write has failed, free
	 * alone does not close it (libarchive 3.6), and leaks */
	if (pack->tar) {
		archive_write_close(pack->tar);
		archive_write_free(pack->tar);
	}
	frame_end(&pack->frame);
	if (pack->fd >= 0)
		close(pack->fd);
	free(pack);
	*ret = NULL;
}
