/* SPDX-License-Identifier: MIT */
/* PostgreSQL servers.  The tables; the work is elsewhere. */
#include "postgres/actions.h"
#include "postgres/settings.h"

static const struct upkeep_param settings_table[] = {
	UPKEEP_PARAM_STRING(struct settings, host,
		"name or address of the server, or the directory of its socket",
		.preset = "/run/postgresql", .flags = UPKEEP_NONEMPTY),
	UPKEEP_PARAM_INT(struct settings, port, "its port; of a socket too", .min = 1, .max = 65535,
		.preset = "5432"),
	UPKEEP_PARAM_STRING(struct settings, user,
		"who connects; the name of the task's user where empty", .preset = ""),
	UPKEEP_PARAM_SECRET(struct settings, password, "the user's password"),
	UPKEEP_PARAM_STRING(struct settings, database,
		"database to connect to for what concerns the whole server", .preset = "postgres",
		.flags = UPKEEP_NONEMPTY),
	UPKEEP_PARAM_CHOICE(struct settings, sslmode,
		"how much TLS is asked for; nothing is sent in clear text from require on",
		.choices = "disable|allow|prefer|require|verify-ca|verify-full",
		.preset = "prefer"),
	UPKEEP_PARAM_PATH(struct settings, sslrootcert,
		"file with the certificates that verify-ca and verify-full believe"),
	UPKEEP_PARAM_STRING(struct settings, container,
		"container that the server runs in: reached at its own address, with the programs "
		"inside it",
		.preset = ""),
	UPKEEP_PARAM_PATH(struct settings, engine, "the program that runs the container",
		.flags = UPKEEP_SEARCHED, .preset = "docker"),
	UPKEEP_PARAM_PATH(struct settings, programs,
		"directory of pg_dump and its like; the newest that is not older than the server "
		"where it is not set"),
	{.name = "connect_timeout",
		.about = "how long the server may take to answer",
		.type = UPKEEP_DURATION,
		.offset = UPKEEP_MEMBER(struct settings, connect_timeout_ms, int64_t),
		.min = 1,
		.max = 600000,
		.preset = "10s"},
};

#define DATABASES(s)                                                \
	UPKEEP_PARAM_STRINGS(s, databases,                          \
		"databases to go through; all but templates where " \
		"empty")

static const struct upkeep_param tables_params[] = {
	DATABASES(struct tables_args),
	UPKEEP_PARAM_INT(struct tables_args, top, "how many of each database", .min = 1,
		.max = 100000, .preset = "10"),
	UPKEEP_PARAM_CHOICE(struct tables_args, by, "what they are ordered by",
		.choices = "activity|size|dead|age", .preset = "activity"),
};
static const struct upkeep_output tables_outputs[] = {
	UPKEEP_OUT("tables", UPKEEP_INT, "tables listed"),
};

static const struct upkeep_action actions[] = {
	{.name = "tables",
		.about = "The busiest tables: sizes, rows, dead rows, last vacuum",
		.changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct tables_args, tables_params),
		UPKEEP_OUTPUTS(tables_outputs),
		.run = tables_run},
};

UPKEEP_PLUGIN(.name = "postgres", .version = "1.0",
	.about = "PostgreSQL servers: checks, dumps and restores, queries, upkeep of tables",
	UPKEEP_SETTINGS(struct settings, settings_table), UPKEEP_ACTIONS(actions));
