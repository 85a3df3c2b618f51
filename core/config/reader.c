/* SPDX-License-Identifier: MIT */
#include "config/lint.h"
#include "config/loader.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <locale.h>
#include <malloc.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES (256u << 20)
/* What a larger file left in the heap is given back: the plan comes next. */
#define TRIM_BYTES (256u << 10)

/* A walk over libconfig's tree from its end to its beginning; places come from lint, last ones
 * first.  What has been read is given back at once: it lies at the end of the heap, which
 * shrinks while our own tree grows. */
struct reader {
	struct arena *arena;
	uint32_t file;
	const struct lint *lint;
	size_t places_left;
	/* Names and words that come again and again are copied once: where each was last
	 * seen, by length and letters.  A tenth less memory in large graphs. */
	const char *seen[256];
};

uint32_t reader_add_file(struct site *site, const char *path)
{
	uint32_t count = site->file_count;

	/* Grown in the arena: there are few files. */
	const char **files = arena_news(&site->arena, const char *, count + 1);
	if (count)
		memcpy(files, site->files, count * sizeof *files);
	files[count] = arena_string(&site->arena, path);
	site->files = files;
	site->file_count = count + 1;
	return count;
}

const char *reader_unsafe(const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return "belongs to neither root nor you";
	if (st->st_mode & S_IWOTH)
		return "can be written by everybody";
	if (st->st_mode & S_IWGRP)
		return "can be written by its group";
	return NULL;
}

static struct location last_place(struct reader *reader)
{
	if (!reader->places_left)
		return (struct location){.file = reader->file};
	struct lint_place place = reader->lint->places.items[--reader->places_left];
	return (struct location){.file = reader->file, .line = place.line, .column = place.column};
}

static const char *copy_string(struct reader *reader, const char *string)
{
	size_t n = strlen(string);
	unsigned char last = n ? (unsigned char)string[n - 1] : 0;
	const char **seen = &reader->seen[(n * 31 + (unsigned char)string[0] * 7 + last) % 256];

	if (!*seen || strcmp(*seen, string) != 0)
		*seen = arena_copy(reader->arena, string, n);
	return *seen;
}

static struct value convert(struct reader *reader, config_setting_t *setting);

static void convert_list(struct reader *reader, config_setting_t *setting, struct value *ret)
{
	uint32_t count = (uint32_t)config_setting_length(setting);

	ret->kind = VALUE_LIST;
	ret->list.items = arena_news(reader->arena, struct value, count);
	ret->list.count = count;
	for (uint32_t i = count; i-- > 0;) {
		ret->list.items[i] = convert(reader, config_setting_get_elem(setting, i));
		ret->has_refs |= ret->list.items[i].has_refs;
		config_setting_remove_elem(setting, i);
	}
}

static void convert_members(struct reader *reader, config_setting_t *setting, struct value *ret)
{
	uint32_t count = (uint32_t)config_setting_length(setting);

	ret->kind = VALUE_GROUP;
	ret->group.members = arena_news(reader->arena, struct value_member, count);
	ret->group.count = count;
	for (uint32_t i = count; i-- > 0;) {
		config_setting_t *child = config_setting_get_elem(setting, i);
		struct value_member *member = &ret->group.members[i];
		member->value = convert(reader, child);
		member->name = copy_string(reader, config_setting_name(child));
		member->at = last_place(reader);
		ret->has_refs |= member->value.has_refs;
		config_setting_remove_elem(setting, i);
	}
}

static void convert_string(struct reader *reader, config_setting_t *setting, struct value *ret)
{
	const char *string = config_setting_get_string(setting);

	ret->kind = VALUE_STRING;
	ret->string = copy_string(reader, string ? string : "");
	const char *dollar = strchr(ret->string, '$');
	ret->has_refs = dollar && strstr(dollar, "${");
}

static struct value convert(struct reader *reader, config_setting_t *setting)
{
	struct value value = {0};

	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_GROUP:
		convert_members(reader, setting, &value);
		break;
	case CONFIG_TYPE_ARRAY:
	case CONFIG_TYPE_LIST:
		convert_list(reader, setting, &value);
		break;
	case CONFIG_TYPE_STRING:
		convert_string(reader, setting, &value);
		break;
	case CONFIG_TYPE_FLOAT:
		value.kind = VALUE_FLOAT;
		value.real = config_setting_get_float(setting);
		break;
	case CONFIG_TYPE_BOOL:
		value.kind = VALUE_BOOL;
		value.truth = config_setting_get_bool(setting);
		break;
	default:
		value.kind = VALUE_INT;
		value.integer = config_setting_get_int64(setting);
		break;
	}
	value.at = last_place(reader);
	return value;
}

/* Told of what lint finds. */
struct lint_listener {
	struct loader *loader;
	uint32_t file;
};

static void report_lint(void *data, struct lint_place at, const char *what, const char *next)
{
	struct lint_listener *listener = data;
	struct location location = {.file = listener->file, .line = at.line, .column = at.column};

	loader_error(listener->loader, location, next, "%s", what);
}

/* libconfig says "duplicate setting name" and the line of the second; lint knows both. */
static void explain_parse_error(struct loader *loader, const config_t *config, const char *text,
	size_t size, struct lint_listener *listener)
{
	if (lint_duplicates(text, size, report_lint, listener))
		return;
	struct location at = {
		.file = listener->file, .line = (uint32_t)config_error_line(config), .column = 1};
	loader_error(loader, at, NULL, "libconfig: %s", config_error_text(config));
}

/* libconfig reads floats in the current locale; from a string it would copy all of it. */
static int parse(config_t *config, char *text, size_t size)
{
	/* It refuses a comment in a last line without an end. */
	text[size] = '\n';
	FILE CLEANUP_FILE *file = fmemopen(text, size + 1, "r");
	locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	locale_t before = uselocale(plain);
	int passed = file ? config_read(config, file) : CONFIG_FALSE;
	text[size] = 0;

	uselocale(before);
	freelocale(plain);
	return passed;
}

static void convert_root(struct loader *loader, uint32_t file, const struct lint *lint,
	config_t *config, struct value *ret)
{
	struct reader reader = {.arena = &loader->site->arena,
		.file = file,
		.lint = lint,
		.places_left = lint->places.count};

	*ret = (struct value){.at = {.file = file}};
	convert_members(&reader, config_root_setting(config), ret);
}

/* Frees the text as soon as it is not needed. */
static bool read_text(
	struct loader *loader, uint32_t file, char *text, size_t size, struct value *ret)
{
	struct lint_listener listener = {.loader = loader, .file = file};
	struct lint lint;
	config_t config;

	lint_text(text, size, report_lint, &listener, &lint);
	bool passed = lint.faults == 0;
	if (passed) {
		config_init(&config);
		passed = parse(&config, text, size);
		if (!passed)
			explain_parse_error(loader, &config, text, size, &listener);
		free(TAKE_PTR(text));
		if (passed)
			convert_root(loader, file, &lint, &config, ret);
		config_destroy(&config);
	}
	free(text);
	lint_free(&lint);
	if (size > TRIM_BYTES)
		malloc_trim(0);
	return passed;
}

/* Opens a regular file that nobody else can write. */
static int open_safe(struct loader *loader, const char *path)
{
	struct stat st;
	int CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0) {
		loader_error(loader, (struct location){0}, NULL, "cannot open %s: %m", path);
		return -1;
	}
	const char *reason = reader_unsafe(&st);
	if (!S_ISREG(st.st_mode)) {
		loader_error(loader, (struct location){0}, NULL, "%s is not a regular file", path);
		return -1;
	}
	if (reason) {
		loader_error(loader, (struct location){0}, "chown it, or chmod go-w", "%s %s", path,
			reason);
		return -1;
	}
	return TAKE_FD(fd);
}

static char *load_fd(struct loader *loader, int fd, const char *path, size_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size > FILE_MAX_BYTES) {
		loader_error(loader, (struct location){0}, "split it", "%s is larger than %u MiB",
			path, FILE_MAX_BYTES >> 20);
		return NULL;
	}
	char *text = base_alloc((size_t)st.st_size + 2);
	ssize_t n = file_read(fd, text, (size_t)st.st_size);
	if (n < 0) {
		loader_error(loader, (struct location){0}, NULL, "cannot read %s: %m", path);
		free(text);
		return NULL;
	}
	*ret_size = (size_t)n;
	return text;
}

bool reader_load(struct loader *loader, uint32_t file, struct value *ret)
{
	const char *path = loader->site->files[file];
	int CLEANUP_FD fd = open_safe(loader, path);
	size_t size;

	if (fd < 0)
		return false;
	char *text = load_fd(loader, fd, path, &size);
	return text && read_text(loader, file, text, size, ret);
}
