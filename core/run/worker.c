/* SPDX-License-Identifier: MIT */
#include "run/worker.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "run/children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define WORKER_SOCKET_FD 3
#define MESSAGES_A_TURN 64
#define FILES_MAX 256 /* of an undo record (upkeep/plugin.h) */

/* ---- their output ---- */

static bool read_output(struct worker *worker)
{
	UNFILLED char buffer[65536];
	ssize_t n = read(worker->output.fd, buffer, sizeof buffer);

	if (n > 0 && worker->attempt)
		attempt_log(worker->attempt, buffer, (size_t)n, false);
	return n > 0;
}

static void output_ready(struct engine *engine, struct source *source, uint32_t events)
{
	struct worker *worker = (struct worker *)((char *)source - offsetof(struct worker, output));

	if (!read_output(worker) && (events & EPOLLHUP))
		engine_unwatch(engine, source);
}

/* ---- their end ---- */

static void worker_kill(struct worker *worker)
{
	if (!worker->reaped)
		kill(worker->pid, SIGKILL);
	cgroup_kill(worker->engine->cgroups, &worker->cgroup);
}

static void worker_free(struct worker *worker)
{
	struct engine *engine = worker->engine;
	size_t at = 0;

	engine_unwatch(engine, &worker->socket);
	engine_unwatch(engine, &worker->output);
	cgroup_remove(engine->cgroups, &worker->cgroup);
	cgroup_limit_close(&worker->limit);
	vec_free(&worker->secrets);
	while (engine->workers.items[at] != worker)
		at++;
	engine->workers.items[at] = engine->workers.items[--engine->workers.count];
	free(worker);
}

static void blame(struct worker *worker)
{
	struct attempt *attempt = worker->attempt;
	const char *plugin = worker->instance->plugin;
	int status = worker->status;

	if (!worker->loaded)
		stream_finish(&attempt->starting);
	if (!worker->loaded && attempt->starting.kept.size) {
		attempt_fail(attempt, REASON_START, NULL, "%s", attempt->starting.kept.bytes);
		attempt->starting.kept.size = 0;
	} else if (WIFSIGNALED(status)) {
		attempt->exit_code = 256 + WTERMSIG(status);
		attempt_fail(attempt, REASON_SIGNAL, NULL,
			"the plugin \"%s\" was killed by signal %d (%s)", plugin, WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	} else {
		attempt->exit_code = WEXITSTATUS(status);
		attempt_fail(attempt, REASON_EXIT, NULL,
			"the plugin \"%s\" ended its process with exit code %d instead of "
			"answering",
			plugin, WEXITSTATUS(status));
	}
}

/* What it said before it died has been read: only then its end is judged. */
static void worker_over(struct worker *worker)
{
	struct attempt *attempt = worker->attempt;

	if (!worker->reaped || !worker->dead)
		return;
	if (cgroup_is_populated(&worker->cgroup))
		cgroup_kill(worker->engine->cgroups, &worker->cgroup);
	if (!attempt) {
		worker_free(worker);
		return;
	}
	blame(worker);
	attempt->changed = worker->loaded && action_may_have_changed(attempt);
	attempt->action->done = true;
	attempt_check(attempt);
}

bool workers_include(const struct engine *engine, pid_t pid)
{
	vec_each(&engine->workers, w)
		if ((*w)->pid == pid)
			return true;
	return false;
}

bool workers_reaped(struct engine *engine, pid_t pid, int status)
{
	vec_each(&engine->workers, w) {
		struct worker *worker = *w;
		if (worker->pid != pid || worker->reaped)
			continue;
		worker->reaped = true;
		worker->status = status;
		worker_over(worker);
		return true;
	}
	return false;
}

void worker_distrust(struct worker *worker, const char *why)
{
	if (worker->attempt)
		attempt_fail(worker->attempt, REASON_PROTOCOL, NULL, "the plugin \"%s\" %s",
			worker->instance->plugin, why);
	worker->dead = true;
	engine_unwatch(worker->engine, &worker->socket);
	worker_kill(worker);
}

static void socket_ready(struct engine *engine, struct source *source, uint32_t events)
{
	struct worker *worker = (struct worker *)((char *)source - offsetof(struct worker, socket));

	(void)events;
	for (int i = 0; i < MESSAGES_A_TURN && source->fd >= 0; i++) {
		int r = wire_receive(source->fd, WIRE_ENGINE, &engine->in, MSG_DONTWAIT);
		if (r == -EAGAIN)
			return;
		if (r == -ECONNRESET) /* it died with our message unread: its own come next */
			continue;
		if (r == 0) {
			worker->dead = true;
			engine_unwatch(engine, source);
			worker_over(worker);
			return;
		}
		if (r == 1)
			r = host_message(worker, &engine->in);
		if (r < 0) {
			worker_distrust(worker, r == -EAGAIN ? DISTRUST_DEAF : DISTRUST_FORM);
			worker_over(worker);
			return;
		}
		if (engine->in.kind == WIRE_DONE)
			return; /* the worker may be gone */
	}
}

/* ---- their start ---- */

static bool same_limits(const struct limits *a, const struct limits *b)
{
	return a->memory_bytes == b->memory_bytes && a->processes == b->processes &&
		a->files == b->files && a->file_size_bytes == b->file_size_bytes &&
		a->cpu_time_ms == b->cpu_time_ms;
}

static bool same_options(const struct task_options *a, const struct task_options *b)
{
	if (a->env.has_refs || (a->cwd && strstr(a->cwd, "${")))
		return false; /* another value each time */
	if (a == b)
		return true;
	return text_equal(a->run_as, b->run_as) && text_equal(a->run_as_group, b->run_as_group) &&
		same_limits(&a->limits, &b->limits) && a->has_umask == b->has_umask &&
		a->umask == b->umask && a->has_nice == b->has_nice && a->nice == b->nice &&
		text_equal(a->cwd, b->cwd) && !b->env.has_refs && value_equal(&a->env, &b->env);
}

static struct worker *idle_worker(struct attempt *attempt)
{
	vec_each(&attempt->engine->workers, w) {
		struct worker *worker = *w;
		if (!worker->attempt && !worker->dead && !worker->reaped && !worker->guarded &&
			worker->instance == attempt->detail->task->instance &&
			same_options(worker->options, attempt->options))
			return worker;
	}
	return NULL;
}

static int open_plugin(struct engine *engine, const struct instance *instance, struct error *err)
{
	size_t index = (size_t)(instance - engine->plan->site->instances);

	if (!engine->plugin_fds)
		engine->plugin_fds = base_alloc(engine->plan->site->instance_count * sizeof(int));
	if (!engine->plugin_fds[index]) {
		int fd = open(instance->path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return error_set(
				err, -errno, NULL, "cannot open the plugin %s: %m", instance->path);
		engine->plugin_fds[index] = fd;
	}
	return engine->plugin_fds[index];
}

static int send_load(struct worker *worker, struct error *err)
{
	struct wire_out *out = &worker->engine->out;
	const struct instance *instance = worker->instance;
	int plugin = open_plugin(worker->engine, instance, err);

	if (plugin < 0)
		return plugin;
	wire_begin(out, WIRE_LOAD);
	wire_text(out, WIRE_NAME, instance->plugin);
	wire_text(out, WIRE_PATH, instance->path);
	wire_text(out, WIRE_INSTANCE, instance->name);
	wire_value(out, WIRE_SETTINGS, &instance->settings);
	wire_fd(out, plugin);
	int r = wire_send(worker->socket.fd, out, MSG_DONTWAIT);
	if (r < 0 && r != -EPIPE) { /* its end says why */
		errno = -r;
		return error_set(
			err, r, NULL, "cannot send the settings of \"%s\": %m", instance->name);
	}
	return 0;
}

static int spawn_worker(
	struct worker *worker, struct attempt *attempt, int socket, int output, struct error *err)
{
	const char *const argv[] = {"upkeep", "--worker", NULL};
	struct process_fd fds[] = {{output, 1}, {output, 2}, {socket, WORKER_SOCKET_FD}};
	CLEANUP_FREE char **envp = program_environment(attempt, NULL, err);
	struct process process;

	if (!envp)
		return -EINVAL;
	int r = program_launch(&(struct launch_request){.attempt = attempt,
				       .path = worker->engine->program,
				       .argv = (char *const *)argv,
				       .envp = envp,
				       .cwd = attempt->cwd,
				       .fds = fds,
				       .fd_count = 3,
				       .cgroup = &worker->cgroup,
				       .is_worker = true},
		&process, err);
	worker->limit = attempt->limit;
	attempt->limit = (struct cgroup_limit){0};
	memcpy(worker->mark, attempt->mark, sizeof worker->mark);
	if (r == 0)
		worker->pid = process.pid;
	return r;
}

static int open_worker(struct worker *worker, struct attempt *attempt, struct error *err)
{
	struct engine *engine = worker->engine;
	int pair[2], pipes[2];
	char name[32];

	snprintf(name, sizeof name, "worker-%u", worker->number);
	int r = cgroup_open(engine->cgroups, name, &worker->cgroup);
	if (r < 0)
		return error_set(err, r, NULL, "cannot make a cgroup for a worker");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, NULL, "cannot make a socket pair: %m");
	worker->socket.fd = pair[0];
	if (pipe2(pipes, O_CLOEXEC) < 0) {
		close(pair[1]);
		return error_set(err, -errno, NULL, "cannot make a pipe: %m");
	}
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	worker->output.fd = pipes[0];
	r = spawn_worker(worker, attempt, pair[1], pipes[1], err);
	close(pair[1]);
	close(pipes[1]);
	engine_watch(engine, &worker->socket, EPOLLIN);
	engine_watch(engine, &worker->output, EPOLLIN);
	return r < 0 ? r : send_load(worker, err);
}

static struct worker *new_worker(struct attempt *attempt, struct error *err)
{
	struct engine *engine = attempt->engine;
	struct worker *worker = base_alloc(sizeof *worker);

	*worker = (struct worker){.engine = engine,
		.instance = attempt->detail->task->instance,
		.options = attempt->options,
		.number = engine->worker_serial++,
		.socket = {-1, socket_ready},
		.output = {-1, output_ready},
		.cgroup = CGROUP_INIT};
	vec_push(&engine->workers, worker);
	if (open_worker(worker, attempt, err) == 0)
		return worker;
	if (worker->pid) {
		worker->dead = true;
		worker_kill(worker);
	} else {
		worker_free(worker);
	}
	return NULL;
}

/* ---- actions ---- */

static enum wire_mode mode_of(const struct attempt *attempt)
{
	if (attempt_probes(attempt))
		return WIRE_MODE_PROBE;
	if (attempt->record)
		return WIRE_MODE_UNDO;
	return attempt->engine->options->plan_only ? WIRE_MODE_PLAN : WIRE_MODE_RUN;
}

void wire_record(struct wire_out *out, const struct journal_undo *row)
{
	CLEANUP_FREE char *files = base_string(row->files);
	char *rest = files, *name;
	const char *names[FILES_MAX];
	size_t count = 0;

	while (rest && count < FILES_MAX && (name = strsep(&rest, "\n")))
		names[count++] = name;
	wire_text(out, WIRE_NAME, row->kind);
	wire_number(out, WIRE_VERSION, row->version);
	wire_bytes(out, WIRE_PAYLOAD, row->payload, strlen(row->payload));
	wire_texts(out, WIRE_FILES, names, count);
	wire_text(out, WIRE_ABOUT, row->about ? row->about : "");
	wire_number(out, WIRE_ID, (int64_t)row->id);
}

/* Of a saved plan. */
static void put_token(struct wire_out *out, const struct attempt *attempt)
{
	const struct run_token *tokens = attempt->engine->options->tokens;

	if (tokens && tokens[attempt->task].bytes && attempt->kind == ATTEMPT_RUN)
		wire_bytes(out, WIRE_DATA, tokens[attempt->task].bytes, tokens[attempt->task].size);
}

static int send_start(struct worker *worker, struct attempt *attempt, struct error *err)
{
	struct engine *engine = worker->engine;
	struct wire_out *out = &engine->out;

	wire_begin(out, WIRE_START);
	wire_number(out, WIRE_SERIAL, ++worker->serial);
	wire_number(out, WIRE_MODE, mode_of(attempt));
	wire_text(out, WIRE_TASK, attempt->detail->name);
	wire_text(out, WIRE_RUN_ID, engine->setup->id);
	wire_number(out, WIRE_ATTEMPT, attempt->number);
	wire_number(out, WIRE_TIME, engine->setup->started_ms / 1000);
	wire_text(out, WIRE_ACTION, attempt->detail->task->action->decl.name);
	if (attempt->record) {
		wire_record(out, &attempt->record->row);
		wire_text(out, WIRE_TEXT, attempt->record->row.fingerprint);
	} else {
		wire_value(out, WIRE_ARGS, &attempt->args);
		put_token(out, attempt);
	}
	if (attempt->options->timeout_ms)
		wire_number(out, WIRE_TIMEOUT, attempt->options->timeout_ms);
	flow_send(attempt, out);
	engine->told_worker = true;
	int r = wire_send(worker->socket.fd, out, MSG_DONTWAIT);
	if (r < 0 && r != -EPIPE) { /* its end says why */
		errno = -r;
		return error_set(err, r, NULL, "cannot send the arguments to a worker: %m");
	}
	return 0;
}

static bool plan_says_nothing(struct attempt *attempt)
{
	struct engine *engine = attempt->engine;
	const struct action_description *action = attempt->detail->task->action;

	if (!engine->options->plan_only || attempt->kind != ATTEMPT_RUN || attempt_probes(attempt))
		return false;
	bool enough = foresee_arguments(attempt);
	if (enough && (action->has & ACTION_HAS_PLAN))
		return false;
	attempt->state = TASK_SUCCEEDED;
	if (enough && action->decl.changes != UPKEEP_CHANGES_NONE) {
		engine->would = true;
		engine_tell(engine,
			&(struct run_event){.kind = RUN_EVENT_WOULD,
				.task = attempt->task,
				.text = action->decl.about});
	}
	return true;
}

int action_prepare(struct attempt *attempt, struct error *err)
{
	return new_worker(attempt, err) ? 0 : -EIO;
}

int action_send(struct attempt *attempt, struct error *err)
{
	return send_start(attempt->action->worker, attempt, err);
}

int action_start(struct attempt *attempt, struct error *err)
{
	if (plan_says_nothing(attempt))
		return 0;
	/* What a guard may have to kill is known by the worker's mark. */
	struct worker *worker = attempt->guarded ? NULL : idle_worker(attempt);
	if (worker && launch_blank(attempt, err) < 0)
		return -ENOENT;
	if (!worker && !(worker = new_worker(attempt, err)))
		return -EIO;
	struct action *action = arena_new(&attempt->arena, struct action);
	action->worker = worker;
	worker->guarded = attempt->guarded;
	action->cancel_fd = action->cancel_end = action->log_end = action->temp_fd = -1;
	vec_each(&worker->secrets, s)
		blank_add(&attempt->blank, (*s)->text.bytes, (*s)->text.size);
	int r = send_start(worker, attempt, err);
	if (r < 0) {
		worker_kill(worker);
		return r;
	}
	attempt->limit = worker->limit; /* its programs count too; the worker's to close */
	attempt->action = action;
	worker->attempt = attempt;
	return 0;
}

void action_cancel(struct attempt *attempt, bool kill)
{
	struct action *action = attempt->action;

	flow_refuse(attempt);
	if (kill) {
		worker_kill(action->worker);
		attempt_signal(attempt, SIGKILL);
	} else if (action->cancel_end >= 0) {
		file_write(action->cancel_end, "c", 1);
		close(TAKE_FD(action->cancel_end));
	}
}

bool action_is_over(const struct attempt *attempt)
{
	return attempt->action->done;
}

pid_t action_process(const struct attempt *attempt)
{
	const struct worker *worker = attempt->action->worker;

	return attempt->action->done || worker->reaped ? 0 : worker->pid;
}

void action_abandon(struct attempt *attempt)
{
	struct action *action = attempt->action;

	if (action->done)
		return;
	action->done = action->worker->dead = true;
	engine_unwatch(attempt->engine, &action->worker->socket);
}

static void note_stray(void *data, pid_t pid)
{
	const struct worker *worker = data;

	if (pid != worker->pid)
		kill(pid, SIGKILL);
}

static void note_marked(void *data, pid_t pid)
{
	const struct worker *worker = data;

	if (!workers_include(worker->engine, pid) && child_has_variable(pid, worker->mark))
		kill(pid, SIGKILL);
}

/* Without cgroups: its children, and what was theirs and is ours now. */
static void end_strays(struct worker *worker)
{
	if (worker->cgroup.dir >= 0) {
		cgroup_each(&worker->cgroup, note_stray, worker);
		return;
	}
	children_each(worker->pid, note_stray, worker);
	children_each(getpid(), note_marked, worker);
}

/* The worker goes back to the idle ones; what its plugin forked does not. */
static void release_worker(struct attempt *attempt)
{
	struct worker *worker = attempt->action->worker;

	while (worker->output.fd >= 0 && read_output(worker))
		;
	attempt_log(attempt, "", 0, true);
	worker->attempt = NULL;
	if (worker->reaped && worker->dead)
		worker_free(worker);
	else if (!(attempt->detail->task->action->decl.flags & UPKEEP_LEAVES_RUNNING))
		end_strays(worker);
}

void action_end(struct attempt *attempt)
{
	struct action *action = attempt->action;

	release_worker(attempt);
	attempt->limit = (struct cgroup_limit){0};
	for (size_t i = 0; i < action->children.count; i++)
		if (action->children.items[i].end_fd >= 0)
			close(action->children.items[i].end_fd);
	vec_free(&action->children);
	const int fds[] = {action->cancel_fd, action->cancel_end, action->log_end, action->temp_fd};
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (action->temp_dir) {
		CLEANUP_ERROR struct error err = {0};
		if (file_remove_tree(AT_FDCWD, action->temp_dir, &err) < 0)
			engine_warn(attempt->engine, attempt->task, error_what(&err));
		free(action->temp_dir);
	}
}

bool action_reaped(struct attempt *attempt, pid_t pid, int status, const struct rusage *usage)
{
	struct action *action = attempt->action;

	(void)usage;
	for (size_t i = 0; i < action->children.count; i++) {
		struct child *child = &action->children.items[i];
		if (child->pid != pid || child->end_fd < 0)
			continue;
		int32_t end = WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
		file_write(child->end_fd, &end, sizeof end);
		close(TAKE_FD(child->end_fd));
		return true;
	}
	return false;
}

/* At the end of the run: their sockets end, they close their sessions; not for long. */
void workers_close(struct engine *engine)
{
	vec_each(&engine->workers, w)
		if ((*w)->socket.fd >= 0)
			shutdown((*w)->socket.fd, SHUT_RDWR);
	for (int i = 0; i < 200 && engine->workers.count; i++) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		for (size_t n = engine->workers.count; pid > 0 && n-- > 0;)
			if (engine->workers.items[n]->pid == pid) {
				worker_free(engine->workers.items[n]);
				break;
			}
		if (pid <= 0)
			usleep(5000);
	}
	while (engine->workers.count) {
		struct worker *worker = engine->workers.items[0];
		worker_kill(worker);
		worker_free(worker);
	}
	vec_free(&engine->workers);
}
