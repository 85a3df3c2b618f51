/*
 * What the parts of config share: where errors go, and how a group of the core's
 * own keys is checked against a table.
 */
#ifndef UPKEEP_CONFIG_LOADER_H
#define UPKEEP_CONFIG_LOADER_H

#include "config/config.h"

struct loader {
	struct site *site;
	struct diagnostics *diagnostics;
	struct catalog *catalog; /* NULL: no plugins */
	const char *graph;       /* where errors lie; NULL: in the settings */
	bool *faulty;            /* set by every error; may be NULL */
	const char *noun, *name; /* "task", "dump": put before messages; NULL: nothing */
	const char *key_noun;    /* "key", "parameter", "setting": before names of keys */
	struct map users;        /* names of users already looked up: 1 known, 0 not */
	struct map groups;
};

/* NOUN "NAME": WHAT; NEXT */
void loader_error(struct loader *loader, struct location at, const char *next, const char *format,
	...) __attribute__((format(printf, 4, 5)));
void loader_warn(struct loader *loader, struct location at, const char *next, const char *format,
	...) __attribute__((format(printf, 4, 5)));
/* The same for a plugin that is missing or refused. */
void loader_plugin_error(struct loader *loader, struct location at, const char *next,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A value_report; data is the loader. */
void loader_report(void *data, struct location at, const char *what, const char *next);

/* "FILE:LINE:COLUMN", in the arena. */
const char *loader_place(struct loader *loader, struct location at);

/* Checks `name` against [a-z][a-z0-9-]* (with `underscores`, also _). */
bool loader_name(struct loader *loader, struct location at, const char *what, const char *name,
	bool underscores);

/*
 * Tables of core keys.  A key is checked by its upkeep_param (type, bounds,
 * choices) and then read by the functions below, which give `otherwise` where it
 * is missing or was refused.
 */
#define KEY_REFS 0x10000u /* flag: ${...} may stand in it */

/* Checks one member; a string where a list of strings is meant becomes a list of one. */
bool loader_key(struct loader *loader, const struct upkeep_param *key, struct value_member *member);
/* Checks a group against its table: unknown names, missing ones, and each member.  A
 * refused member's value becomes VALUE_NONE. */
void loader_keys(struct loader *loader, const struct upkeep_param *keys, size_t count,
	struct value *group, struct location at);
/* Tells where in `value` a ${...} stands that must not be there. */
void loader_refuse_refs(struct loader *loader, const char *what, const struct value *value);
/* Of a value that loader_key has passed. */
int64_t key_number(const struct upkeep_param *key, const struct value *value);
uint8_t key_choice(const struct upkeep_param *key, const struct value *value);
struct name_list key_names(struct loader *loader, const struct value *value);
/* Of a member of a group that loader_keys has passed. */
int64_t group_number(const struct upkeep_param *keys, size_t count, const struct value *group,
	const char *name, int64_t otherwise);
uint8_t group_choice(const struct upkeep_param *keys, size_t count, const struct value *group,
	const char *name, uint8_t otherwise);
const char *group_string(const struct value *group, const char *name, const char *otherwise);

/* Secrets of a group of arguments or settings: files and their modes; `has_undo`: those
 * that are gone at boot are warned of. */
void secrets_check(struct loader *loader, const struct upkeep_param *params, size_t count,
	const struct value *group, bool has_undo);

/* reader.c: opens, checks the mode, scans and parses one file. `ret` is its root group.
 * False where it could not be: the errors were reported. */
bool reader_load(struct loader *loader, uint32_t file, struct value *ret);
/* Adds a path to site.files; returns its index. */
uint32_t reader_add_file(struct site *site, const char *path);
/* Writable by others, or owned by neither root nor the caller: the reason, or NULL. */
struct stat;
const char *reader_unsafe(const struct stat *st);

/* instances.c */
void instances_load(struct loader *loader, struct value *plugins);
/* "instance.action" → both; false and an error where there is no such thing. */
bool instances_action(struct loader *loader, const struct value *name,
	const struct instance **ret_instance, const struct action_description **ret_action);

/* graphs.c: the graphs of one file, appended. */
struct graph_list {
	VEC(struct graph) list;
	struct map index;
};
void graphs_load(struct loader *loader, struct value *root, struct graph_list *graphs);

/* params.c: the params of a graph. */
void params_load(struct loader *loader, struct value *params, struct graph *graph);

/* tasks.c: all tasks of a graph. */
void tasks_load(struct loader *loader, struct value *tasks, struct graph *graph);

/* options.c: one core key beyond action, after, from, task.  False where it is none. */
bool options_is_key(const char *name);
void options_set(struct loader *loader, struct value_member *member, struct task_options *options);

#endif
