/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "run/launch.h"
#include "run/named.h"

#include <string.h>
#include <sys/mman.h>

#define LIMITS_MAX 8
#define REQUEST_FDS (WIRE_FDS + 2) /* what an action names, and the two of the log */

/* ---- environment ---- */

/* What a task gets of ours: language and time zone, nothing else. */
static void base_environment(struct engine *engine)
{
	static const char *const kept[] = {"LANG", "LANGUAGE", "TZ"};

	vec_push(&engine->env, arena_string(&engine->arena, "PATH=" PROCESS_PATH));
	vec_push(&engine->env, arena_string(&engine->arena, "SHELL=/bin/sh"));
	vec_push(&engine->env, arena_printf(&engine->arena, "UPKEEP_RUN=%s", engine->setup->id));
	for (char **e = environ; *e; e++) {
		bool keep = text_starts(*e, "LC_");
		for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
			size_t n = strlen(kept[i]);
			keep = keep || (strncmp(*e, kept[i], n) == 0 && (*e)[n] == '=');
		}
		if (keep)
			vec_push(&engine->env, *e);
	}
}

/* Replaces the variable of that name, or adds it: but what tells whose a process is. */
static void set_variable(char **env, size_t *count, char *variable)
{
	size_t n = strcspn(variable, "=") + 1;

	if (text_starts(variable, "UPKEEP_MARK=") || text_starts(variable, "UPKEEP_RUN="))
		return;
	for (size_t i = 0; i < *count; i++)
		if (strncmp(env[i], variable, n) == 0) {
			env[i] = variable;
			return;
		}
	env[(*count)++] = variable;
}

static char *task_variable(
	struct attempt *attempt, const struct value_member *member, struct error *err)
{
	struct engine *engine = attempt->engine;
	const struct secret *secret;
	struct value value;

	if (attempt_resolve(attempt, &member->value, &value, err) < 0)
		return NULL;
	const char *text = value_text(&attempt->arena, &value);
	const char *name = named_in_env(&member->value);
	if (name) {
		if (secrets_get(&engine->secrets, name, &secret, err) < 0)
			return NULL;
		blank_add(&attempt->blank, secret->text.bytes, secret->text.size);
		text = secret->text.bytes;
	}
	return arena_printf(&attempt->arena, "%s=%s", member->name, text);
}

int launch_blank(struct attempt *attempt, struct error *err)
{
	const struct value *env = &attempt->options->env;
	const struct secret *secret;

	for (uint32_t i = 0; env->kind == VALUE_GROUP && i < env->group.count; i++) {
		const char *name = named_in_env(&env->group.members[i].value);
		if (!name)
			continue;
		if (secrets_get(&attempt->engine->secrets, name, &secret, err) < 0)
			return -ENOENT;
		blank_add(&attempt->blank, secret->text.bytes, secret->text.size);
	}
	return 0;
}

char **program_environment(struct attempt *attempt, const char *const *more, struct error *err)
{
	struct engine *engine = attempt->engine;
	const struct value *env = &attempt->options->env;
	const struct user *user = engine_user(engine, attempt->options, err);
	size_t own = env->kind == VALUE_GROUP ? env->group.count : 0, extra = 0, count = 0;

	if (!user)
		return NULL;
	if (!engine->env.count)
		base_environment(engine);
	while (more && more[extra])
		extra++;
	char **list = base_alloc((engine->env.count + own + extra + 6) * sizeof list[0]);
	vec_each(&engine->env, e)
		list[count++] = *e;
	if (engine->guardian)
		keep_guard_mark(attempt->mark, engine->setup->id, attempt->task);
	else
		keep_mark(attempt->mark, engine->setup->id, attempt->task);
	list[count++] = attempt->mark;
	list[count++] = user->home_variable;
	list[count++] = user->user_variable;
	list[count++] = user->logname_variable;
	for (size_t i = 0; i < own; i++) {
		char *variable = task_variable(attempt, &env->group.members[i], err);
		if (!variable) {
			free(list);
			return NULL;
		}
		set_variable(list, &count, variable);
	}
	for (size_t i = 0; i < extra; i++)
		set_variable(list, &count, (char *)more[i]);
	return list;
}

/* ---- limits ---- */

static void add_limit(struct process_limit *limits, size_t *count, int resource, uint64_t value)
{
	limits[(*count)++] = (struct process_limit){resource, {value, value}};
}

/* 1 keeps a core from being written and yet is not 0, where cores are piped. */
static uint64_t no_core_size(void)
{
	CLEANUP_FREE char *pattern = NULL;

	if (file_load("/proc/sys/kernel/core_pattern", 4096, &pattern, NULL, NULL) == 0 &&
		pattern[0] == '|')
		return 1;
	return 0;
}

size_t launch_limits(const struct attempt *attempt, struct process_limit *limits)
{
	const struct limits *wanted = &attempt->options->limits;
	size_t count = 0;

	if (wanted->files)
		add_limit(limits, &count, RLIMIT_NOFILE, wanted->files);
	if (wanted->file_size_bytes)
		add_limit(limits, &count, RLIMIT_FSIZE, wanted->file_size_bytes);
	if (wanted->cpu_time_ms)
		add_limit(limits, &count, RLIMIT_CPU, ((uint64_t)wanted->cpu_time_ms + 999) / 1000);
	if (wanted->memory_bytes && !attempt->limit.paths[1])
		add_limit(limits, &count, RLIMIT_AS, wanted->memory_bytes);
	if (attempt->blank.secrets.count)
		add_limit(limits, &count, RLIMIT_CORE, no_core_size());
	return count;
}

int launch_open_limit(struct attempt *attempt, struct cgroup *cgroup, struct error *err)
{
	const struct limits *wanted = &attempt->options->limits;
	uint64_t memory_bytes = wanted->memory_bytes;
	char name[80];

	if (attempt->limit.count || (!wanted->processes && !memory_bytes))
		return 0;
	if (memory_bytes && cgroup_limit_check(false, NULL) < 0)
		memory_bytes = 0; /* RLIMIT_AS must do */
	if (!wanted->processes && !memory_bytes)
		return 0;
	snprintf(name, sizeof name, "upkeep-%s-%u", attempt->engine->setup->id, attempt->task);
	return cgroup_limit_open(attempt->engine->cgroups, cgroup, name, wanted->processes,
		memory_bytes, &attempt->limit, err);
}

/* ---- the start ---- */

/* By the table of mounts, not by asking the file system, which may hang. */
static bool is_local_dir(struct engine *engine, const char *path)
{
	static const char local[] = "ext2 ext3 ext4 xfs btrfs tmpfs overlay zfs f2fs ramfs rootfs "
				    "squashfs vfat iso9660 bcachefs devtmpfs proc sysfs";
	size_t best = 0;
	bool is_local = false;

	if (!engine->mounts &&
		file_load("/proc/self/mountinfo", 16u << 20, &engine->mounts, NULL, NULL) < 0)
		return false;
	for (const char *line = engine->mounts; *line;
		line += strcspn(line, "\n"), line += !!*line) {
		char point[1024], type[64];
		const char *dash = strstr(line, " - ");
		if (sscanf(line, "%*s %*s %*s %*s %1023s", point) != 1 || !dash ||
			sscanf(dash, " - %63s", type) != 1)
			continue;
		size_t n = strlen(point);
		n -= n == 1;
		if (n >= best && strncmp(path, point, n) == 0 && (path[n] == '/' || !path[n])) {
			best = n;
			is_local = text_in_words(type, local);
		}
	}
	return is_local;
}

struct helper {
	char status[12], environment[12], parent[12], uid[12], gid[12];
	char *env[2];
	struct text groups;
	char **argv;
	struct process_fd fds[REQUEST_FDS + 3];
};

static void fill_helper(struct helper *helper, const struct launch_request *request,
	const struct user *user, int status_fd)
{
	size_t count = 0;

	snprintf(helper->status, sizeof helper->status, "%d", status_fd);
	snprintf(helper->environment, sizeof helper->environment, "%d", status_fd + 1);
	snprintf(helper->parent, sizeof helper->parent, "%d", (int)getpid());
	if (user->other) {
		snprintf(helper->uid, sizeof helper->uid, "%u", user->uid);
		snprintf(helper->gid, sizeof helper->gid, "%u", user->gid);
	}
	for (size_t i = 0; i < user->group_count; i++)
		text_addf(&helper->groups, "%s%u", i ? "," : "", user->groups[i]);
	while (request->argv[count])
		count++;
	const char *head[] = {"upkeep", "--launch", helper->status, helper->environment,
		helper->parent, helper->uid, helper->gid, text_string(&helper->groups),
		request->cwd ? request->cwd : "/", request->path};
	size_t heads = sizeof head / sizeof head[0];
	helper->argv = base_alloc((heads + count + 1) * sizeof helper->argv[0]);
	memcpy(helper->argv, head, sizeof head);
	memcpy(helper->argv + heads, request->argv, count * sizeof request->argv[0]);
}

/* In memory, where nobody but the helper reads it: it may hold secrets. */
static int write_environment(char *const *env, struct error *err)
{
	CLEANUP_FD int fd = memfd_create("environment", MFD_CLOEXEC);

	for (; fd >= 0 && *env; env++)
		if (file_write(fd, *env, strlen(*env) + 1) < 0)
			break;
	if (fd < 0 || *env)
		return error_set(err, -errno, NULL, "cannot write an environment to memory: %m");
	return TAKE_FD(fd);
}

static int launch_by_helper(const struct launch_request *request, const struct user *user,
	struct process_spec *spec, struct process *ret, struct error *err)
{
	struct helper helper = {0};
	struct attempt *attempt = request->attempt;
	int status_fd = 3;

	for (size_t i = 0; i < request->fd_count; i++)
		if (request->fds[i].to >= status_fd)
			status_fd = request->fds[i].to + 1;
	if (request->fd_count + 2 > sizeof helper.fds / sizeof helper.fds[0])
		return error_set(err, -E2BIG, NULL, "too many descriptors for %s", request->path);
	int r = attempt->starting_end >= 0 ? 0
					   : stream_open(attempt, &attempt->starting,
						     STREAM_CAPTURE, &attempt->starting_end, err);
	CLEANUP_FD int environment = r < 0 ? r : write_environment(request->envp, err);
	if (environment < 0)
		return environment;
	fill_helper(&helper, request, user, status_fd);
	memcpy(helper.fds, request->fds, request->fd_count * sizeof helper.fds[0]);
	helper.fds[request->fd_count] = (struct process_fd){attempt->starting_end, status_fd};
	helper.fds[request->fd_count + 1] = (struct process_fd){environment, status_fd + 1};
	helper.env[0] = attempt->mark;
	spec->path = attempt->engine->program;
	spec->argv = helper.argv;
	spec->fds = helper.fds;
	spec->fd_count = request->fd_count + 2;
	spec->envp = helper.env;
	spec->cwd = NULL;
	r = process_spawn(spec, ret, err);
	free(helper.argv);
	text_free(&helper.groups);
	spec->argv = spec->envp = NULL;
	spec->fds = NULL;
	return r;
}

static int launch(const struct launch_request *request, struct process *ret, struct error *err)
{
	struct attempt *attempt = request->attempt;
	struct engine *engine = attempt->engine;
	const struct task_options *options = attempt->options;
	const struct user *user = engine_user(engine, options, err);
	struct process_limit limits[LIMITS_MAX];
	int cgroup_fds[3];

	if (!user)
		return -ENOENT;
	int r = launch_open_limit(attempt, request->cgroup, err);
	if (r < 0)
		return r;
	struct process_spec spec = {.path = request->path,
		.argv = request->argv,
		.envp = request->envp,
		.fds = request->fds,
		.fd_count = request->fd_count,
		.cwd = request->cwd ? request->cwd : "/",
		.new_group = true,
		.parent_death_kill = true,
		.set_umask = options->has_umask,
		.umask = options->umask,
		.set_nice = options->has_nice,
		.nice = options->nice,
		.limits = limits,
		.limit_count = launch_limits(attempt, limits),
		.no_pidfd = true};
	cgroup_join(engine->cgroups, request->cgroup, &spec);
	for (size_t i = 0; i < spec.cgroup_count; i++)
		cgroup_fds[i] = spec.cgroup_fds[i];
	for (unsigned i = 0; i < attempt->limit.count; i++)
		cgroup_fds[spec.cgroup_count++] = attempt->limit.procs[i];
	spec.cgroup_fds = cgroup_fds;
	bool helped = user->other || (request->cwd && !is_local_dir(engine, request->cwd));
	r = helped ? launch_by_helper(request, user, &spec, ret, err)
		   : process_spawn(&spec, ret, err);
	if (r == 0 && engine->guardian)
		guardian_spawned(engine, ret->pid);
	return r;
}

/* Every process of a task that reads a stream holds it open: see hold_open. */
int program_launch(const struct launch_request *request, struct process *ret, struct error *err)
{
	struct process_fd fds[REQUEST_FDS + 1];
	struct launch_request held = *request;
	int hold = flow_hold_fd(request->attempt), number = 3;

	if (hold < 0 || request->is_worker)
		return launch(request, ret, err);
	for (size_t i = 0; i < request->fd_count; i++) {
		fds[i] = request->fds[i];
		if (fds[i].to >= number)
			number = fds[i].to + 1;
	}
	fds[held.fd_count++] = (struct process_fd){hold, number};
	held.fds = fds;
	return launch(&held, ret, err);
}
