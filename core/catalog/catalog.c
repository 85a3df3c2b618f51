/* SPDX-License-Identifier: MIT */
#include "catalog/catalog.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/vec.h"
#include "catalog/cache.h"
#include "catalog/probe.h"
#include "model/describe_bytes.h"
#include "model/nearest.h"

#include <fcntl.h>
#include <string.h>

#define DESCRIBE_MS 10000

struct entry {
	const char *name, *path;
	struct plugin_description description;
	int result; /* 0, or why it was refused */
	struct error err;
};

struct catalog {
	struct arena arena;
	VEC(const char *) dirs;
	VEC(struct entry *) entries;
	const char **names;
	size_t name_count;
	const char *cache_dir, *program;
	int64_t describe_ms;
};

static void add_dirs(struct catalog *catalog, const char *paths)
{
	while (*paths) {
		size_t size = strcspn(paths, ":");
		if (size)
			vec_push(&catalog->dirs, arena_copy(&catalog->arena, paths, size));
		paths += size + (paths[size] == ':');
	}
}

int catalog_new(const struct catalog_options *options, struct catalog **ret, struct error *err)
{
	struct catalog *catalog = base_alloc(sizeof *catalog);
	const char *instead = secure_getenv("UPKEEP_PLUGIN_DIR");

	catalog->cache_dir = arena_string(&catalog->arena, options->cache_dir);
	catalog->program = arena_string(&catalog->arena, options->program);
	catalog->describe_ms = options->describe_ms ? options->describe_ms : DESCRIBE_MS;
	add_dirs(catalog, instead && *instead ? instead : PLUGIN_DIR);
	for (size_t i = 0; i < options->dir_count; i++) {
		int r = catalog_add_dir(catalog, options->dirs[i], err);
		if (r < 0) {
			catalog_free(catalog);
			return r;
		}
	}
	*ret = catalog;
	return 0;
}

void catalog_free(struct catalog *catalog)
{
	if (!catalog)
		return;
	vec_each(&catalog->entries, entry)
		error_clear(&(*entry)->err);
	vec_free(&catalog->entries);
	vec_free(&catalog->dirs);
	arena_free(&catalog->arena);
	free(catalog);
}

int catalog_add_dir(struct catalog *catalog, const char *dir, struct error *err)
{
	if (dir[0] != '/')
		return error_set(err, -EINVAL, NULL,
			"directory of plugins \"%s\" is not an absolute path", dir);
	if (!file_is_safe_dir(dir, err)) {
		error_prefix(err, "directory of plugins");
		return -EPERM;
	}
	vec_push(&catalog->dirs, arena_string(&catalog->arena, dir));
	catalog->names = NULL;
	return 0;
}

/* ---- names ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has_name(const struct catalog *catalog, const char *name, size_t size)
{
	for (size_t i = 0; i < catalog->name_count; i++)
		if (strlen(catalog->names[i]) == size && memcmp(catalog->names[i], name, size) == 0)
			return true;
	return false;
}

static void list_dir(struct catalog *catalog, const char *path)
{
	CLEANUP_DIR DIR *dir = opendir(path);

	for (struct dirent *e; dir && (e = readdir(dir));) {
		size_t size = strlen(e->d_name);
		if (size <= 3 || e->d_name[0] == '.' || !text_ends(e->d_name, ".so") ||
			has_name(catalog, e->d_name, size - 3))
			continue;
		const char **names =
			arena_array(&catalog->arena, catalog->name_count + 2, sizeof names[0]);
		if (catalog->name_count)
			memcpy(names, catalog->names, catalog->name_count * sizeof names[0]);
		names[catalog->name_count++] = arena_copy(&catalog->arena, e->d_name, size - 3);
		catalog->names = names;
	}
}

const char *const *catalog_names(struct catalog *catalog)
{
	if (catalog->names)
		return catalog->names;
	catalog->name_count = 0;
	vec_each(&catalog->dirs, dir)
		list_dir(catalog, *dir);
	if (!catalog->names)
		catalog->names = arena_array(&catalog->arena, 1, sizeof catalog->names[0]);
	qsort(catalog->names, catalog->name_count, sizeof catalog->names[0], compare_names);
	return catalog->names;
}

/* ---- one plugin ---- */

static int refuse_missing(struct catalog *catalog, const char *name, struct error *err)
{
	struct nearest nearest = nearest_start(name);
	CLEANUP_TEXT struct text where = {0};
	char question[128];

	for (const char *const *known = catalog_names(catalog); *known; known++)
		nearest_try(&nearest, *known);
	vec_each(&catalog->dirs, dir)
		text_addf(&where, "%s%s", where.size ? ", " : "", *dir);
	const char *next = nearest_question(&nearest, question, sizeof question);
	return error_set(err, -ENOENT, next ? next : "install it, or correct its name",
		"plugin \"%s\" is not installed: there is no %s.so in %s", name, name,
		text_string(&where));
}

/* Whoever can write the file decides what runs here. */
static int check_file(const char *path, const struct stat *st, struct error *err)
{
	if (!S_ISREG(st->st_mode))
		return error_set(err, -EPROTO, NULL, "plugin %s is not a regular file", path);
	if ((st->st_uid != 0 && st->st_uid != geteuid()) || st->st_mode & 022)
		return error_set(err, -EPROTO, "chown it to root and chmod go-w it",
			"plugin %s can be changed by others (owner %u, mode %04o)", path,
			(unsigned)st->st_uid, (unsigned)st->st_mode & 07777);
	/* Workers open it as the users of their tasks. */
	if (geteuid() == 0 && !(st->st_mode & 0004))
		return error_set(err, -EPROTO, "chmod a+r it",
			"plugin %s cannot be read by the users "
			"that run it (mode %04o)",
			path, (unsigned)st->st_mode & 07777);
	return 0;
}

static int describe(struct catalog *catalog, int fd, struct entry *entry, const struct stat *st)
{
	CLEANUP_TEXT struct text answer = {0};

	if (catalog->cache_dir &&
		cache_read(catalog->cache_dir, entry->name, st, &catalog->arena,
			&entry->description) == 0)
		return 0;
	int r = probe_plugin(catalog->program, fd, entry->name, entry->path, catalog->describe_ms,
		&answer, &entry->err);
	if (r < 0)
		return r;
	r = description_read(text_string(&answer), answer.size, &catalog->arena,
		&entry->description, &entry->err);
	if (r == 0 && catalog->cache_dir)
		cache_write(catalog->cache_dir, entry->name, st, &answer);
	return r == -EBADMSG ? -EPROTO : r;
}

static int open_plugin(struct catalog *catalog, const char *name, const char **ret_path)
{
	vec_each(&catalog->dirs, dir) {
		const char *path = arena_printf(&catalog->arena, "%s/%s.so", *dir, name);
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd >= 0) {
			*ret_path = path;
			return fd;
		}
	}
	return -ENOENT;
}

static struct entry *make_entry(struct catalog *catalog, const char *name)
{
	const char *path;
	struct stat st;
	CLEANUP_FD int fd = open_plugin(catalog, name, &path);

	if (fd < 0)
		return NULL;
	struct entry *entry = arena_alloc(&catalog->arena, sizeof *entry);
	entry->name = arena_string(&catalog->arena, name);
	entry->path = path;
	entry->result = fstat(fd, &st) < 0 ? -errno : check_file(path, &st, &entry->err);
	CLEANUP_FREE char *dir = strndup(path, strlen(path) - strlen(name) - 4);
	if (entry->result == 0 && dir && !file_is_safe_dir(dir, &entry->err))
		entry->result = -EPROTO;
	if (entry->result == 0)
		entry->result = describe(catalog, fd, entry, &st);
	vec_push(&catalog->entries, entry);
	return entry;
}

int catalog_find(struct catalog *catalog, const char *name, const char **ret_path,
	const struct plugin_description **ret, struct error *err)
{
	struct entry *entry = NULL;

	vec_each(&catalog->entries, known)
		if (strcmp((*known)->name, name) == 0)
			entry = *known;
	if (!entry && !strchr(name, '/'))
		entry = make_entry(catalog, name);
	if (!entry)
		return refuse_missing(catalog, name, err);
	if (entry->result < 0)
		return error_set(
			err, entry->result, entry->err.next, "%s", error_what(&entry->err));
	if (ret_path)
		*ret_path = entry->path;
	if (ret)
		*ret = &entry->description;
	return 0;
}
