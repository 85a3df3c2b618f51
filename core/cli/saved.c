/* SPDX-License-Identifier: MIT */
#include "cli/saved.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "plan/build.h"

#include <fcntl.h>
#include <string.h>

#define SAVED_VERSION 1
#define SAVED_BYTES_MAX (1u << 30)

/* ---- what both sides make ---- */

static json_t *words_json(const cli_words *words)
{
	json_t *list = json_array();

	for (size_t i = 0; i < words->count; i++)
		json_array_append_new(list, json_string(words->items[i]));
	return list;
}

/* Durations are no part of it: they only say how long it takes. */
static json_t *plan_json(const struct plan *plan)
{
	CLEANUP_TEXT struct text text = {0};
	struct plan copy = *plan;
	CLEANUP_FREE struct plan_task *tasks = base_alloc((plan->task_count + 1) * sizeof *tasks);

	if (plan->task_count)
		memcpy(tasks, plan->tasks, plan->task_count * sizeof *tasks);
	for (uint32_t i = 0; i < plan->task_count; i++)
		tasks[i].duration_ms = 0;
	copy.tasks = tasks;
	plan_text(&copy, &text);
	return json_loadb(text_string(&text), text.size, 0, NULL);
}

/* Another version of a plugin may mean something else by the same arguments. */
static json_t *plugins_json(const struct site *site)
{
	json_t *plugins = json_object();

	for (uint32_t i = 0; i < site->instance_count; i++)
		if (site->instances[i].description)
			json_object_set_new(plugins, site->instances[i].name,
				json_string(site->instances[i].description->version));
	return plugins;
}

static json_t *host_json(void)
{
	char name[256] = "";

	gethostname(name, sizeof name - 1);
	return told_text(name);
}

/* ---- plan --save ---- */

int saving_begin(const struct cli *cli, struct saving *saving)
{
	CLEANUP_ERROR struct error err = {0};

	*saving = (struct saving){.told = TOLD_CLOSED};
	journal_make_id(saving->id);
	if (cli->options.save && told_open(&saving->told, &err) < 0)
		return cli_fail(cli, EXIT_INTERNAL, &err);
	return 0;
}

void saving_event(const struct saving *saving, const struct run_event *event)
{
	if (saving->told.fd >= 0)
		foreseen_event(&saving->told, event);
}

static json_t *saved_json(
	const struct saving *saving, const struct cli *cli, const struct plan *plan, json_t *tasks)
{
	const struct cli_options *o = &cli->options;

	return json_pack("{s:i, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:s?, s:o, s:o, s:o}",
		"upkeep_plan", SAVED_VERSION, "graph", plan->graph->name, "id", saving->id,
		"made_ms", (json_int_t)clock_wall_ms(), "host", host_json(), "params",
		words_json(&o->params), "only", words_json(&o->only), "skip", words_json(&o->skip),
		"start_at", o->start_at, "plugins", plugins_json(plan->site), "plan",
		plan_json(plan), "tasks", tasks);
}

static int saved_write(const struct saving *saving, const struct cli *cli, const struct plan *plan,
	struct error *err)
{
	json_t *tasks;

	int r = foreseen_take(&saving->told, plan, &tasks, err);
	if (r < 0)
		return r;
	json_t *json = saved_json(saving, cli, plan, tasks);
	CLEANUP_FREE char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	json_decref(json);
	if (!text)
		return error_set(err, -EILSEQ, NULL,
			"a plan with parameters that are not UTF-8 cannot be saved");
	return file_store(cli->options.save, text, strlen(text), 0600, true, err);
}

int saving_end(struct saving *saving, const struct cli *cli, const struct plan *plan, int code)
{
	CLEANUP_ERROR struct error err = {0};
	const char *file = cli->options.save;
	bool wanted = saving->told.fd >= 0, fine = code == EXIT_OK || code == EXIT_PLAN_CHANGES;

	int r = wanted && fine ? saved_write(saving, cli, plan, &err) : 0;
	told_close(&saving->told);
	if (r < 0)
		return cli_fail(cli, errno_exit(r, r == -EIO ? EXIT_INTERNAL : EXIT_USAGE), &err);
	if (wanted && !fine)
		fprintf(stderr, "upkeep: nothing was saved\n");
	else if (wanted && !cli->options.json && !cli->options.quiet)
		printf("saved in %s\n", file);
	return code;
}

/* ---- the file ---- */

static int file_check(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, NULL, "cannot look at %s: %m", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, NULL, "%s is no file", path);
	if (st.st_size > SAVED_BYTES_MAX)
		return error_set(err, -EFBIG, NULL, "%s is too large for a plan", path);
	if (st.st_uid != geteuid())
		return error_set(err, -EPERM, "upkeep plan GRAPH --save FILE, as yourself",
			"%s belongs to another user: a plan is run by who saved it alone", path);
	if ((st.st_mode & 07777) != 0600)
		return error_set(err, -EPERM, "upkeep plan GRAPH --save FILE",
			"%s has mode %04o, not 0600: others may have changed it", path,
			st.st_mode & 07777);
	return 0;
}

static bool is_whole(const json_t *json)
{
	const char *id = json_string_value(json_object_get(json, "id"));

	return json_string_value(json_object_get(json, "graph")) && id &&
		strlen(id) < RUN_ID_SIZE && strlen(id) > strlen("20261124-101112") &&
		json_is_array(json_object_get(json, "tasks")) &&
		json_is_object(json_object_get(json, "plan"));
}

static int json_read(int fd, const char *path, json_t **ret, struct error *err)
{
	json_t *json = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
	json_int_t version = json_integer_value(json_object_get(json, "upkeep_plan"));

	if (version > SAVED_VERSION)
		error_set(err, -EBADMSG, NULL, "%s was saved by a newer upkeep", path);
	else if (version < SAVED_VERSION || !is_whole(json))
		error_set(err, -EBADMSG, "upkeep plan GRAPH --save FILE", "%s is no saved plan",
			path);
	if (err->what) {
		json_decref(json);
		return -EBADMSG;
	}
	*ret = json;
	return 0;
}

static int file_read_json(const char *path, json_t **ret, struct error *err)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ELOOP)
		return error_set(err, -EPERM, "name the file itself",
			"%s is a symbolic link, which is not followed", path);
	if (fd < 0)
		return error_set(err, -errno, NULL, "cannot open %s: %m", path);
	int r = file_check(fd, path, err);
	return r < 0 ? r : json_read(fd, path, ret, err);
}

/* ---- run --plan ---- */

static void words_read(const json_t *json, const char *key, cli_words *words)
{
	json_t *word;
	size_t i;

	json_array_foreach(json_object_get(json, key), i, word)
		if (json_is_string(word))
			vec_push(words, json_string_value(word));
}

int saved_open(struct cli *cli, struct saved *saved)
{
	CLEANUP_ERROR struct error err = {0};
	struct cli_options *o = &cli->options;

	int r = file_read_json(o->plan, &saved->json, &err);
	if (r < 0)
		return cli_fail(
			cli, errno_exit(r, r == -ENOENT ? EXIT_USAGE : EXIT_CONFIGURATION), &err);
	vec_push(&cli->args, json_string_value(json_object_get(saved->json, "graph")));
	words_read(saved->json, "params", &o->params);
	words_read(saved->json, "only", &o->only);
	words_read(saved->json, "skip", &o->skip);
	o->start_at = json_string_value(json_object_get(saved->json, "start_at"));
	return 0;
}

/* "upkeep plan G -p a=b --save FILE", to be typed next. */
static void plan_again(const struct saved *saved, struct error *err)
{
	free(err->next);
	if (asprintf(&err->next, "upkeep plan %s, with the same options and --save FILE",
		    json_string_value(json_object_get(saved->json, "graph"))) < 0)
		err->next = NULL;
}

/* The name of the first task of `a` that is not the same in `b`. */
static json_t *task_differs(const json_t *a, const json_t *b, const char *key)
{
	json_t *task;
	size_t i;

	json_array_foreach(json_object_get(a, "tasks"), i, task)
		if (!json_equal(task, json_array_get(json_object_get(b, "tasks"), i)))
			return json_object_get(task, key);
	return NULL;
}

static void plan_differs(const json_t *then, const json_t *now, struct error *err)
{
	json_t *task = task_differs(then, now, "name");

	if (!task)
		task = task_differs(now, then, "name");
	CLEANUP_FREE char *name = told_visible(task);
	error_set(err, -ESTALE, NULL,
		"the site or the graph has changed since the plan was saved%s%s",
		task ? ": task " : "", name);
}

int saved_check_plan(const struct cli *cli, const struct saved *saved, const struct plan *plan)
{
	CLEANUP_ERROR struct error err = {0};
	const json_t *then = json_object_get(saved->json, "plan");
	json_t *now = plan_json(plan), *host = host_json(), *plugins = plugins_json(plan->site);

	if (!json_equal(host, json_object_get(saved->json, "host")))
		error_set(&err, -ESTALE, NULL, "the plan was saved on another host");
	else if (!json_equal(then, now))
		plan_differs(then, now, &err);
	else if (!json_equal(plugins, json_object_get(saved->json, "plugins")))
		error_set(&err, -ESTALE, NULL,
			"a plugin of the site has another version than when the plan was saved");
	json_decref(now);
	json_decref(host);
	json_decref(plugins);
	if (!err.what)
		return 0;
	plan_again(saved, &err);
	return cli_fail(cli, EXIT_CONFIGURATION, &err);
}

/* ---- the state ---- */

static void note_event(void *data, const struct plan *plan, const struct run_event *event)
{
	(void)plan;
	foreseen_event(data, event);
}

/* Asks the tasks again, as it was asked then. */
static int ask_again(const struct cli *cli, const struct saved *saved, const struct plan *plan,
	json_t **ret_tasks)
{
	CLEANUP_TOLD struct told told = TOLD_CLOSED;
	CLEANUP_ERROR struct error err = {0};
	struct run_watcher watcher = {.event = note_event, .data = &told};
	struct run_options options = {.plan_only = true,
		.id = json_string_value(json_object_get(saved->json, "id")),
		.watcher = &watcher};

	if (told_open(&told, &err) < 0)
		return cli_fail(cli, EXIT_INTERNAL, &err);
	int code = run_execute(plan, &options, &err);
	if (err.what)
		return cli_fail(cli, code, &err);
	return foreseen_take(&told, plan, ret_tasks, &err) < 0 ? cli_fail(cli, EXIT_INTERNAL, &err)
							       : 0;
}

/* The first of `list` that `others` does not have. */
static const json_t *first_without(const json_t *list, const json_t *others)
{
	json_t *known = json_object(), *item;
	size_t i;

	json_array_foreach(others, i, item) {
		CLEANUP_FREE char *key = json_dumps(item, JSON_SORT_KEYS);
		json_object_set_new(known, key, json_true());
	}
	json_array_foreach(list, i, item) {
		CLEANUP_FREE char *key = json_dumps(item, JSON_SORT_KEYS);
		if (!json_object_get(known, key))
			break;
	}
	json_decref(known);
	return json_array_get(list, i);
}

/* What it does that the other did not; else why it did nothing. */
static char *first_visible(const json_t *task, const json_t *other)
{
	const json_t *first =
		first_without(json_object_get(task, "would"), json_object_get(other, "would"));
	char *text = told_visible(json_object_get(first ? first : task, first ? "do" : "message"));

	if (*text)
		return text;
	free(text);
	return base_string(
		first_without(json_object_get(other, "would"), json_object_get(task, "would"))
			? "nothing more"
			: "the same in another order");
}

static void would_differ(const json_t *then, const json_t *now, struct error *err)
{
	CLEANUP_FREE char *name = told_visible(json_object_get(now, "task"));
	CLEANUP_FREE char *says = first_visible(now, then);
	CLEANUP_FREE char *said = first_visible(then, now);

	error_set(err, -ESTALE, NULL,
		"the state has changed since the plan was saved: task %s would now do: %s; the "
		"plan "
		"says: %s",
		name, says, said);
}

static bool task_is_the_same(const json_t *then, const json_t *now)
{
	static const char *const keys[] = {"task", "would", "state", "message"};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const json_t *a = json_object_get(then, keys[i]),
			     *b = json_object_get(now, keys[i]);
		if (a != b && !json_equal(a, b))
			return false;
	}
	return true;
}

static void tokens_read(struct saved *saved, const json_t *tasks)
{
	json_t *task;
	size_t i;

	saved->token_count = (uint32_t)json_array_size(tasks);
	saved->tokens = base_alloc((saved->token_count + 1) * sizeof *saved->tokens);
	json_array_foreach(tasks, i, task)
		saved->tokens[i].bytes =
			told_bytes_read(json_object_get(task, "token"), &saved->tokens[i].size);
}

int saved_check_state(const struct cli *cli, struct saved *saved, const struct plan *plan)
{
	CLEANUP_ERROR struct error err = {0};
	const json_t *tasks = json_object_get(saved->json, "tasks");
	json_t *now = NULL, *task;
	size_t i;

	int code = ask_again(cli, saved, plan, &now);
	if (code)
		return code;
	if (json_array_size(tasks) != plan->task_count)
		error_set(&err, -EBADMSG, NULL, "the plan does not name all tasks");
	json_array_foreach(now, i, task)
		if (!err.what && !task_is_the_same(json_array_get(tasks, i), task))
			would_differ(json_array_get(tasks, i), task, &err);
	json_decref(now);
	if (!err.what) {
		tokens_read(saved, tasks);
		return 0;
	}
	plan_again(saved, &err);
	return cli_fail(cli, EXIT_FAILED_CLEAN, &err);
}

void saved_free(struct saved *saved)
{
	for (uint32_t i = 0; i < saved->token_count; i++)
		free((void *)saved->tokens[i].bytes);
	free(saved->tokens);
	json_decref(saved->json);
}
