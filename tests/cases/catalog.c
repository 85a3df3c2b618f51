/* SPDX-License-Identifier: MIT */
#include "catalog.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

static const struct upkeep_param store_fields[] = {
	{.name = "name", .about = "its name", .type = UPKEEP_STRING, .flags = UPKEEP_REQUIRED},
	{.name = "path", .about = "directory", .type = UPKEEP_PATH},
	{.name = "password", .about = "of the store", .type = UPKEEP_SECRET},
};
static const struct upkeep_param settings[] = {
	{.name = "host", .about = "server", .type = UPKEEP_STRING, .flags = UPKEEP_NONEMPTY},
	{.name = "port", .about = "its port", .type = UPKEEP_INT, .min = 1, .max = 65535},
	{.name = "password", .about = "of the server", .type = UPKEEP_SECRET},
	{.name = "stores",
		.about = "where to",
		.type = UPKEEP_LIST | UPKEEP_GROUP,
		.fields = store_fields,
		.field_count = UPKEEP_COUNT(store_fields)},
};
static const struct upkeep_param dump_params[] = {
	{.name = "database",
		.about = "its name",
		.type = UPKEEP_STRING,
		.flags = UPKEEP_REQUIRED | UPKEEP_NONEMPTY},
	{.name = "jobs", .about = "parallel workers", .type = UPKEEP_INT, .min = 1, .max = 64},
	{.name = "format",
		.about = "of the dump",
		.type = UPKEEP_CHOICE,
		.choices = "plain|custom"},
	{.name = "rate", .about = "factor", .type = UPKEEP_FLOAT, .min = 1, .max = 2},
	{.name = "full", .about = "all of it", .type = UPKEEP_BOOL},
	{.name = "room", .about = "at most", .type = UPKEEP_SIZE, .min = 1024, .max = 1 << 20},
	{.name = "age", .about = "at most", .type = UPKEEP_DURATION, .min = 1000, .max = 3600000},
	{.name = "share", .about = "of the disk", .type = UPKEEP_PERCENT},
	{.name = "since", .about = "from when", .type = UPKEEP_TIME},
	{.name = "target", .about = "directory", .type = UPKEEP_PATH},
	{.name = "server", .about = "where", .type = UPKEEP_HOSTPORT},
	{.name = "url", .about = "where", .type = UPKEEP_URL},
	{.name = "password", .about = "of the user", .type = UPKEEP_SECRET},
	{.name = "tables",
		.about = "only these",
		.type = UPKEEP_LIST | UPKEEP_STRING,
		.flags = UPKEEP_NONEMPTY},
	{.name = "filter", .about = "program", .type = UPKEEP_PATH, .flags = UPKEEP_SEARCHED},
	{.name = "store",
		.about = "where to",
		.type = UPKEEP_GROUP,
		.fields = store_fields,
		.field_count = UPKEEP_COUNT(store_fields)},
};
static const struct upkeep_output dump_outputs[] = {
	{.name = "bytes", .about = "how many", .type = UPKEEP_SIZE},
	{.name = "rows", .about = "how many", .type = UPKEEP_INT},
};
static const struct action_description actions[] = {
	{.decl = {.name = "dump",
		 .about = "Dump a database",
		 .changes = UPKEEP_CHANGES_NONE,
		 .flags = UPKEEP_STREAM_OUT,
		 .params = dump_params,
		 .param_count = UPKEEP_COUNT(dump_params),
		 .outputs = dump_outputs,
		 .output_count = UPKEEP_COUNT(dump_outputs)}},
	{.decl = {.name = "load",
		 .about = "Load a dump",
		 .changes = UPKEEP_CHANGES_RECORDED,
		 .flags = UPKEEP_STREAM_IN | UPKEEP_STREAM_IN_NEEDED,
		 .params = dump_params,
		 .param_count = UPKEEP_COUNT(dump_params)},
		.has = ACTION_HAS_UNDO},
	{.decl = {.name = "check", .about = "Look at a database", .changes = UPKEEP_CHANGES_NONE}},
};
static const struct plugin_description demo = {.name = "demo",
	.version = "1.0",
	.about = "A demo",
	.abi_major = 1,
	.settings = settings,
	.setting_count = UPKEEP_COUNT(settings),
	.actions = actions,
	.action_count = UPKEEP_COUNT(actions)};

struct catalog {
	int unused;
};

struct catalog *fake_catalog(void)
{
	static struct catalog catalog;

	return &catalog;
}

int catalog_new(const struct catalog_options *options, struct catalog **ret, struct error *err)
{
	(void)options;
	(void)err;
	*ret = fake_catalog();
	return 0;
}

void catalog_free(struct catalog *catalog)
{
	(void)catalog;
}

int catalog_add_dir(struct catalog *catalog, const char *dir, struct error *err)
{
	(void)catalog;
	if (text_equal(dir, "/unsafe"))
		return error_set(
			err, -EPERM, "chmod go-w /unsafe", "%s can be written by others", dir);
	return 0;
}

int catalog_find(struct catalog *catalog, const char *name, const char **ret_path,
	const struct plugin_description **ret, struct error *err)
{
	(void)catalog;
	if (text_equal(name, "ancient"))
		return error_set(err, -EPROTO, "build it anew",
			"plugin \"ancient\" is of ABI 0.9, this upkeep has 1.0");
	if (!text_equal(name, "demo") && !text_equal(name, "spare"))
		return error_set(err, -ENOENT, "install it, or correct its name",
			"there is no plugin \"%s\"", name);
	*ret_path = "/plugins/demo.so";
	*ret = &demo;
	return 0;
}

const char *const *catalog_names(struct catalog *catalog)
{
	static const char *const names[] = {"ancient", "demo", "spare", NULL};

	(void)catalog;
	return names;
}
