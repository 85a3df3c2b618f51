/* SPDX-License-Identifier: MIT */
#include "backup/manifest.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/frame.h"
#include "support/cleanup.h"

static void json_cleanup(json_t **object)
{
	json_decref(*object);
}
#define CLEANUP_JSON __attribute__((cleanup(json_cleanup)))

static void free_entry(struct manifest_entry *entry)
{
	free(entry->path);
	free(entry->link);
	free(entry->pieces);
}

static void free_strings(char **strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(strings[i]);
	free(strings);
}

void manifest_free(struct manifest *manifest)
{
	free(manifest->id);
	free(manifest->name);
	free(manifest->label);
	free(manifest->host);
	free_strings(manifest->paths, manifest->path_count);
	free_strings(manifest->exclude, manifest->exclude_count);
	for (size_t i = 0; i < manifest->entry_count; i++)
		free_entry(&manifest->entries[i]);
	free(manifest->entries);
	free(manifest->packs);
	for (size_t i = 0; i < manifest->borrowed_count; i++)
		free(manifest->borrowed[i].of);
	free(manifest->borrowed);
	for (size_t i = 0; i < manifest->problem_count; i++) {
		free(manifest->problems[i].path);
		free(manifest->problems[i].kind);
		free(manifest->problems[i].why);
	}
	free(manifest->problems);
	*manifest = (struct manifest){0};
}

bool manifest_path_valid(const char *path)
{
	if (path[0] != '/')
		return false;
	if (path[1] == 0)
		return true;
	while (*path == '/') {
		size_t size = strcspn(++path, "/");
		if (size == 0 || size > 255 || (size == 1 && path[0] == '.') ||
			(size == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += size;
	}
	return true;
}

bool manifest_id_valid(const char *id, const char *name)
{
	const size_t stamp = strlen("20261123T000000Z-"), random = strlen("-00000000");
	size_t size = strlen(name);
	return store_name_valid(id) && strlen(id) == stamp + size + random && id[8] == 'T' &&
		id[stamp - 2] == 'Z' && id[stamp - 1] == '-' && id[stamp + size] == '-' &&
		strncmp(id + stamp, name, size) == 0;
}

const struct manifest_pack *manifest_pack(const struct manifest *manifest, uint32_t pack)
{
	if (pack < MANIFEST_BORROWED)
		return pack < manifest->pack_count ? &manifest->packs[pack] : NULL;
	pack -= MANIFEST_BORROWED;
	return pack < manifest->borrowed_count ? &manifest->borrowed[pack] : NULL;
}

static int bad(struct fault *fault, const char *what)
{
	return fault_set(fault, -EBADMSG, NULL, "the manifest is not valid: %s", what);
}

static int get_integer(const json_t *object, const char *key, uint64_t most, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
		(uint64_t)json_integer_value(value) > most)
		return -EBADMSG;
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *bytes_of_hex(const char *hex)
{
	size_t size = strlen(hex) / 2;
	char *bytes = fault_alloc(size + 1);
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
		if (high < 0 || low < 0 || (high | low) == 0 || hex[2 * size]) {
			free(bytes);
			return NULL;
		}
		bytes[i] = (char)(high << 4 | low);
	}
	return bytes;
}

/* NULL where there is neither `key` nor `key_hex`, or a NUL in it. */
static char *get_bytes(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	if (json_is_string(value)) {
		if (strlen(json_string_value(value)) != json_string_length(value))
			return NULL;
		return fault_format("%s", json_string_value(value));
	}
	CLEANUP_FREE char *other = fault_format("%s_hex", key);
	value = json_object_get(object, other);
	return json_is_string(value) ? bytes_of_hex(json_string_value(value)) : NULL;
}

static int get_hash(const json_t *object, char hash[STORE_HASH_TEXT])
{
	const char *text = json_string_value(json_object_get(object, "sha256"));
	if (!text || strlen(text) != STORE_HASH_TEXT - 1 ||
		strspn(text, "0123456789abcdef") != STORE_HASH_TEXT - 1)
		return -EBADMSG;
	memcpy(hash, text, STORE_HASH_TEXT);
	return 0;
}

static int get_strings(const json_t *list, char ***ret, size_t *ret_count)
{
	size_t i;
	json_t *value;
	if (!json_is_array(list))
		return -EBADMSG;
	*ret = fault_alloc((json_array_size(list) + 1) * sizeof **ret);
	json_array_foreach(list, i, value) {
		if (!json_is_string(value))
			return -EBADMSG;
		(*ret)[(*ret_count)++] = fault_format("%s", json_string_value(value));
	}
	return 0;
}

static int add_head(struct manifest *manifest, const json_t *object, struct fault *fault)
{
	uint64_t format, created;
	const json_t *exclude = json_object_get(object, "exclude");
	if (manifest->id)
		return bad(fault, "it has two heads");
	if (get_integer(object, "upkeep_backup", UINT32_MAX, &format) < 0)
		return bad(fault, "it does not begin with its head");
	if (format < MANIFEST_FORMAT_OLDEST || format > MANIFEST_FORMAT)
		return fault_set(fault, -EBADMSG, "read it with a newer upkeep",
			"the manifest has format %llu, this upkeep reads %d to %d",
			(unsigned long long)format, MANIFEST_FORMAT_OLDEST, MANIFEST_FORMAT);
	manifest->id = get_bytes(object, "id");
	manifest->name = get_bytes(object, "name");
	manifest->label = get_bytes(object, "label");
	manifest->host = get_bytes(object, "host");
	if (!manifest->id || !store_name_valid(manifest->id) || !manifest->name ||
		!manifest->host || get_integer(object, "created_s", INT64_MAX, &created) < 0 ||
		get_strings(json_object_get(object, "paths"), &manifest->paths,
			&manifest->path_count) < 0 ||
		(exclude && get_strings(exclude, &manifest->exclude, &manifest->exclude_count) < 0))
		return bad(fault, "its head is not whole");
	manifest->created_s = (int64_t)created;
	return 0;
}

/* `count` integers, none but the first of which is negative. */
static int get_numbers(const json_t *list, int64_t *numbers, size_t count)
{
	if (!json_is_array(list) || json_array_size(list) != count)
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_array_get(list, i);
		if (!json_is_integer(value) || (i > 0 && json_integer_value(value) < 0))
			return -EBADMSG;
		numbers[i] = json_integer_value(value);
	}
	return 0;
}

static int get_piece(const json_t *list, struct manifest_piece *piece)
{
	int64_t n[5];
	if (get_numbers(list, n, 5) < 0)
		return -EBADMSG;
	int64_t place = n[0] < 0 ? -1 - n[0] : n[0];
	if (place >= MANIFEST_PACKS_MAX || n[1] > INT64_MAX - n[2] || n[3] > INT64_MAX - n[4] ||
		n[2] == 0)
		return -EBADMSG;
	*piece = (struct manifest_piece){(uint32_t)place + (n[0] < 0 ? MANIFEST_BORROWED : 0),
		(uint64_t)n[1], (uint64_t)n[2], (uint64_t)n[3], (uint64_t)n[4]};
	return 0;
}

static int get_seen(const json_t *list, struct manifest_seen *seen)
{
	int64_t n[4];
	if (!list)
		return 0;
	if (get_numbers(list, n, 4) < 0 || n[1] > 999999999)
		return -EBADMSG;
	*seen = (struct manifest_seen){n[0], (uint32_t)n[1], (uint64_t)n[2], (uint64_t)n[3]};
	return 0;
}

/* A file's pieces follow each other without a gap, up to its size. */
static int get_pieces(const json_t *list, struct manifest_entry *entry)
{
	size_t count = json_array_size(list);
	uint64_t from = 0;
	if (!json_is_array(list) || count == 0 || (count > 1 && entry->type != 'f'))
		return -EBADMSG;
	entry->pieces = fault_alloc(count * sizeof *entry->pieces);
	for (; entry->piece_count < count; entry->piece_count++) {
		struct manifest_piece *piece = &entry->pieces[entry->piece_count];
		if (get_piece(json_array_get(list, entry->piece_count), piece) < 0 ||
			piece->from != from)
			return -EBADMSG;
		from += piece->size;
	}
	return from == entry->size ? 0 : -EBADMSG;
}

static int get_mtime(const json_t *object, struct manifest_entry *entry)
{
	const json_t *list = json_object_get(object, "mtime");
	const json_t *s = json_array_get(list, 0), *ns = json_array_get(list, 1);
	if (!json_is_integer(s) || !json_is_integer(ns) || json_integer_value(ns) < 0 ||
		json_integer_value(ns) > 999999999)
		return -EBADMSG;
	entry->mtime_s = json_integer_value(s);
	entry->mtime_ns = (uint32_t)json_integer_value(ns);
	return 0;
}

static int fill_entry(struct manifest_entry *entry, const json_t *object)
{
	uint64_t mode, uid, gid;
	const char *type = json_string_value(json_object_get(object, "type"));
	if (!type || !type[0] || type[1] || !strchr(MANIFEST_TYPES, type[0]) ||
		get_integer(object, "mode", 0177777, &mode) < 0 ||
		get_integer(object, "uid", UINT32_MAX, &uid) < 0 ||
		get_integer(object, "gid", UINT32_MAX, &gid) < 0 || get_mtime(object, entry) < 0 ||
		get_seen(json_object_get(object, "seen"), &entry->seen) < 0)
		return -EBADMSG;
	entry->type = type[0];
	entry->mode = (uint32_t)mode;
	entry->uid = (uint32_t)uid;
	entry->gid = (uint32_t)gid;
	entry->changed = json_is_true(json_object_get(object, "changed"));
	entry->link = get_bytes(object, "link");
	if ((entry->link != NULL) != (entry->type == 'l' || entry->type == 'h'))
		return -EBADMSG;
	if (entry->type == 'f' &&
		(get_integer(object, "size", INT64_MAX, &entry->size) < 0 ||
			get_hash(object, entry->sha256) < 0))
		return -EBADMSG;
	return get_pieces(json_object_get(object, "at"), entry);
}

static int add_entry(struct manifest *manifest, const json_t *object, struct fault *fault)
{
	if (manifest->entry_count == manifest->entry_room) {
		manifest->entry_room = manifest->entry_room ? manifest->entry_room * 2 : 256;
		manifest->entries = fault_resize(
			manifest->entries, manifest->entry_room, sizeof *manifest->entries);
	}
	struct manifest_entry *entry = &manifest->entries[manifest->entry_count++];
	*entry = (struct manifest_entry){.path = get_bytes(object, "path")};
	if (!entry->path || !manifest_path_valid(entry->path))
		return bad(fault, "an entry has no path that it could have");
	if (fill_entry(entry, object) < 0)
		return fault_set(fault, -EBADMSG, NULL,
			"the manifest is not valid: the entry of \"%s\" is not whole", entry->path);
	return 0;
}

static int add_problem(struct manifest *manifest, const json_t *object, struct fault *fault)
{
	manifest->problems = fault_resize(
		manifest->problems, manifest->problem_count + 1, sizeof *manifest->problems);
	struct manifest_problem *problem = &manifest->problems[manifest->problem_count++];
	*problem = (struct manifest_problem){
		get_bytes(object, "path"), get_bytes(object, "problem"), get_bytes(object, "why")};
	return problem->path && problem->kind && problem->why
		? 0
		: bad(fault, "a problem is not whole");
}

static int get_pack(
	const json_t *object, const char *key, size_t number, struct manifest_pack *pack)
{
	uint64_t own;
	*pack = (struct manifest_pack){.number = (uint32_t)number};
	return get_integer(object, key, MANIFEST_PACKS_MAX - 1, &own) < 0 || own != number ||
			get_hash(object, pack->sha256) < 0 ||
			get_integer(object, "size", INT64_MAX, &pack->size) < 0 ||
			get_integer(object, "plain", INT64_MAX, &pack->plain) < 0
		? -EBADMSG
		: 0;
}

static void append_pack(
	struct manifest_pack **packs, size_t *count, size_t *room, struct manifest_pack pack)
{
	if (*count == *room) {
		*room = *room ? *room * 2 : 64;
		*packs = fault_resize(*packs, *room, sizeof **packs);
	}
	(*packs)[(*count)++] = pack;
}

static int add_pack(struct manifest *manifest, const json_t *object, struct fault *fault)
{
	struct manifest_pack pack;
	if (get_pack(object, "pack", manifest->pack_count, &pack) < 0)
		return bad(fault, "a pack is not whole");
	append_pack(&manifest->packs, &manifest->pack_count, &manifest->pack_room, pack);
	return 0;
}

/* What is borrowed can only be of another backup of the name. */
static int add_borrowed(struct manifest *manifest, const json_t *object, struct fault *fault)
{
	struct manifest_pack pack;
	uint64_t number;
	if (get_pack(object, "borrowed", manifest->borrowed_count, &pack) < 0 ||
		get_integer(object, "number", MANIFEST_PACKS_MAX - 1, &number) < 0)
		return bad(fault, "a borrowed pack is not whole");
	pack.number = (uint32_t)number;
	pack.of = get_bytes(object, "of");
	if (!pack.of || !manifest_id_valid(pack.of, manifest->name) ||
		strcmp(pack.of, manifest->id) == 0) {
		free(pack.of);
		return bad(fault, "a pack is borrowed from what is no other backup of the name");
	}
	append_pack(&manifest->borrowed, &manifest->borrowed_count, &manifest->borrowed_room, pack);
	return 0;
}

static int add_end(struct manifest *manifest, const json_t *object, struct fault *fault)
{
	uint64_t entries, packs;
	if (get_integer(object, "entries", INT64_MAX, &entries) < 0 ||
		get_integer(object, "packs", INT64_MAX, &packs) < 0 ||
		entries != manifest->entry_count || packs != manifest->pack_count)
		return bad(fault, "its end does not fit what was before");
	manifest->ended = true;
	return 0;
}

int manifest_add_line(struct manifest *manifest, const char *line, size_t size, struct fault *fault)
{
	json_error_t error;
	CLEANUP_JSON json_t *object = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(object))
		return bad(fault, "a line is no JSON object");
	if (manifest->ended)
		return bad(fault, "something follows its end");
	if (!manifest->id || json_object_get(object, "upkeep_backup"))
		return add_head(manifest, object, fault);
	if (json_object_get(object, "end"))
		return add_end(manifest, object, fault);
	if (json_object_get(object, "pack"))
		return add_pack(manifest, object, fault);
	if (json_object_get(object, "borrowed"))
		return add_borrowed(manifest, object, fault);
	if (json_object_get(object, "problem"))
		return add_problem(manifest, object, fault);
	return add_entry(manifest, object, fault);
}

static int check_entry(
	const struct manifest *manifest, const struct manifest_entry *entry, struct fault *fault)
{
	for (size_t i = 0; i < entry->piece_count; i++) {
		const struct manifest_piece *piece = &entry->pieces[i];
		const struct manifest_pack *pack = manifest_pack(manifest, piece->pack);
		if (!pack || piece->offset + piece->length > pack->plain)
			return fault_set(fault, -EBADMSG, NULL,
				"the manifest is not valid: \"%s\" lies outside of its pack",
				entry->path);
	}
	return 0;
}

int manifest_check(const struct manifest *manifest, struct fault *fault)
{
	int r = 0;
	if (!manifest->ended)
		return bad(fault, "it has no end");
	for (size_t i = 0; r == 0 && i < manifest->entry_count; i++)
		r = check_entry(manifest, &manifest->entries[i], fault);
	return r;
}

/* Lines are taken out of buffer[*used] as soon as they are whole. */
static int take_lines(struct manifest *manifest, char *buffer, size_t *used, struct fault *fault)
{
	char *line = buffer, *end;
	while ((end = memchr(line, '\n', *used - (size_t)(line - buffer)))) {
		int r = manifest_add_line(manifest, line, (size_t)(end - line), fault);
		if (r < 0)
			return r;
		line = end + 1;
	}
	*used -= (size_t)(line - buffer);
	memmove(buffer, line, *used);
	return 0;
}

static int read_lines(struct manifest *manifest, struct frame_reader *frame, struct fault *fault)
{
	size_t room = 256 * 1024, used = 0;
	char *buffer = fault_alloc(room);
	ssize_t n;
	int r = 0;
	while ((n = frame_read(frame, buffer + used, room - used)) > 0) {
		used += (size_t)n;
		r = take_lines(manifest, buffer, &used, fault);
		if (r == 0 && used == room && room >= MANIFEST_LINE_MAX)
			r = bad(fault, "a line is too long");
		if (r < 0)
			break;
		if (used == room)
			buffer = fault_resize(buffer, room *= 2, 1);
	}
	free(buffer);
	if (r == 0 && n < 0)
		return bad(fault, n == -EFBIG ? "it is too large" : "it cannot be decompressed");
	return r == 0 && used ? bad(fault, "its last line is cut") : r;
}

int manifest_read_lines(struct manifest *manifest, int fd, struct fault *fault)
{
	struct frame_reader *frame = NULL;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fault_set(fault, -errno, NULL, "cannot rewind the manifest: %m");
	int r = frame_open(&frame, fd, MANIFEST_BYTES_MAX, fault);
	if (r == 0)
		r = read_lines(manifest, frame, fault);
	frame_close(&frame);
	return r;
}

int manifest_read(struct manifest *manifest, int fd, struct fault *fault)
{
	int r = manifest_read_lines(manifest, fd, fault);
	return r < 0 ? r : manifest_check(manifest, fault);
}
