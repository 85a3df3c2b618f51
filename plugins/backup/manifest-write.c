/* SPDX-License-Identifier: MIT */
#include "backup/manifest.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cleanup.h"

char manifest_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	default:
		return 0;
	}
}

struct manifest_writer {
	struct frame_writer *frame;
	int fd;
	uint64_t entries;
	uint32_t packs, borrowed;
	struct manifest_part *part; /* that is being filled, or NULL */
};

static json_t *hex_text(const char *bytes)
{
	static const char digits[] = "0123456789abcdef";
	size_t size = strlen(bytes);
	CLEANUP_FREE char *hex = fault_alloc(2 * size + 1);
	for (size_t i = 0; i < size; i++) {
		hex[2 * i] = digits[(unsigned char)bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	return json_string(hex);
}

/* Bytes under `key`, or in hexadecimal under `key_hex` where they are not UTF-8. */
static void set_bytes(json_t *object, const char *key, const char *bytes)
{
	json_t *text = json_string(bytes);
	if (text) {
		json_object_set_new(object, key, text);
		return;
	}
	CLEANUP_FREE char *other = fault_format("%s_hex", key);
	json_object_set_new(object, other, hex_text(bytes));
}

static int put_line(struct frame_writer *frame, struct frame_writer *also, json_t *object)
{
	CLEANUP_FREE char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!line)
		return -ENOMEM;
	size_t size = strlen(line);
	line[size++] = '\n'; /* in the place of the NUL */
	int r = frame_write(frame, line, size);
	return r < 0 || !also ? r : frame_write(also, line, size);
}

static json_t *strings_array(char *const *strings, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++) {
		json_t *text = json_string(strings[i]);
		json_array_append_new(list, text ? text : json_string(""));
	}
	return list;
}

static json_t *head_object(const struct manifest *head)
{
	json_t *object = json_pack("{si, ss, ss, ss, sI}", "upkeep_backup", MANIFEST_FORMAT, "id",
		head->id, "name", head->name, "host", head->host, "created_s",
		(json_int_t)head->created_s);
	if (object && head->label && *head->label)
		set_bytes(object, "label", head->label);
	if (object)
		json_object_set_new(object, "paths", strings_array(head->paths, head->path_count));
	if (object && head->exclude_count)
		json_object_set_new(
			object, "exclude", strings_array(head->exclude, head->exclude_count));
	return object;
}

int manifest_begin(struct manifest_writer **ret, const struct manifest *head, struct fault *fault)
{
	struct manifest_writer *writer = fault_alloc(sizeof *writer);
	*ret = writer;
	writer->fd = memfd_create("manifest", MFD_CLOEXEC);
	if (writer->fd < 0)
		return fault_set(fault, -errno, NULL, "cannot make a file in memory: %m");
	int r = frame_begin(&writer->frame, writer->fd, fault);
	if (r == 0 && put_line(writer->frame, NULL, head_object(head)) < 0)
		r = fault_set(fault, -EIO, NULL, "cannot write the manifest's head");
	return r;
}

static json_int_t pack_number(uint32_t pack)
{
	return pack < MANIFEST_BORROWED ? (json_int_t)pack
					: -1 - (json_int_t)(pack - MANIFEST_BORROWED);
}

static json_t *pieces_array(const struct manifest_entry *entry)
{
	json_t *list = json_array();
	for (size_t i = 0; i < entry->piece_count; i++) {
		const struct manifest_piece *p = &entry->pieces[i];
		json_array_append_new(list,
			json_pack("[I,I,I,I,I]", pack_number(p->pack), (json_int_t)p->offset,
				(json_int_t)p->length, (json_int_t)p->from, (json_int_t)p->size));
	}
	return list;
}

int manifest_put_entry(struct manifest_writer *writer, const struct manifest_entry *entry)
{
	const char type[] = {entry->type, 0};
	json_t *object = json_object();
	set_bytes(object, "path", entry->path);
	json_object_set_new(object, "type", json_string(type));
	json_object_set_new(object, "mode", json_integer(entry->mode));
	json_object_set_new(object, "uid", json_integer(entry->uid));
	json_object_set_new(object, "gid", json_integer(entry->gid));
	json_object_set_new(object, "mtime",
		json_pack("[I,I]", (json_int_t)entry->mtime_s, (json_int_t)entry->mtime_ns));
	if (entry->type == 'f') {
		json_object_set_new(object, "size", json_integer((json_int_t)entry->size));
		json_object_set_new(object, "sha256", json_string(entry->sha256));
	}
	if (entry->link)
		set_bytes(object, "link", entry->link);
	if (entry->seen.ino)
		json_object_set_new(object, "seen",
			json_pack("[I,I,I,I]", (json_int_t)entry->seen.ctime_s,
				(json_int_t)entry->seen.ctime_ns, (json_int_t)entry->seen.ino,
				(json_int_t)entry->seen.dev));
	if (entry->changed)
		json_object_set_new(object, "changed", json_true());
	json_object_set_new(object, "at", pieces_array(entry));
	writer->entries++;
	bool also = writer->part && entry->seen.ino &&
		entry->pieces[entry->piece_count - 1].pack < MANIFEST_BORROWED;
	return put_line(writer->frame, also ? writer->part->frame : NULL, object);
}

int manifest_put_problem(
	struct manifest_writer *writer, const char *path, const char *kind, const char *why)
{
	json_t *object = json_pack("{ss, ss}", "problem", kind, "why", why);
	if (object)
		set_bytes(object, "path", path);
	return put_line(writer->frame, NULL, object);
}

static json_t *pack_object(const struct manifest_pack *pack)
{
	return json_pack("{sI, ss, sI, sI}", "pack", (json_int_t)pack->number, "sha256",
		pack->sha256, "size", (json_int_t)pack->size, "plain", (json_int_t)pack->plain);
}

int manifest_put_pack(struct manifest_writer *writer, const struct manifest_pack *pack)
{
	writer->packs++;
	return put_line(writer->frame, NULL, pack_object(pack));
}

int manifest_put_borrowed(struct manifest_writer *writer, const struct manifest_pack *pack)
{
	return put_line(writer->frame, NULL,
		json_pack("{sI, ss, sI, ss, sI, sI}", "borrowed", (json_int_t)writer->borrowed++,
			"of", pack->of, "number", (json_int_t)pack->number, "sha256", pack->sha256,
			"size", (json_int_t)pack->size, "plain", (json_int_t)pack->plain));
}

int manifest_part_begin(struct manifest_part *part, struct manifest_writer *writer,
	const struct manifest *head, uint32_t pack, struct fault *fault)
{
	*part = (struct manifest_part){.fd = memfd_create("part", MFD_CLOEXEC)};
	if (part->fd < 0)
		return fault_set(fault, -errno, NULL, "cannot make a file in memory: %m");
	int r = frame_begin(&part->frame, part->fd, fault);
	if (r == 0 && pack == 0)
		r = put_line(part->frame, NULL, head_object(head));
	writer->part = r == 0 ? part : NULL;
	if (r < 0)
		manifest_part_abort(part);
	return r;
}

int manifest_part_end(struct manifest_part *part, const struct manifest_pack *pack, int *ret_fd)
{
	int r = put_line(part->frame, NULL, pack_object(pack));
	int end = frame_end(&part->frame);
	if (r == 0 && end == 0)
		*ret_fd = TAKE_FD(part->fd);
	manifest_part_abort(part);
	return r < 0 ? r : end;
}

void manifest_part_abort(struct manifest_part *part)
{
	frame_end(&part->frame);
	if (part->fd >= 0)
		close(part->fd);
	part->fd = -1;
}

int manifest_end(struct manifest_writer **ret, int *ret_fd, struct fault *fault)
{
	struct manifest_writer *writer = *ret;
	int r = put_line(writer->frame, NULL,
		json_pack("{sb, sI, sI}", "end", 1, "entries", (json_int_t)writer->entries, "packs",
			(json_int_t)writer->packs));
	int end = frame_end(&writer->frame);
	if (r == 0 && end == 0)
		*ret_fd = TAKE_FD(writer->fd);
	else
		r = fault_set(fault, r ? r : end, NULL, "cannot write the manifest: %s",
			strerror(r ? -r : -end));
	manifest_abort(ret);
	return r;
}

void manifest_abort(struct manifest_writer **writer)
{
	if (!*writer)
		return;
	frame_end(&(*writer)->frame);
	if ((*writer)->fd >= 0)
		close((*writer)->fd);
	free(*writer);
	*writer = NULL;
}
