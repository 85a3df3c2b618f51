/* SPDX-License-Identifier: MIT */
#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>

#include "postgres/set.h"
#include "postgres/sums.h"
#include "support/cleanup.h"
#include "support/stream.h"

#define INPUT_BYTES ((size_t)256 << 10)

struct set_reader {
	struct upkeep_ctx *ctx;
	struct archive *archive;
	struct fault fault; /* of the last read */
	struct sums sums;
	char *input;
	char *name; /* of the member that comes next; NULL: it was not looked for, or the end */
	uint64_t size, bytes;
	int fd, code;
	bool ended;
};

#define NEXT "take another backup; see what wrote this one: upkeep history"

static la_ssize_t read_bytes(struct archive *archive, void *arg, const void **ret)
{
	struct set_reader *reader = arg;
	size_t size = 0;
	fault_clear(&reader->fault);
	reader->code = stream_read_some(
		reader->ctx, reader->fd, reader->input, INPUT_BYTES, &size, &reader->fault);
	*ret = reader->input;
	if (reader->code == 0)
		return (la_ssize_t)size;
	archive_set_error(archive, -reader->code, "cannot read");
	return -1;
}

static int refused(struct set_reader *reader, struct fault *fault)
{
	if (reader->code < 0)
		return fault_set(
			fault, reader->code, reader->fault.next, "%s", fault_what(&reader->fault));
	return fault_set(fault, -EBADMSG, NEXT, "the set is cut off, damaged, or none: %s",
		archive_error_string(reader->archive));
}

int set_reader_open(struct set_reader **ret, struct upkeep_ctx *ctx, int fd, struct fault *fault)
{
	struct set_reader *reader = *ret = fault_alloc(sizeof *reader);
	*reader = (struct set_reader){.ctx = ctx, .fd = fd, .input = fault_alloc(INPUT_BYTES)};
	reader->archive = archive_read_new();
	if (!reader->archive)
		return fault_set(fault, -ENOMEM, NULL, "out of memory");
	archive_read_support_format_tar(reader->archive);
	if (archive_read_open(reader->archive, reader, NULL, read_bytes, NULL) != ARCHIVE_OK)
		return refused(reader, fault);
	return 0;
}

/* Looks what comes next, once. */
static int look(struct set_reader *reader, struct fault *fault)
{
	struct archive_entry *entry;
	if (reader->name || reader->ended)
		return 0;
	int r = archive_read_next_header(reader->archive, &entry);
	if (r == ARCHIVE_EOF) {
		reader->ended = true;
		return 0;
	}
	if (r != ARCHIVE_OK)
		return refused(reader, fault);
	const char *name = archive_entry_pathname(entry);
	if (!name || archive_entry_filetype(entry) != AE_IFREG ||
		!archive_entry_size_is_set(entry) || archive_entry_hardlink(entry))
		return fault_set(
			fault, -EBADMSG, NEXT, "the set holds what postgres.dump does not write");
	reader->name = fault_format("%s", name);
	reader->size = (uint64_t)archive_entry_size(entry);
	return 0;
}

/* All bytes of the member that was looked at, each piece once. */
static int take(struct set_reader *reader, set_piece *piece, void *arg, struct fault *fault)
{
	const void *bytes;
	size_t size;
	la_int64_t offset, at = 0;
	int r;
	sums_begin(&reader->sums);
	while ((r = archive_read_data_block(reader->archive, &bytes, &size, &offset)) ==
		ARCHIVE_OK) {
		if (offset != at)
			return fault_set(fault, -EBADMSG, NEXT, "the set has a hole in \"%s\"",
				reader->name);
		at += (la_int64_t)size;
		sums_add(&reader->sums, bytes, size);
		int taken = piece(arg, bytes, size, fault);
		if (taken < 0)
			return taken;
	}
	if (r != ARCHIVE_EOF)
		return refused(reader, fault);
	if ((uint64_t)at != reader->size)
		return fault_set(
			fault, -EBADMSG, NEXT, "the set is cut off in \"%s\"", reader->name);
	sums_end(&reader->sums, reader->name);
	free(TAKE_PTR(reader->name));
	return 0;
}

struct text {
	char *bytes;
	size_t size, room;
};

static int text_piece(void *arg, const void *bytes, size_t size, struct fault *fault)
{
	struct text *text = arg;
	if (size > text->room - text->size)
		return fault_set(fault, -EBADMSG, NEXT, "the set holds more than it says");
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	return 0;
}

int set_take(struct set_reader *reader, const char *name, char **ret, size_t *ret_size,
	struct fault *fault)
{
	int r = look(reader, fault);
	if (r < 0)
		return r;
	if (!reader->name || strcmp(reader->name, name) != 0)
		return fault_set(fault, -EBADMSG, NEXT,
			"the set has no %s where it should be: %s%s", name,
			reader->name ? "there is " : "it ends there",
			reader->name ? reader->name : "");
	if (reader->size > SET_TEXT_MAX)
		return fault_set(fault, -EBADMSG, NEXT, "%s is too large: %llu bytes", name,
			(unsigned long long)reader->size);
	struct text text = {.bytes = fault_alloc(reader->size + 1), .room = reader->size};
	r = take(reader, text_piece, &text, fault);
	*ret = text.bytes;
	if (ret_size)
		*ret_size = text.size;
	return r;
}

int set_take_globals(struct set_reader *reader, struct fault *fault)
{
	CLEANUP_FREE char *text = NULL;
	int r = set_take(reader, SET_GLOBALS, &text, NULL, fault);
	return r == 0 && !(text && strstr(text, SET_GLOBALS_END))
		? fault_set(fault, -EBADMSG, NEXT, SET_GLOBALS " of the set lacks its end")
		: r;
}

struct counted {
	struct set_reader *reader;
	set_piece *piece;
	void *arg;
};

static int count_piece(void *arg, const void *bytes, size_t size, struct fault *fault)
{
	struct counted *counted = arg;
	counted->reader->bytes += size;
	counted->reader->ctx->host->progress(
		counted->reader->ctx, counted->reader->bytes, 0, "bytes");
	return counted->piece(counted->arg, bytes, size, fault);
}

int set_take_dump(struct set_reader *reader, set_piece *piece, void *arg, uint64_t *ret_bytes,
	struct fault *fault)
{
	struct counted counted = {reader, piece, arg};
	int r = look(reader, fault);
	for (unsigned part = 1; r == 0; part++) {
		CLEANUP_FREE char *name = fault_format(SET_PART "%06u", part);
		if (!reader->name || strcmp(reader->name, name) != 0)
			break;
		r = take(reader, count_piece, &counted, fault);
		if (r == 0)
			r = look(reader, fault);
	}
	*ret_bytes = reader->bytes;
	return r == 0 && !reader->bytes
		? fault_set(fault, -EBADMSG, NEXT, "the set has no dump in it")
		: r;
}

int set_reader_finish(struct set_reader *reader, struct fault *fault)
{
	CLEANUP_FREE char *text = NULL;
	size_t size = 0, had = reader->sums.size;
	int r = set_take(reader, SET_SUMS, &text, &size, fault);
	if (r < 0)
		return r;
	reader->sums.size = had; /* it has no line of its own */
	reader->sums.text[had] = 0;
	CLEANUP_FREE char *differs = sums_differ(&reader->sums, text, size);
	if (differs)
		return fault_set(fault, -EBADMSG, NEXT,
			"the set is damaged: \"%s\" has another hash "
			"than when it was written",
			differs);
	r = look(reader, fault);
	if (r == 0 && !reader->ended)
		return fault_set(fault, -EBADMSG, NEXT, "the set goes on behind its end");
	/* what is left is padding; a writer must not find its reader gone */
	for (size = 1; r == 0 && size > 0;)
		r = stream_read_some(
			reader->ctx, reader->fd, reader->input, INPUT_BYTES, &size, fault);
	return r;
}

void set_reader_close(struct set_reader **reader)
{
	if (!*reader)
		return;
	archive_read_free((*reader)->archive);
	fault_clear(&(*reader)->fault);
	sums_free(&(*reader)->sums);
	free((*reader)->name);
	free((*reader)->input);
	free(*reader);
	*reader = NULL;
}
