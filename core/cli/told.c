/* SPDX-License-Identifier: MIT */
#include "cli/told.h"

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "model/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int told_open(struct told *told, struct error *err)
{
	told->fd = memfd_create("upkeep-told", MFD_CLOEXEC);
	return told->fd < 0 ? error_set(err, -errno, NULL, "cannot make a file in memory: %m") : 0;
}

void told_close(struct told *told)
{
	cleanup_fd(&told->fd);
}

void told_put(const struct told *told, json_t *line)
{
	CLEANUP_FREE char *text = json_dumps(line, JSON_COMPACT);

	json_decref(line);
	if (!text || file_write(told->fd, text, strlen(text)) < 0 ||
		file_write(told->fd, "\n", 1) < 0)
		_exit(EXIT_INTERNAL); /* what is not whole is worth nothing */
}

static bool lines_read(char *text, json_t *lines)
{
	char *line;

	while ((line = strsep(&text, "\n")) && text) {
		json_t *json = json_loads(line, 0, NULL);
		if (!json)
			return false;
		json_array_append_new(lines, json);
	}
	return true;
}

char *told_take_text(const struct told *told, struct error *err)
{
	off_t size = lseek(told->fd, 0, SEEK_END);
	CLEANUP_FREE char *text = base_alloc((size_t)size + 1);

	if (pread(told->fd, text, (size_t)size, 0) == size && ftruncate(told->fd, 0) == 0 &&
		lseek(told->fd, 0, SEEK_SET) == 0)
		return TAKE_PTR(text);
	error_set(err, -EIO, NULL, "what the run said could not be read: %m");
	return NULL;
}

int told_take(const struct told *told, json_t **ret_lines, struct error *err)
{
	CLEANUP_FREE char *text = told_take_text(told, err);

	if (!text)
		return -EIO;
	*ret_lines = json_array();
	if (lines_read(text, *ret_lines))
		return 0;
	json_decref(*ret_lines);
	*ret_lines = NULL;
	return error_set(err, -EIO, NULL, "what the tasks said is not whole");
}

/* ---- texts and bytes ---- */

json_t *told_bytes(const void *bytes, size_t size)
{
	CLEANUP_TEXT struct text hex = {0};

	for (size_t i = 0; i < size; i++)
		text_addf(&hex, "%02x", ((const unsigned char *)bytes)[i]);
	return json_string(text_string(&hex));
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void *told_bytes_read(const json_t *hex, size_t *ret_size)
{
	const char *text = json_string_value(hex);
	size_t size = json_string_length(hex) / 2;

	if (!text || json_string_length(hex) % 2)
		return NULL;
	unsigned char *bytes = base_alloc(size + 1);
	for (size_t i = 0; i < size; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0) {
			free(bytes);
			return NULL;
		}
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	*ret_size = size;
	return bytes;
}

json_t *told_text(const char *text)
{
	if (!text)
		return json_null();
	json_t *json = json_string(text);
	return json ? json : json_pack("{s:o}", "bytes", told_bytes(text, strlen(text)));
}

char *told_visible(const json_t *text)
{
	struct text visible = {0};
	size_t size = json_string_length(text);
	CLEANUP_FREE char *bytes = json_is_object(text)
		? told_bytes_read(json_object_get(text, "bytes"), &size)
		: NULL;
	const char *plain = json_is_string(text) ? json_string_value(text) : bytes;

	if (plain)
		text_add_visible(&visible, plain, size);
	return visible.bytes ? text_take(&visible) : base_string("");
}
