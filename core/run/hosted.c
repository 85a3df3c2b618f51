/* SPDX-License-Identifier: MIT */
/* The programs that an action asks for. */
#include "run/worker.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define CHILDREN_MAX 4096u

static int log_end(struct attempt *attempt, struct error *err)
{
	if (attempt->action->log_end >= 0)
		return 0;
	return stream_open(
		attempt, &attempt->streams[STREAM_LOG], STREAM_LOG, &attempt->action->log_end, err);
}

/* What it did not name of 1 and 2 goes to the log. */
static size_t child_fds(struct attempt *attempt, struct wire_in *in, struct process_fd *fds)
{
	bool named[3] = {false};
	size_t count = 0;

	for (size_t i = 0; i < in->fd_count; i++) {
		int64_t to = wire_get_item(in, WIRE_TARGETS, i);
		fds[count++] = (struct process_fd){in->fds[i], (int)to};
		if (to < 3)
			named[to] = true;
	}
	for (int to = 1; to <= 2; to++)
		if (!named[to])
			fds[count++] = (struct process_fd){attempt->action->log_end, to};
	return count;
}

static bool targets_are_sane(struct wire_in *in)
{
	if (wire_get_count(in, WIRE_TARGETS) != in->fd_count)
		return false;
	for (size_t i = 0; i < in->fd_count; i++) {
		int64_t to = wire_get_item(in, WIRE_TARGETS, i);
		if (to < 0 || to > 60)
			return false;
		for (size_t j = 0; j < i; j++)
			if (wire_get_item(in, WIRE_TARGETS, j) == to)
				return false;
	}
	return true;
}

static int spawn_child(
	struct worker *worker, struct wire_in *in, struct child *child, struct error *err)
{
	struct attempt *attempt = worker->attempt;
	struct process_fd fds[WIRE_FDS + 2];
	struct process process;
	char path[4096];
	size_t count;
	const char **argv = wire_get_texts(in, WIRE_ARGV, &attempt->arena, &count);
	const char **more = wire_get_texts(in, WIRE_ENV, &attempt->arena, &(size_t){0});

	if (!count || attempt->action->children.count >= CHILDREN_MAX || !targets_are_sane(in))
		return -EINVAL;
	snprintf(path, sizeof path, "%s", argv[0]);
	if (!strchr(argv[0], '/') ? process_find(argv[0], path, sizeof path) < 0 : *path != '/')
		return -ENOENT;
	CLEANUP_FREE char **envp = program_environment(attempt, more, err);
	int r = envp ? log_end(attempt, err) : -EINVAL;
	if (r < 0)
		return r;
	const char *cwd = wire_get_text(in, WIRE_PATH);
	size_t fd_count = child_fds(attempt, in, fds);
	r = program_launch(&(struct launch_request){.attempt = attempt,
				   .path = path,
				   .argv = (char *const *)argv,
				   .envp = envp,
				   .cwd = cwd ? cwd : attempt->cwd,
				   .fds = fds,
				   .fd_count = fd_count,
				   .cgroup = &attempt->slot->cgroup},
		&process, err);
	child->pid = process.pid;
	return r;
}

int host_spawn(struct worker *worker, struct wire_in *in)
{
	CLEANUP_ERROR struct error err = {0};
	struct action *action = worker->attempt->action;
	struct child child = {0};
	int pipes[2];

	if (worker->engine->options->plan_only && !worker->attempt->slot->has_cgroup)
		worker->attempt->slot->cgroup = (struct cgroup)CGROUP_INIT;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return host_answer(worker, -errno, -1, NULL, NULL);
	CLEANUP_FD int read_end = pipes[0];
	child.end_fd = pipes[1];
	int r = spawn_child(worker, in, &child, &err);
	if (r < 0) {
		close(child.end_fd);
		if (err.what) {
			attempt_log(worker->attempt, err.what, strlen(err.what), false);
			attempt_log(worker->attempt, "\n", 1, false);
		}
		return host_answer(worker, r, -1, NULL, NULL);
	}
	vec_push(&action->children, child);
	return host_answer(worker, (int64_t)action->children.count, read_end, NULL, NULL);
}

void host_kill(struct attempt *attempt, struct wire_in *in)
{
	int64_t handle = wire_get_number(in, WIRE_ID), number = wire_get_number(in, WIRE_SIGNAL);
	struct action *action = attempt->action;

	if (handle < 1 || (size_t)handle > action->children.count || number < 0 || number > 64)
		return;
	const struct child *child = &action->children.items[handle - 1];
	if (child->end_fd >= 0 && kill(-child->pid, (int)number) < 0)
		kill(child->pid, (int)number);
}
