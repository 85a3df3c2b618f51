/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "tests/program.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "base/vec.h"
#include "model/describe.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

struct edge {
	uint32_t task, before;
};
struct locked {
	uint32_t task;
	const char *name;
};
struct fixture {
	struct arena arena;
	char dir[64], id[RUN_ID_SIZE];
	struct site site;
	struct graph graph;
	struct plan plan;
	VEC(struct task *) tasks;
	VEC(uint8_t) changes;
	VEC(uint32_t) retries_of;
	VEC(struct retry) retries;
	VEC(struct edge) edges;
	VEC(struct locked) locks;
	VEC(struct instance *) instances;
	bool no_cgroups;
	struct told *told; /* shared with the engine */
};

struct fixture *fixture_new(void)
{
	struct fixture *f = base_alloc(sizeof *f);

	strcpy(f->dir, "/tmp/upkeep-test-XXXXXX");
	if (!mkdtemp(f->dir))
		abort();
	f->site = (struct site){.path = "/etc/upkeep.conf", .state_dir = f->dir, .jobs = 2};
	f->graph = (struct graph){.name = "test", .on_failure = ON_FAILURE_STOP};
	f->told = mmap(
		NULL, sizeof *f->told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*vec_add(&f->retries) = (struct retry){.attempts = 1, .backoff = 1};
	return f;
}

void fixture_free(struct fixture *f)
{
	file_remove_tree(AT_FDCWD, f->dir, NULL);
	munmap(f->told, sizeof *f->told);
	vec_free(&f->tasks);
	vec_free(&f->changes);
	vec_free(&f->retries_of);
	vec_free(&f->retries);
	vec_free(&f->edges);
	vec_free(&f->locks);
	vec_free(&f->instances);
	map_free(&f->plan.index);
	arena_free(&f->arena);
	free(f);
}

const char *fixture_dir(const struct fixture *f)
{
	return f->dir;
}

const char *fixture_id(const struct fixture *f)
{
	return f->id;
}

void fixture_without_cgroups(struct fixture *f)
{
	f->no_cgroups = true;
}

struct graph *fixture_graph(struct fixture *f)
{
	return &f->graph;
}

struct value value_string(const char *text)
{
	return (struct value){.kind = VALUE_STRING, .string = text};
}

struct value value_strings(struct fixture *f, const char *const *texts)
{
	uint32_t count = 0;

	while (texts[count])
		count++;
	struct value list = {.kind = VALUE_LIST};
	list.list.items = arena_news(&f->arena, struct value, count + 1);
	list.list.count = count;
	for (uint32_t i = 0; i < count; i++)
		list.list.items[i] = value_string(texts[i]);
	return list;
}

struct instance *fixture_instance(struct fixture *f, const char *name, const char *path,
	const struct plugin_description *description)
{
	struct instance *instance = arena_new(&f->arena, struct instance);

	*instance = (struct instance){.name = name,
		.plugin = description->name,
		.path = path,
		.description = description,
		.settings = {.kind = VALUE_GROUP}};
	vec_push(&f->instances, instance);
	return instance;
}

static uint32_t add_task(struct fixture *f, const char *name,
	const struct action_description *action, const struct instance *instance,
	const struct task_options *options)
{
	struct task *task = arena_new(&f->arena, struct task);

	if (!action)
		abort();
	*task = (struct task){.name = arena_string(&f->arena, name),
		.instance = instance,
		.action = action,
		.args = {.kind = VALUE_GROUP},
		.options = options ? options : &task_options_plain};
	vec_push(&f->tasks, task);
	vec_push(&f->changes, (uint8_t)action->decl.changes);
	vec_push(&f->retries_of, 0);
	return (uint32_t)f->tasks.count - 1;
}

void fixture_argument(struct fixture *f, const char *name, struct value value)
{
	struct value *args = &f->tasks.items[f->tasks.count - 1]->args;
	struct value_member *members =
		arena_news(&f->arena, struct value_member, args->group.count + 1);

	if (args->group.count)
		memcpy(members, args->group.members, args->group.count * sizeof *members);
	members[args->group.count] =
		(struct value_member){.name = arena_string(&f->arena, name), .value = value};
	args->group.members = members;
	args->group.count++;
}

uint32_t fixture_exec(struct fixture *f, const char *name, const char *const *argv,
	const struct task_options *options)
{
	uint32_t task =
		add_task(f, name, description_action(&core_description, "exec"), NULL, options);

	fixture_argument(f, "argv", value_strings(f, argv));
	return task;
}

uint32_t fixture_shell(
	struct fixture *f, const char *name, const char *script, const struct task_options *options)
{
	const char *argv[] = {"/bin/sh", "-c", arena_string(&f->arena, script), NULL};

	return fixture_exec(f, name, argv, options);
}

uint32_t fixture_action(struct fixture *f, const char *name, const struct instance *instance,
	const char *action, const struct task_options *options)
{
	return add_task(
		f, name, description_action(instance->description, action), instance, options);
}

void fixture_changes(struct fixture *f, uint32_t task, uint8_t changes)
{
	f->changes.items[task] = changes;
}

void fixture_after(struct fixture *f, uint32_t task, uint32_t before)
{
	vec_push(&f->edges, ((struct edge){task, before}));
}

void fixture_retry(struct fixture *f, uint32_t task, struct retry retry)
{
	f->retries_of.items[task] = (uint32_t)f->retries.count;
	vec_push(&f->retries, retry);
}

void fixture_lock(struct fixture *f, uint32_t task, const char *name)
{
	vec_push(&f->locks, ((struct locked){task, name}));
}

static void build_edges(struct fixture *f, struct plan *plan)
{
	uint32_t at = 0;

	plan->edges = arena_news(&f->arena, uint32_t, f->edges.count * 2 + 1);
	for (uint32_t i = 0; i < plan->task_count; i++) {
		struct plan_task *task = &plan->tasks[i];
		task->needs = at;
		for (size_t e = 0; e < f->edges.count; e++)
			if (f->edges.items[e].task == i)
				plan->edges[at++] = f->edges.items[e].before;
		task->need_count = at - task->needs;
		task->nexts = at;
		for (size_t e = 0; e < f->edges.count; e++)
			if (f->edges.items[e].before == i)
				plan->edges[at++] = f->edges.items[e].task;
		task->next_count = at - task->nexts;
	}
}

static void build_gangs(struct fixture *f, struct plan *plan)
{
	uint32_t taken = 0;

	plan->gangs = arena_news(&f->arena, struct plan_gang, plan->task_count + 1);
	plan->members = arena_news(&f->arena, uint32_t, plan->task_count + 1);
	plan->taken = arena_news(&f->arena, uint32_t, f->locks.count + 1);
	plan->resources = arena_news(&f->arena, struct plan_resource, f->locks.count + 1);
	plan->gang_count = plan->task_count;
	for (uint32_t i = 0; i < plan->task_count; i++) {
		plan->members[i] = i;
		plan->gangs[i] = (struct plan_gang){.members = i,
			.member_count = 1,
			.resources = taken,
			.retry = f->retries_of.items[i]};
		for (size_t l = 0; l < f->locks.count; l++) {
			if (f->locks.items[l].task != i)
				continue;
			uint32_t r = 0;
			while (r < plan->resource_count &&
				strcmp(plan->resources[r].name, f->locks.items[l].name) != 0)
				r++;
			if (r == plan->resource_count)
				plan->resources[plan->resource_count++] = (struct plan_resource){
					.name = f->locks.items[l].name, .places = 1};
			plan->taken[taken++] = r;
		}
		plan->gangs[i].resource_count = taken - plan->gangs[i].resources;
	}
}

static void build(struct fixture *f)
{
	struct plan *plan = &f->plan;

	map_free(&plan->index);
	*plan = (struct plan){.site = &f->site,
		.graph = &f->graph,
		.params = {.kind = VALUE_GROUP},
		.task_count = (uint32_t)f->tasks.count,
		.on_failure = f->graph.on_failure,
		.running = f->graph.running,
		.retries = f->retries.items,
		.retry_count = (uint32_t)f->retries.count};
	f->site.instances = arena_news(&f->arena, struct instance, f->instances.count + 1);
	f->site.instance_count = (uint32_t)f->instances.count;
	for (uint32_t i = 0; i < f->site.instance_count; i++)
		f->site.instances[i] = *f->instances.items[i];
	plan->tasks = arena_news(&f->arena, struct plan_task, plan->task_count + 1);
	plan->details = arena_news(&f->arena, struct plan_detail, plan->task_count + 1);
	for (uint32_t i = 0; i < plan->task_count; i++) {
		struct task *task = f->tasks.items[i];
		for (uint32_t n = 0; task->instance && n < f->site.instance_count; n++)
			if (strcmp(f->site.instances[n].name, task->instance->name) == 0)
				task->instance = &f->site.instances[n];
		plan->tasks[i] = (struct plan_task){.gang = i,
			.source = PLAN_NONE,
			.detail = i,
			.run_if = task->options->run_if,
			.changes = f->changes.items[i],
			.flags = task->options->ignore_failure ? PLAN_IGNORE_FAILURE : 0};
		plan->details[i] = (struct plan_detail){.name = task->name,
			.task = task,
			.prefix = "",
			.params = &plan->params,
			.graph = &f->graph};
		map_put(&plan->index, task->name, i);
	}
	build_edges(f, plan);
	build_gangs(f, plan);
}

/* Called in the engine. */
static void watch(void *data, const struct plan *plan, const struct run_event *event)
{
	struct told *told = data;
	size_t n = strlen(told->would);

	(void)plan;
	if (event->kind == RUN_EVENT_END) {
		told->commits = event->done;
		told->syncs = event->total;
	} else if (event->kind == RUN_EVENT_WOULD) {
		snprintf(told->would + n, sizeof told->would - n, "%s%s", n ? "; " : "",
			event->text);
	}
}

struct told fixture_told(const struct fixture *f)
{
	return *f->told;
}

static enum exit_code execute(struct fixture *f, struct run_options *options, struct error *err)
{
	struct run_watcher watcher = {.event = watch, .data = f->told};

	build(f);
	memset(f->told, 0, sizeof *f->told);
	options->cause = "test";
	options->no_cgroups = f->no_cgroups;
	options->program = program_copy(PROGRAM_BUILT);
	options->watcher = &watcher;
	return run_execute(&f->plan, options, err);
}

enum exit_code fixture_plan(struct fixture *f, struct error *err)
{
	return execute(f, &(struct run_options){.plan_only = true}, err);
}

enum exit_code fixture_run(struct fixture *f, uint32_t jobs, struct error *err)
{
	enum exit_code code = execute(f, &(struct run_options){.jobs = jobs}, err);
	struct journal *journal = NULL;

	if (journal_open_readonly(f->dir, &journal, NULL) == 0) {
		journal_find_run(journal, "last", f->id, NULL);
		journal_close(journal);
	}
	return code;
}

pid_t fixture_start(struct fixture *f, uint32_t jobs)
{
	pid_t pid = fork();

	if (pid == 0) {
		CLEANUP_ERROR struct error err = {0};
		_exit(fixture_run(f, jobs, &err));
	}
	return pid;
}

int fixture_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct reading {
	uint32_t task;
	const char *name;
	struct seen seen;
	char *output;
};

static int read_task(void *data, const struct journal_task *row)
{
	struct reading *reading = data;

	if (row->index != reading->task || row->attempt < reading->seen.attempt)
		return 0;
	reading->seen = (struct seen){.state = row->state,
		.reason = row->reason,
		.attempt = row->attempt,
		.exit_code = row->exit_code};
	snprintf(reading->seen.message, sizeof reading->seen.message, "%s",
		row->message ? row->message : "");
	snprintf(reading->seen.next, sizeof reading->seen.next, "%s", row->next ? row->next : "");
	return 0;
}

static struct journal *open_journal(struct fixture *f)
{
	struct journal *journal = NULL;

	if (journal_open_readonly(f->dir, &journal, NULL) < 0 ||
		journal_find_run(journal, "last", f->id, NULL) < 0)
		abort();
	return journal;
}

struct seen fixture_seen(struct fixture *f, uint32_t task)
{
	struct journal *journal = open_journal(f);
	struct reading reading = {.task = task};

	journal_tasks(journal, f->id, read_task, &reading, NULL);
	journal_close(journal);
	return reading.seen;
}

static int read_output(void *data, uint32_t task, const char *name, const char *value)
{
	struct reading *reading = data;

	if (task == reading->task && strcmp(name, reading->name) == 0) {
		free(reading->output);
		reading->output = base_string(value);
	}
	return 0;
}

char *fixture_output(struct fixture *f, uint32_t task, const char *name)
{
	struct journal *journal = open_journal(f);
	struct reading reading = {.task = task, .name = name};

	journal_outputs(journal, f->id, read_output, &reading, NULL);
	journal_close(journal);
	return reading.output;
}

char *fixture_log(struct fixture *f, uint32_t task, uint32_t attempt)
{
	CLEANUP_TEXT struct text path = {0};
	char log[JOURNAL_PATH_SIZE], *bytes = NULL;

	journal_log_path(log, f->id, task, attempt);
	text_addf(&path, "%s/%s", f->dir, log);
	if (file_load(text_string(&path), 1u << 30, &bytes, NULL, NULL) < 0)
		return base_string("");
	return bytes;
}

static bool is_marked(const char *pid, const char *mark)
{
	char path[300], text[4096];

	snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	return n > 0 && memmem(text, (size_t)n, mark, strlen(mark));
}

unsigned fixture_alive(const char *mark)
{
	CLEANUP_DIR DIR *proc = opendir("/proc");
	struct dirent *entry;
	unsigned count = 0;

	while (proc && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
			is_marked(entry->d_name, mark))
			count++;
	return count;
}
