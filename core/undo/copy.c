/* SPDX-License-Identifier: MIT */
#include "undo/copy.h"

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

static uint32_t crc_add(uint32_t crc, unsigned char byte)
{
	crc ^= (uint32_t)byte << 24;
	for (int bit = 0; bit < 8; bit++)
		crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7u : 0);
	return crc;
}

uint32_t undo_checksum(const char *bytes, size_t size)
{
	uint32_t crc = 0;

	for (size_t i = 0; i < size; i++)
		crc = crc_add(crc, (unsigned char)bytes[i]);
	for (; size; size >>= 8)
		crc = crc_add(crc, (unsigned char)(size & 0xff));
	return ~crc;
}

static void line_add(struct text *text, const char *name, const char *value)
{
	text_addf(text, "%s ", name);
	text_add_visible(text, value ? value : "", value ? strlen(value) : 0);
	text_addc(text, '\n');
}

static void number_add(struct text *text, const char *name, uint64_t number)
{
	text_addf(text, "%s %" PRIu64 "\n", name, number);
}

/* `files` has a name on each line. */
static void files_add(struct text *text, const struct journal_undo *undo)
{
	CLEANUP_FREE char *files = base_string(undo->files ? undo->files : "");
	char *rest = files, *name;

	while ((name = strsep(&rest, "\n"))) {
		CLEANUP_TEXT struct text path = {0};

		if (!*name)
			continue;
		text_addf(
			&path, "undo/%" PRIu32 ".%" PRIu32 "/%s", undo->task, undo->attempt, name);
		line_add(text, "file", text_string(&path));
	}
}

static void copy_print(const struct undo_copy *copy, struct text *text)
{
	const struct journal_undo *undo = copy->undo;

	text_adds(text, "upkeep undo record, format 1\n");
	line_add(text, "run", copy->run_id);
	number_add(text, "record", copy->id);
	line_add(text, "task", copy->task);
	number_add(text, "attempt", undo->attempt);
	line_add(text, "action", copy->action);
	line_add(text, "kind", undo->kind);
	number_add(text, "version", undo->version);
	line_add(text, "about", undo->about);
	files_add(text, undo);
	text_addf(text, "payload %zu bytes\n%s\n", strlen(undo->payload), undo->payload);
	size_t size = text->size;
	text_addf(text, "checksum %" PRIu32 " %zu\n", undo_checksum(text->bytes, size), size);
}

static int sync_at(int dir, const char *path)
{
	CLEANUP_FD int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The run's directory and the one of all runs were made without a sync, and may be new. */
int undo_dir_make(int run_dir)
{
	static const char *const parents[] = {".", "..", "../.."};
	int r = 0;

	if (mkdirat(run_dir, "undo", 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	for (size_t i = 0; i < sizeof parents / sizeof parents[0] && r == 0; i++)
		r = sync_at(run_dir, parents[i]);
	if (r < 0)
		unlinkat(run_dir, "undo", AT_REMOVEDIR);
	return r;
}

int undo_copy_write(int run_dir, const struct undo_copy *copy)
{
	CLEANUP_TEXT struct text text = {0}, path = {0};
	int r = undo_dir_make(run_dir);

	if (r < 0)
		return r;
	copy_print(copy, &text);
	text_addf(&path, "/proc/self/fd/%d/undo/%" PRIu64 ".txt", run_dir, copy->id);
	return file_store(text_string(&path), text.bytes, text.size, 0600, true, NULL);
}

void undo_copy_close(int run_dir, uint64_t id)
{
	char open_name[48], closed_name[48];

	snprintf(open_name, sizeof open_name, "undo/%" PRIu64 ".txt", id);
	snprintf(closed_name, sizeof closed_name, "undo/%" PRIu64 ".done.txt", id);
	renameat(run_dir, open_name, run_dir, closed_name);
}
