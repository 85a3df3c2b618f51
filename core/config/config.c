/* SPDX-License-Identifier: MIT */
#include "config/loader.h"

#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct upkeep_param keys[] = {
	{.name = "state_dir", .type = UPKEEP_PATH},
	{.name = "jobs", .type = UPKEEP_INT, .min = 0, .max = 4096},
	{.name = "undo_keep", .type = UPKEEP_DURATION},
	{.name = "undo_space", .type = UPKEEP_SIZE},
	{.name = "graphs",
		.about = "write [ \"graphs/*.conf\" ]",
		.type = UPKEEP_LIST | UPKEEP_STRING},
	{.name = "plugins",
		.about = "write { NAME = { ... }; }",
		.type = UPKEEP_GROUP,
		.flags = KEY_REFS},
	{.name = "plugin_dirs",
		.about = "write a list of directories",
		.type = UPKEEP_LIST | UPKEEP_PATH},
	{.name = "locks", .about = "write a list of names", .type = UPKEEP_LIST | UPKEEP_STRING},
	{.name = "pools", .about = "write { NAME = 2; }", .type = UPKEEP_GROUP},
};
static const struct upkeep_param places_key = {.type = UPKEEP_INT, .min = 1, .max = 65535};

static uint32_t processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		return (uint32_t)CPU_COUNT(&set);
	return (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

static void load_scalars(struct loader *loader, const struct value *root)
{
	struct site *site = loader->site;
	size_t count = UPKEEP_COUNT(keys);

	site->state_dir = group_string(root, "state_dir", STATE_DIR);
	site->jobs = (uint32_t)group_number(keys, count, root, "jobs", 0);
	if (!site->jobs)
		site->jobs = processors();
	site->undo_keep_ms = group_number(keys, count, root, "undo_keep", 7ll * 24 * 3600 * 1000);
	site->undo_space_bytes = (uint64_t)group_number(keys, count, root, "undo_space", 2ll << 30);
}

static struct value *get(const struct value *root, const char *name, enum value_kind kind)
{
	for (uint32_t i = 0; i < root->group.count; i++) {
		struct value_member *member = &root->group.members[i];
		if (member->value.kind == kind && strcmp(member->name, name) == 0)
			return &member->value;
	}
	return NULL;
}

static void load_locks(struct loader *loader, const struct value *root)
{
	struct site *site = loader->site;
	const struct value *locks = get(root, "locks", VALUE_LIST);

	if (!locks)
		return;
	site->locks = key_names(loader, locks);
	for (uint32_t i = 0; i < site->locks.count; i++) {
		loader_name(loader, site->locks.at[i], "a lock", site->locks.items[i], false);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(site->locks.items[j], site->locks.items[i]) == 0)
				loader_error(loader, site->locks.at[i], "leave one out",
					"the lock \"%s\" is there twice", site->locks.items[i]);
	}
}

static void load_pools(struct loader *loader, const struct value *root)
{
	struct site *site = loader->site;
	const struct value *pools = get(root, "pools", VALUE_GROUP);

	if (!pools)
		return;
	site->pools = arena_array(&site->arena, pools->group.count, sizeof site->pools[0]);
	for (uint32_t i = 0; i < pools->group.count; i++) {
		const struct value_member *member = &pools->group.members[i];
		struct upkeep_param key = places_key;
		key.name = member->name;
		loader->key_noun = "pool";
		bool right = loader_name(loader, member->at, "a pool", member->name, false);
		right &= param_check(&key, &member->value, loader_report, loader) == 0;
		if (!right)
			continue;
		site->pools[site->pool_count].name = member->name;
		site->pools[site->pool_count++].places = (uint32_t)member->value.integer;
	}
	loader->key_noun = "key";
}

static void load_plugin_dirs(struct loader *loader, const struct value *root)
{
	const struct value *dirs = get(root, "plugin_dirs", VALUE_LIST);

	if (!dirs)
		return;
	loader->site->plugin_dirs = key_names(loader, dirs);
	for (uint32_t i = 0; loader->catalog && i < dirs->list.count; i++) {
		struct error CLEANUP_ERROR err = {0};
		const struct value *dir = &dirs->list.items[i];
		if (catalog_add_dir(loader->catalog, dir->string, &err) < 0)
			loader_error(loader, dir->at, err.next, "%s", error_what(&err));
	}
}

static void load_settings(struct loader *loader, struct value *root)
{
	loader->key_noun = "key";
	loader_keys(loader, keys, UPKEEP_COUNT(keys), root,
		(struct location){.file = 0, .line = 1, .column = 1});
	load_scalars(loader, root);
	load_locks(loader, root);
	load_pools(loader, root);
	load_plugin_dirs(loader, root);
	struct value *plugins = get(root, "plugins", VALUE_GROUP);
	if (plugins)
		instances_load(loader, plugins);
}

static bool is_known_file(const struct site *site, const char *path)
{
	for (uint32_t i = 0; i < site->file_count; i++)
		if (strcmp(site->files[i], path) == 0)
			return true;
	return false;
}

static void load_file(struct loader *loader, const char *path, struct graph_list *graphs)
{
	struct value root;

	if (is_known_file(loader->site, path))
		return;
	uint32_t file = reader_add_file(loader->site, path);
	loader->graph = DIAGNOSTIC_NO_GRAPH;
	loader->faulty = NULL;
	if (reader_load(loader, file, &root))
		graphs_load(loader, &root, graphs);
	loader->graph = NULL;
	loader->faulty = &loader->site->faulty;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Relative patterns begin at the site file's directory, whose own name is no pattern. */
static void load_pattern(
	struct loader *loader, const struct value *pattern, struct graph_list *graphs)
{
	struct site *site = loader->site;
	struct text CLEANUP_TEXT whole = {0};
	glob_t found = {0};

	if (pattern->string[0] != '/') {
		const char *dir = dirname(arena_string(&site->arena, site->path));
		for (; *dir; dir++) {
			if (strchr("*?[\\", *dir))
				text_addc(&whole, '\\');
			text_addc(&whole, *dir);
		}
		text_addc(&whole, '/');
	}
	text_adds(&whole, pattern->string);
	if (glob(text_string(&whole), GLOB_NOSORT, NULL, &found) != 0) {
		loader_error(loader, pattern->at, "make the file, or correct the pattern",
			"key \"graphs\": \"%s\" matches no file", pattern->string);
		return;
	}
	qsort(found.gl_pathv, found.gl_pathc, sizeof found.gl_pathv[0], compare_names);
	for (size_t i = 0; i < found.gl_pathc; i++)
		load_file(loader, found.gl_pathv[i], graphs);
	globfree(&found);
}

/* A graph that uses a faulty one is faulty. */
static void spread_faults(struct site *site)
{
	bool any = false;

	for (uint32_t i = 0; i < site->graph_count; i++)
		any |= site->graphs[i].faulty;
	for (uint32_t i = 0; any && i < site->graph_count; i++)
		for (uint32_t j = 0; !site->graphs[i].faulty && j < site->graph_count; j++)
			site->graphs[i].faulty = site->graphs[j].faulty &&
				graph_uses(site, &site->graphs[i], &site->graphs[j]);
}

static void load_graphs(struct loader *loader, const struct value *root)
{
	struct site *site = loader->site;
	struct graph_list graphs = {0};
	const struct value *patterns = get(root, "graphs", VALUE_LIST);

	for (uint32_t i = 0; patterns && i < patterns->list.count; i++)
		load_pattern(loader, &patterns->list.items[i], &graphs);
	site->graph_count = (uint32_t)graphs.list.count;
	site->graphs = arena_news(&site->arena, struct graph, graphs.list.count);
	if (graphs.list.items)
		memcpy(site->graphs, graphs.list.items, graphs.list.count * sizeof *site->graphs);
	vec_free(&graphs.list);
	map_free(&graphs.index);
	spread_faults(site);
}

static const char *absolute_path(struct arena *arena, const char *path)
{
	if (path[0] == '/')
		return arena_string(arena, path);
	char *cwd = getcwd(NULL, 0);
	const char *whole = arena_printf(arena, "%s/%s", cwd ? cwd : "", path);
	free(cwd);
	return whole;
}

int config_load(const struct config_options *options, struct catalog *catalog,
	struct site **ret_site, struct diagnostics *diagnostics, struct error *err)
{
	const char *path = options->path ? options->path : getenv("UPKEEP_SITE");
	struct value root;

	if (!path || !*path)
		path = SITE_DIR "/upkeep.conf";
	if (eaccess(path, R_OK) < 0)
		return error_set(err, -errno, "name it with --site FILE or $UPKEEP_SITE",
			"cannot read the site file %s: %m", path);
	struct site *site = base_alloc(sizeof *site);
	site->path = absolute_path(&site->arena, path);
	site->state_dir = STATE_DIR;
	site->jobs = 1;
	struct loader loader = {.site = site,
		.diagnostics = diagnostics,
		.catalog = catalog,
		.faulty = &site->faulty};
	reader_add_file(site, site->path);
	if (reader_load(&loader, 0, &root)) {
		load_settings(&loader, &root);
		load_graphs(&loader, &root);
	}
	if (options->state_dir)
		site->state_dir = arena_string(&site->arena, options->state_dir);
	map_free(&loader.users);
	map_free(&loader.groups);
	*ret_site = site;
	return 0;
}
