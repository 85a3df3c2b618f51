/* SPDX-License-Identifier: MIT */
#include "worker/worker.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "model/describe_bytes.h"
#include "model/state.h"
#include "worker/crash.h"
#include "worker/host.h"
#include "worker/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLEANUP_OUT __attribute__((cleanup(wire_out_free)))

void worker_stop(struct worker *worker, int code)
{
	(void)worker;
	fflush(NULL);
	_exit(code);
}

void worker_send(struct worker *worker, const struct wire_out *out)
{
	if (wire_send(worker->socket, out, 0) < 0)
		worker_stop(worker, EXIT_INTERNAL);
}

/* ---- STARTs ---- */

static void read_record(struct wire_in *in, struct start *start)
{
	const struct wire_field *payload = &in->fields[WIRE_PAYLOAD];
	size_t count;

	start->has_record = wire_has(in, WIRE_NAME);
	start->record = (struct upkeep_undo){.struct_size = sizeof start->record,
		.kind = arena_string(&start->arena, wire_get_text(in, WIRE_NAME)),
		.version = (uint32_t)wire_get_number(in, WIRE_VERSION),
		.payload = arena_copy(&start->arena, (const char *)payload->bytes, payload->size),
		.payload_size = payload->size,
		.about = arena_string(&start->arena, wire_get_text(in, WIRE_ABOUT)),
		.id = (uint64_t)wire_get_number(in, WIRE_ID),
		.fingerprint = arena_string(&start->arena, wire_get_text(in, WIRE_TEXT))};
	start->record.files = wire_get_texts(in, WIRE_FILES, &start->arena, &count);
	start->record.file_count = count;
}

/* Descriptors come in the order of the bits that name them. */
static int next_fd(struct wire_in *in, int64_t bit, uint32_t *at)
{
	return wire_get_number(in, WIRE_FDS_SENT) & bit ? wire_take_fd(in, (*at)++) : -1;
}

static ino_t pipe_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) ? st.st_ino : 0;
}

static void read_start(struct worker *worker)
{
	struct wire_in *in = &worker->in;
	struct start *start = base_alloc(sizeof *start);
	uint32_t fd = 0;

	start->serial = wire_get_number(in, WIRE_SERIAL);
	start->mode = (enum wire_mode)wire_get_number(in, WIRE_MODE);
	start->attempt = (uint32_t)wire_get_number(in, WIRE_ATTEMPT);
	start->started_s = wire_get_number(in, WIRE_TIME);
	start->timeout_ms = wire_get_number(in, WIRE_TIMEOUT);
	start->task = arena_string(&start->arena, wire_get_text(in, WIRE_TASK));
	start->action = arena_string(&start->arena, wire_get_text(in, WIRE_ACTION));
	start->run_id = arena_string(&start->arena, wire_get_text(in, WIRE_RUN_ID));
	if (wire_has(in, WIRE_ARGS))
		start->unreadable = wire_get_value(in, WIRE_ARGS, &start->arena, &start->args) < 0;
	if (wire_has(in, WIRE_DATA)) {
		start->token_size = in->fields[WIRE_DATA].size;
		start->token = arena_copy(&start->arena, (const char *)in->fields[WIRE_DATA].bytes,
			start->token_size);
	}
	if (wire_has(in, WIRE_NAME))
		read_record(in, start);
	start->in = next_fd(in, WIRE_FD_IN, &fd);
	start->out = next_fd(in, WIRE_FD_OUT, &fd);
	start->to_stdout = next_fd(in, WIRE_FD_STDOUT, &fd);
	start->to_stderr = next_fd(in, WIRE_FD_STDERR, &fd);
	start->hold = next_fd(in, WIRE_FD_HOLD, &fd);
	start->in_pipe = pipe_of(start->in);
	start->out_pipe = pipe_of(start->out);
	vec_push(&worker->queue, start);
}

/* The plugin may have closed it, and its number be that of something else now. */
static void close_stream(int fd, ino_t pipe)
{
	if (pipe && pipe_of(fd) == pipe)
		close(fd);
}

static void free_start(struct start *start)
{
	close_stream(start->in, start->in_pipe);
	close_stream(start->out, start->out_pipe);
	cleanup_fd(&start->to_stdout);
	cleanup_fd(&start->to_stderr);
	cleanup_fd(&start->hold);
	arena_free(&start->arena);
	free(start);
}

static void cancel_start(struct worker *worker, int64_t serial)
{
	vec_each(&worker->queue, start)
		if ((*start)->serial == serial)
			(*start)->cancelled = true;
}

static bool take(struct worker *worker, int flags)
{
	int r = wire_receive(worker->socket, WIRE_WORKER, &worker->in, flags);

	if (r == -EAGAIN)
		return false;
	if (r <= 0) {
		worker->ended = true;
		return false;
	}
	if (worker->in.kind == WIRE_START && worker->queue.count < WIRE_QUEUE)
		read_start(worker);
	else if (worker->in.kind == WIRE_CANCEL)
		cancel_start(worker, wire_get_number(&worker->in, WIRE_SERIAL));
	else if (worker->in.kind != WIRE_ANSWER)
		worker->ended = true; /* an engine that breaks its own rules is no engine */
	return !worker->ended;
}

bool worker_take(struct worker *worker)
{
	return take(worker, 0);
}

/* ---- calling ---- */

static int fault(struct call *call, const char *why)
{
	if (!call->what) {
		call->what = base_string("the action could not be called");
		call->why = base_string(why);
	}
	return UPKEEP_FAILED;
}

static int open_session(struct worker *worker, struct call *failed)
{
	struct call call;

	if (worker->opened || !worker->admitted.plugin.open) {
		failed->ctx.session = worker->session;
		return 0;
	}
	call_init(&call, worker, NULL, CALL_OPEN);
	int r = worker->admitted.plugin.open(&call.ctx, &worker->session);
	if (r >= 0) {
		worker->opened = true;
	} else {
		failed->what =
			call.what ? TAKE_PTR(call.what) : base_string("the plugin's open failed");
		failed->why = TAKE_PTR(call.why);
		failed->next = TAKE_PTR(call.next);
	}
	failed->ctx.session = worker->session;
	call_end(&call);
	return r < 0 ? r : 0;
}

static void close_session(struct worker *worker)
{
	struct call call;

	if (!worker->opened || !worker->admitted.plugin.close)
		return;
	call_init(&call, worker, NULL, CALL_OPEN);
	worker->admitted.plugin.close(&call.ctx, worker->session);
	call_end(&call);
}

static int call_back(struct call *call, const struct upkeep_action *action)
{
	struct upkeep_ctx *ctx = &call->ctx;
	const struct upkeep_undo *record = call->start->has_record ? &call->start->record : NULL;

	switch (call->mode) {
	case CALL_RUN:
		return action->run(ctx);
	case CALL_PLAN:
		return action->plan ? action->plan(ctx) : UPKEEP_CHANGED;
	case CALL_CHECK:
		return action->check ? action->check(ctx) : UPKEEP_UNCHANGED;
	case CALL_PROBE:
		return action->probe ? action->probe(ctx, record) : UPKEEP_NOT_DONE;
	case CALL_UNDO:
		return action->undo && record ? action->undo(ctx, record)
					      : fault(call, "there is nothing that could undo it");
	case CALL_OPEN:
		break;
	}
	return fault(call, "unknown mode");
}

/* Rules between arguments hold before anything is planned or done; of what is not known yet
 * nothing can be said. */
static int call_checked(struct call *call, const struct upkeep_action *action)
{
	enum call_mode mode = call->mode;

	if ((mode == CALL_RUN || mode == CALL_PLAN) && action->check &&
		!arguments_unknown(&call->arguments)) {
		call->mode = CALL_CHECK;
		int r = action->check(&call->ctx);
		call->mode = mode;
		if (r < 0)
			return r;
	}
	return call_back(call, action);
}

static int decode_arguments(struct call *call, const struct action_description *action)
{
	CLEANUP_ERROR struct error err = {0};
	bool without =
		call->mode == CALL_UNDO || (call->mode == CALL_PROBE && call->start->has_record);

	if (without)
		return 0;
	if (call->start->unreadable)
		return fault(call, "its arguments could not be read");
	int r = arguments_decode(action->decl.params, action->decl.param_count,
		action->decl.params_size, &call->start->args, &call->start->arena, &call->arguments,
		&err);
	if (r < 0)
		return fault(call, error_what(&err));
	call->ctx.args = call->arguments.block;
	return 0;
}

/* What the plugin prints by itself goes to this task's log. */
static int redirect(int to, int standard)
{
	int saved = -1;

	if (to >= 0) {
		saved = fcntl(standard, F_DUPFD_CLOEXEC, 10);
		dup2(to, standard);
	}
	return saved;
}

static void redirect_back(int saved, int standard)
{
	if (saved >= 0) {
		dup2(saved, standard);
		close(saved);
	}
}

static int make_call(struct worker *worker, struct call *call)
{
	struct start *start = call->start;
	const struct upkeep_action *action =
		start->action ? admitted_action(&worker->admitted, start->action) : NULL;

	if (!action)
		return fault(call, "the plugin has no such action");
	call->action = description_action(&worker->admitted.description, start->action);
	int r = decode_arguments(call, call->action);
	if (r == 0 && call->mode != CALL_CHECK)
		r = open_session(worker, call);
	if (r < 0)
		return r;
	int saved_out = redirect(start->to_stdout, 1), saved_err = redirect(start->to_stderr, 2);
	r = call_checked(call, action);
	fflush(NULL);
	redirect_back(saved_out, 1);
	redirect_back(saved_err, 2);
	if (!rules_result(call->mode, r)) {
		char why[64];
		snprintf(why, sizeof why, "it returned %d, which means nothing there", r);
		r = fault(call, why);
	}
	return r;
}

static void run_start(struct worker *worker, struct start *start)
{
	CLEANUP_OUT struct wire_out out = {0};
	struct call call;
	int r = UPKEEP_CANCELLED;

	call_init(&call, worker, start, (enum call_mode)start->mode);
	if (!start->cancelled)
		r = make_call(worker, &call);
	wire_begin(&out, WIRE_DONE);
	wire_number(&out, WIRE_SERIAL, start->serial);
	wire_number(&out, WIRE_RESULT, r);
	wire_text(&out, WIRE_TEXT, call.what);
	wire_text(&out, WIRE_WHY, call.why);
	wire_text(&out, WIRE_NEXT, call.next);
	worker_send(worker, &out);
	call_end(&call);
	free_start(start);
}

static void run_next(struct worker *worker)
{
	while (take(worker, MSG_DONTWAIT)) /* CANCELs that wait behind it */
		;
	struct start *start = worker->queue.items[0];
	worker->queue.count--;
	memmove(worker->queue.items, worker->queue.items + 1,
		worker->queue.count * sizeof worker->queue.items[0]);
	if (worker->ended)
		free_start(start);
	else
		run_start(worker, start);
}

/* ---- loading ---- */

static int load_plugin(struct worker *worker, struct error *err)
{
	struct wire_in *in = &worker->in;
	const struct upkeep_plugin *plugin;
	struct value settings = {0};
	CLEANUP_FREE char *name = base_string(wire_get_text(in, WIRE_NAME));
	CLEANUP_FREE char *path = base_string(wire_get_text(in, WIRE_PATH));
	CLEANUP_FD int fd = wire_take_fd(in, 0);

	worker->instance = arena_string(&worker->arena, wire_get_text(in, WIRE_INSTANCE));
	if (wire_has(in, WIRE_SETTINGS) &&
		wire_get_value(in, WIRE_SETTINGS, &worker->arena, &settings) < 0)
		return error_set(err, -EBADMSG, NULL, "the settings could not be read");
	int r = plugin_load(fd, path, &plugin, err);
	if (r == 0)
		r = plugin_admit(plugin, name, path, &worker->arena, &worker->admitted, err);
	const struct plugin_description *description = &worker->admitted.description;
	if (r == 0)
		r = arguments_decode(description->settings, description->setting_count,
			description->settings_size, &settings, &worker->arena, &worker->settings,
			err);
	return r;
}

static bool load(struct worker *worker)
{
	CLEANUP_OUT struct wire_out out = {0};
	CLEANUP_ERROR struct error err = {0};

	if (wire_receive(worker->socket, WIRE_WORKER, &worker->in, 0) != 1 ||
		worker->in.kind != WIRE_LOAD)
		return false;
	int r = load_plugin(worker, &err);
	wire_begin(&out, r < 0 ? WIRE_REFUSED : WIRE_LOADED);
	wire_text(&out, WIRE_TEXT, r < 0 ? error_what(&err) : worker->admitted.description.version);
	if (r < 0)
		wire_text(&out, WIRE_NEXT, err.next);
	worker_send(worker, &out);
	return r == 0;
}

static void take_next(struct worker *worker)
{
	int64_t until_ns = clock_monotonic_ns() + WIRE_SOON_NS;
	bool taken;

	do
		taken = take(worker, MSG_DONTWAIT);
	while (!taken && !worker->ended && sched_yield() == 0 && clock_monotonic_ns() < until_ns);
	if (!taken && !worker->ended)
		take(worker, 0);
}

void worker_main(int socket)
{
	struct worker worker = {.socket = socket};

	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
	fcntl(socket, F_SETFD, FD_CLOEXEC);
	crash_report();
	if (!load(&worker))
		worker_stop(&worker, EXIT_PLUGIN);
	while (!worker.ended)
		if (worker.queue.count)
			run_next(&worker);
		else
			take_next(&worker);
	close_session(&worker);
	worker_stop(&worker, 0);
}

/* ---- describing ---- */

static int describe(int fd, const char *name, const char *path)
{
	struct arena arena = {0};
	CLEANUP_ERROR struct error err = {0};
	const struct upkeep_plugin *plugin;
	struct admitted admitted;
	CLEANUP_TEXT struct text answer = {0};

	/* What constructors print must not get between. */
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	int r = plugin_load(fd, path, &plugin, &err);
	if (r == 0)
		r = plugin_admit(plugin, name, path, &arena, &admitted, &err);
	if (r < 0)
		refusal_write(&err, &answer);
	else
		description_write(&admitted.description, &answer);
	file_write(out, answer.bytes, answer.size);
	fflush(NULL);
	_exit(r < 0 ? EXIT_PLUGIN : 0);
}

int worker_entry(int argc, char *const *argv)
{
	if (argc == 2 && strcmp(argv[1], "--worker") == 0)
		worker_main(WORKER_SOCKET);
	if (argc == 4 && strcmp(argv[1], "--describe-plugin") == 0)
		return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
			? EXIT_INTERNAL
			: describe(WORKER_SOCKET, argv[2], argv[3]);
	return -1;
}
