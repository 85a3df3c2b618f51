/* SPDX-License-Identifier: MIT */
#include "config/loader.h"

#include "model/nearest.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

static const struct upkeep_param retry_keys[] = {
	{.name = "attempts",
		.about = "add attempts = 3",
		.type = UPKEEP_INT,
		.flags = UPKEEP_REQUIRED,
		.min = 1,
		.max = 1000},
	{.name = "delay", .type = UPKEEP_DURATION},
	{.name = "backoff", .type = UPKEEP_FLOAT, .min = 1, .max = 100},
	{.name = "max_delay", .type = UPKEEP_DURATION},
};
static const struct upkeep_param limit_keys[] = {
	{.name = "memory", .type = UPKEEP_SIZE, .min = 1 << 20},
	{.name = "processes", .type = UPKEEP_INT, .min = 1, .max = 4194304},
	{.name = "files", .type = UPKEEP_INT, .min = 8, .max = 1 << 30},
	{.name = "file_size", .type = UPKEEP_SIZE, .min = 1},
	{.name = "cpu_time", .type = UPKEEP_DURATION, .min = 1000},
};

/* In the order of the table below. */
enum option {
	OPTION_ABOUT,
	OPTION_RUN_IF,
	OPTION_WHEN,
	OPTION_EACH,
	OPTION_RETRY,
	OPTION_TIMEOUT,
	OPTION_KILL_AFTER,
	OPTION_STALL,
	OPTION_IGNORE_FAILURE,
	OPTION_LOCK,
	OPTION_POOL,
	OPTION_RUN_AS,
	OPTION_RUN_AS_GROUP,
	OPTION_UMASK,
	OPTION_ENV,
	OPTION_CWD,
	OPTION_NICE,
	OPTION_LIMITS,
	OPTION_ROLLBACK,
	OPTION_PIVOT,
	OPTION_CONFIRM_WITHIN,
	OPTION_LEAVES_RUNNING,
	OPTION_LOG_MAX,
	OPTION_COUNT,
};
/* Type 0: checked by its own function. */
static const struct upkeep_param keys[] = {
	[OPTION_ABOUT] = {.name = "about", .type = UPKEEP_STRING, .flags = KEY_REFS},
	[OPTION_RUN_IF] = {.name = "run_if",
		.type = UPKEEP_CHOICE,
		.choices = "success|failure|done"},
	[OPTION_WHEN] = {.name = "when",
		.about = "write a condition such as \"${param.x} == 1\"",
		.type = UPKEEP_STRING,
		.flags = KEY_REFS | UPKEEP_NONEMPTY},
	[OPTION_EACH] = {.name = "each", .flags = KEY_REFS},
	[OPTION_RETRY] = {.name = "retry",
		.about = "write { attempts = 3; delay = \"10s\"; }",
		.type = UPKEEP_GROUP},
	[OPTION_TIMEOUT] = {.name = "timeout", .type = UPKEEP_DURATION, .min = 1},
	[OPTION_KILL_AFTER] = {.name = "kill_after", .type = UPKEEP_DURATION},
	[OPTION_STALL] = {.name = "stall", .type = UPKEEP_DURATION, .min = 1},
	[OPTION_IGNORE_FAILURE] = {.name = "ignore_failure", .type = UPKEEP_BOOL},
	[OPTION_LOCK] = {.name = "lock",
		.about = "write the name of a lock, or a list of names",
		.type = UPKEEP_LIST | UPKEEP_STRING},
	[OPTION_POOL] = {.name = "pool",
		.about = "write the name of a pool, or a list of names",
		.type = UPKEEP_LIST | UPKEEP_STRING},
	[OPTION_RUN_AS] = {.name = "run_as",
		.about = "write the name of a user",
		.type = UPKEEP_STRING,
		.flags = UPKEEP_NONEMPTY},
	[OPTION_RUN_AS_GROUP] = {.name = "run_as_group",
		.about = "write the name of a group",
		.type = UPKEEP_STRING,
		.flags = UPKEEP_NONEMPTY},
	[OPTION_UMASK] = {.name = "umask"},
	[OPTION_ENV] = {.name = "env",
		.about = "write { NAME = \"value\"; }",
		.type = UPKEEP_GROUP,
		.flags = KEY_REFS},
	[OPTION_CWD] = {.name = "cwd", .type = UPKEEP_PATH, .flags = KEY_REFS},
	[OPTION_NICE] = {.name = "nice", .type = UPKEEP_INT, .min = -20, .max = 19},
	[OPTION_LIMITS] = {.name = "limits",
		.about = "write { memory = \"1GiB\"; }",
		.type = UPKEEP_GROUP},
	[OPTION_ROLLBACK] = {.name = "rollback",
		.about = "write { action = \"...\"; }",
		.type = UPKEEP_GROUP,
		.flags = KEY_REFS},
	[OPTION_PIVOT] = {.name = "pivot", .type = UPKEEP_BOOL},
	[OPTION_CONFIRM_WITHIN] = {.name = "confirm_within", .type = UPKEEP_DURATION, .min = 1000},
	[OPTION_LEAVES_RUNNING] = {.name = "leaves_running", .type = UPKEEP_BOOL},
	[OPTION_LOG_MAX] = {.name = "log_max", .type = UPKEEP_SIZE, .min = 4096},
};

static enum option find(const char *name)
{
	enum option option = 0;

	while (option < OPTION_COUNT &&
		(keys[option].name[0] != name[0] || strcmp(keys[option].name, name) != 0))
		option++;
	return option;
}

bool options_is_key(const char *name)
{
	return find(name) != OPTION_COUNT;
}

/* The members of `inner` are checked as "retry.delay" would be, but for their prefix. */
static void check_inner(struct loader *loader, const char *outer, const struct upkeep_param *table,
	size_t count, struct value *group)
{
	const char *before = loader->key_noun;

	loader->key_noun = arena_printf(&loader->site->arena, "%s: key", outer);
	loader_keys(loader, table, count, group, group->at);
	loader->key_noun = before;
}

/* What `group` leaves out stays as it is in `retry`. */
static void set_retry(
	struct loader *loader, const char *outer, struct value *group, struct retry *retry)
{
	size_t count = UPKEEP_COUNT(retry_keys);

	check_inner(loader, outer, retry_keys, count, group);
	const struct value *backoff = value_get(group, "backoff");
	union scalar factor = {.real = retry->backoff};
	if (backoff && backoff->kind != VALUE_NONE)
		scalar_parse(UPKEEP_FLOAT, backoff, &factor, NULL);
	retry->backoff = factor.real;
	retry->attempts =
		(uint32_t)group_number(retry_keys, count, group, "attempts", retry->attempts);
	retry->delay_ms = group_number(retry_keys, count, group, "delay", retry->delay_ms);
	retry->max_delay_ms =
		group_number(retry_keys, count, group, "max_delay", retry->max_delay_ms);
	if (retry->max_delay_ms < retry->delay_ms)
		retry->max_delay_ms = retry->delay_ms;
}

static void set_limits(struct loader *loader, struct value *group, struct limits *limits)
{
	size_t count = UPKEEP_COUNT(limit_keys);

	check_inner(loader, "limits", limit_keys, count, group);
	*limits = (struct limits){
		.memory_bytes = (uint64_t)group_number(limit_keys, count, group, "memory", 0),
		.processes = (uint64_t)group_number(limit_keys, count, group, "processes", 0),
		.files = (uint64_t)group_number(limit_keys, count, group, "files", 0),
		.file_size_bytes = (uint64_t)group_number(limit_keys, count, group, "file_size", 0),
		.cpu_time_ms = group_number(limit_keys, count, group, "cpu_time", 0),
	};
}

static void set_each(struct loader *loader, const struct value *value, struct value *each)
{
	bool plain = value->kind == VALUE_STRING || value->kind == VALUE_LIST;

	for (uint32_t i = 0; value->kind == VALUE_LIST && i < value->list.count; i++) {
		uint8_t kind = value->list.items[i].kind;
		plain = plain && kind != VALUE_LIST && kind != VALUE_GROUP;
	}
	bool reference = value->kind == VALUE_STRING && value->has_refs;
	bool absolute = value->kind != VALUE_STRING || reference || value->string[0] == '/';
	if (!plain)
		loader_error(loader, value->at, NULL,
			"key \"each\" must be a list of plain values, \"${param.NAME}\", or a "
			"pattern of "
			"absolute paths");
	else if (!absolute)
		loader_error(loader, value->at, "begin it with /, or write a list [ ... ]",
			"key \"each\": the pattern \"%s\" is not absolute", value->string);
	else
		*each = *value;
}

static void set_umask(
	struct loader *loader, const struct value *value, struct task_options *options)
{
	const char *digits = value->kind == VALUE_STRING ? value->string : "";
	size_t n = strspn(digits, "01234567");

	if (n < 3 || n > 4 || digits[n] || strtoul(digits, NULL, 8) > 0777) {
		loader_error(loader, value->at, "write \"0027\", with the quotes",
			"key \"umask\" must be three or four octal digits in quotes");
		return;
	}
	options->has_umask = true;
	options->umask = (mode_t)strtoul(digits, NULL, 8);
}

/* A variable "secret:NAME" is checked like a parameter that is a secret. */
static void check_env_secret(struct loader *loader, const struct value_member *variable)
{
	const struct upkeep_param param = {.name = variable->name, .type = UPKEEP_SECRET};
	struct value_member member = *variable;
	const struct value group = {.kind = VALUE_GROUP, .group = {&member, 1}};
	CLEANUP_ERROR struct error err = {0};
	const char *noun = loader->key_noun;
	union scalar scalar;

	member.value.string += strlen("secret:");
	if (variable->value.has_refs)
		loader_error(loader, variable->value.at,
			"write file:, env:, credential: or command:",
			"env: \"%s\" names a secret and takes no ${...}", variable->name);
	else if (scalar_parse(UPKEEP_SECRET, &member.value, &scalar, &err) < 0)
		loader_error(loader, variable->value.at, err.next, "env: \"%s\" %s", variable->name,
			error_what(&err));
	loader->key_noun = "variable";
	secrets_check(loader, &param, 1, &group, false);
	loader->key_noun = noun;
}

static void set_env(struct loader *loader, const struct value *group, struct task_options *options)
{
	for (uint32_t i = 0; i < group->group.count; i++) {
		const struct value_member *member = &group->group.members[i];
		if (strpbrk(member->name, "-*"))
			loader_error(loader, member->at, "use letters, digits and _",
				"env: \"%s\" cannot be the name of a variable", member->name);
		if (member->value.kind != VALUE_STRING)
			loader_error(loader, member->value.at, "put it in quotes",
				"env: \"%s\" must be a string", member->name);
		else if (text_starts(member->value.string, "secret:"))
			check_env_secret(loader, member);
	}
	options->env = *group;
}

static const char *set_user(struct loader *loader, const struct value *value)
{
	if (map_get(&loader->users, value->string) == MAP_NONE) {
		errno = 0;
		bool known =
			getpwnam(value->string) || (errno && errno != ENOENT && errno != ESRCH);
		map_put(&loader->users, value->string, known);
	}
	if (!map_get(&loader->users, value->string))
		loader_error(loader, value->at, "getent passwd lists them",
			"there is no user \"%s\"", value->string);
	return value->string;
}

static const char *set_group(struct loader *loader, const struct value *value)
{
	if (map_get(&loader->groups, value->string) == MAP_NONE) {
		errno = 0;
		bool known =
			getgrnam(value->string) || (errno && errno != ENOENT && errno != ESRCH);
		map_put(&loader->groups, value->string, known);
	}
	if (!map_get(&loader->groups, value->string))
		loader_error(loader, value->at, "getent group lists them",
			"there is no group \"%s\"", value->string);
	return value->string;
}

static bool is_lock(const struct site *site, const char *name)
{
	for (uint32_t i = 0; i < site->locks.count; i++)
		if (strcmp(site->locks.items[i], name) == 0)
			return true;
	return false;
}

static bool is_pool(const struct site *site, const char *name)
{
	for (uint32_t i = 0; i < site->pool_count; i++)
		if (strcmp(site->pools[i].name, name) == 0)
			return true;
	return false;
}

static const char *nearest_declared(struct loader *loader, const char *name, bool pool)
{
	const struct site *site = loader->site;
	struct nearest nearest = nearest_start(name);
	char question[96];

	for (uint32_t i = 0; pool && i < site->pool_count; i++)
		nearest_try(&nearest, site->pools[i].name);
	for (uint32_t i = 0; !pool && i < site->locks.count; i++)
		nearest_try(&nearest, site->locks.items[i]);
	const char *next = nearest_question(&nearest, question, sizeof question);
	return next ? arena_string(&loader->site->arena, next)
		    : arena_printf(&loader->site->arena, "declare it in \"%s\" of %s",
			      pool ? "pools" : "locks", site->path);
}

static struct name_list set_names(struct loader *loader, const struct value *value, bool pool)
{
	struct name_list names = key_names(loader, value);

	for (uint32_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		if (pool ? !is_pool(loader->site, name) : !is_lock(loader->site, name))
			loader_error(loader, names.at[i], nearest_declared(loader, name, pool),
				"there is no %s \"%s\"", pool ? "pool" : "lock", name);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(names.items[j], name) == 0)
				loader_error(loader, names.at[i], "leave one out",
					"the %s \"%s\" is named twice", pool ? "pool" : "lock",
					name);
	}
	return names;
}

/* The undo's own `timeout` and `retry`; the rest moves together over them. */
static void take_undo_keys(struct loader *loader, struct value *group, struct task_options *options)
{
	struct value_member *members = group->group.members;
	const char *before = loader->key_noun;
	uint32_t kept = 0;

	loader->key_noun = "rollback: key";
	for (uint32_t i = 0; i < group->group.count; i++) {
		enum option option = find(members[i].name);
		struct value_member member = members[i];
		if (option == OPTION_TIMEOUT && loader_key(loader, &keys[option], &member))
			options->rollback_timeout_ms = key_number(&keys[option], &member.value);
		else if (option == OPTION_RETRY && loader_key(loader, &keys[option], &member))
			set_retry(
				loader, "rollback: retry", &member.value, &options->rollback_retry);
		else if (option != OPTION_TIMEOUT && option != OPTION_RETRY)
			members[kept++] = member;
	}
	group->group.count = kept;
	loader->key_noun = before;
}

static void set_rollback(struct loader *loader, struct value *group, struct task_options *options)
{
	take_undo_keys(loader, group, options);
	struct value args = *group;
	const struct value *action = value_get(group, "action");

	if (!action || action->kind != VALUE_STRING) {
		loader_error(loader, group->at, "add action = \"PLUGIN.ACTION\"",
			"rollback: key \"action\" is missing");
		return;
	}
	if (!instances_action(
		    loader, action, &options->rollback_instance, &options->rollback_action))
		return;
	const struct upkeep_action *decl = &options->rollback_action->decl;
	const char *before = loader->key_noun;
	loader->key_noun = "rollback: parameter";
	params_check(
		decl->params, decl->param_count, &args, group->at, "action", loader_report, loader);
	secrets_check(loader, decl->params, decl->param_count, &args, true);
	loader->key_noun = before;
	options->rollback = args;
}

static void set_special(struct loader *loader, enum option option, struct value *value,
	struct task_options *options)
{
	switch (option) {
	case OPTION_EACH:
		set_each(loader, value, &options->each);
		break;
	case OPTION_RETRY:
		options->retry = (struct retry){.attempts = 1,
			.delay_ms = 1000,
			.max_delay_ms = 5 * 60 * 1000,
			.backoff = 2};
		set_retry(loader, "retry", value, &options->retry);
		break;
	case OPTION_LOCK:
		options->locks = set_names(loader, value, false);
		break;
	case OPTION_POOL:
		options->pools = set_names(loader, value, true);
		break;
	case OPTION_RUN_AS:
		options->run_as = set_user(loader, value);
		break;
	case OPTION_RUN_AS_GROUP:
		options->run_as_group = set_group(loader, value);
		break;
	case OPTION_UMASK:
		set_umask(loader, value, options);
		break;
	case OPTION_ENV:
		set_env(loader, value, options);
		break;
	case OPTION_LIMITS:
		set_limits(loader, value, &options->limits);
		break;
	default:
		set_rollback(loader, value, options);
		break;
	}
}

static void set_plain(enum option option, const struct value *value, struct task_options *options)
{
	const struct upkeep_param *key = &keys[option];

	switch (option) {
	case OPTION_ABOUT:
		options->about = value->string;
		break;
	case OPTION_RUN_IF:
		options->run_if = key_choice(key, value);
		break;
	case OPTION_WHEN:
		options->when = value->string;
		options->when_at = value->at;
		break;
	case OPTION_TIMEOUT:
		options->timeout_ms = key_number(key, value);
		break;
	case OPTION_KILL_AFTER:
		options->kill_after_ms = key_number(key, value);
		break;
	case OPTION_STALL:
		options->stall_ms = key_number(key, value);
		break;
	case OPTION_IGNORE_FAILURE:
		options->ignore_failure = value->truth;
		break;
	case OPTION_CWD:
		options->cwd = value->string;
		break;
	case OPTION_NICE:
		options->has_nice = true;
		options->nice = (int)key_number(key, value);
		break;
	case OPTION_PIVOT:
		options->pivot = value->truth;
		break;
	case OPTION_CONFIRM_WITHIN:
		options->confirm_within_ms = key_number(key, value);
		break;
	case OPTION_LEAVES_RUNNING:
		options->leaves_running = value->truth;
		break;
	default:
		options->log_max_bytes = (uint64_t)key_number(key, value);
		break;
	}
}

void options_set(struct loader *loader, struct value_member *member, struct task_options *options)
{
	enum option option = find(member->name);
	uint64_t special = 1u << OPTION_EACH | 1u << OPTION_RETRY | 1u << OPTION_LOCK |
		1u << OPTION_POOL | 1u << OPTION_RUN_AS | 1u << OPTION_RUN_AS_GROUP |
		1u << OPTION_UMASK | 1u << OPTION_ENV | 1u << OPTION_LIMITS | 1u << OPTION_ROLLBACK;

	loader->key_noun = "key";
	if (!loader_key(loader, &keys[option], member))
		return;
	if (special >> option & 1)
		set_special(loader, option, &member->value, options);
	else
		set_plain(option, &member->value, options);
}
