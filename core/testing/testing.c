/* SPDX-License-Identifier: MIT */
/* What tests call: making a host, calling a plugin's actions. */
#include "testing/fake.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void fake_count(struct upkeep_test *test)
{
	pthread_mutex_lock(&test->lock);
	bool now = test->calls_until_cancel && --test->calls_until_cancel == 0;
	pthread_mutex_unlock(&test->lock);
	if (now)
		upkeep_test_cancel(test);
}

void upkeep_test_cancel(struct upkeep_test *test)
{
	eventfd_write(test->cancel_fd, 1);
}

void upkeep_test_cancel_after(struct upkeep_test *test, size_t calls)
{
	test->calls_until_cancel = calls;
}

int fake_dir(struct upkeep_test *test, const char *name, char **ret_path, int *place)
{
	if (*place >= 0)
		return *place;
	if (!test->dir) {
		const char *base = getenv("TMPDIR");
		struct text path = {0};
		text_addf(&path, "%s/upkeep-test-XXXXXX", base ? base : "/tmp");
		test->dir = text_take(&path);
		if (!mkdtemp(test->dir)) {
			free(TAKE_PTR(test->dir));
			return -errno;
		}
	}
	struct text path = {0};
	text_addf(&path, "%s/%s", test->dir, name);
	free(*ret_path);
	*ret_path = text_take(&path);
	if (mkdir(*ret_path, 0700) < 0 && errno != EEXIST)
		return -errno;
	*place = open(*ret_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *place < 0 ? -errno : *place;
}

const char *upkeep_test_undo_path(struct upkeep_test *test)
{
	fake_dir(test, "undo", &test->undo_path, &test->undo_dir);
	return test->undo_path;
}

const char *upkeep_test_temp_path(struct upkeep_test *test)
{
	fake_dir(test, "temp", &test->temp_path, &test->temp_dir);
	return test->temp_path;
}

static int32_t wrong(struct upkeep_test *test, const char *what)
{
	fprintf(stderr, "upkeep test: %s\n", what);
	test->what = arena_string(&test->arena, what);
	return UPKEEP_TEST_WRONG;
}

struct upkeep_test *upkeep_test_new(const struct upkeep_plugin *plugin)
{
	struct upkeep_test *test = base_alloc(sizeof *test);
	CLEANUP_ERROR struct error err = {0};

	signal(SIGPIPE, SIG_IGN); /* as in a worker */
	test->undo_dir = test->temp_dir = test->in = test->out = -1;
	test->whole = 1;
	test->left_ms = INT64_MAX;
	test->log_fd = memfd_create("log", MFD_CLOEXEC);
	fcntl(test->log_fd, F_SETFL, O_APPEND);
	test->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&test->lock, NULL);
	test->ctx = (struct upkeep_ctx){.struct_size = sizeof test->ctx,
		.host = &fake_host,
		.task = "test",
		.run_id = "test",
		.started_s = time(NULL),
		.attempt = 1};
	upkeep_test_clear(test);
	test->settings.kind = VALUE_GROUP;
	if (plugin_admit(plugin, NULL, "under test", &test->arena, &test->admitted, &err) == 0) {
		test->ctx.instance = test->admitted.plugin.name;
		return test;
	}
	fprintf(stderr, "upkeep test: %s\n", error_what(&err));
	upkeep_test_free(test);
	return NULL;
}

static void end_streams(struct upkeep_test *test)
{
	cleanup_fd(&test->in);
	test->in = -1;
	if (test->feeder > 0) {
		kill(test->feeder, SIGKILL);
		waitpid(test->feeder, NULL, 0);
		test->feeder = 0;
	}
}

void upkeep_test_free(struct upkeep_test *test)
{
	if (!test)
		return;
	if (test->opened && test->admitted.plugin.close) {
		test->ctx.args = NULL;
		test->admitted.plugin.close(&test->ctx, test->session);
	}
	fake_end_children(test);
	end_streams(test);
	cleanup_fd(&test->out);
	cleanup_fd(&test->log_fd);
	cleanup_fd(&test->cancel_fd);
	cleanup_fd(&test->undo_dir);
	cleanup_fd(&test->temp_dir);
	if (test->dir)
		file_remove_tree(AT_FDCWD, test->dir, NULL);
	free(test->dir);
	free(test->undo_path);
	free(test->temp_path);
	free(test->log);
	free(test->written);
	vec_free(&test->outputs);
	vec_free(&test->woulds);
	vec_free(&test->secrets);
	vec_free(&test->rows);
	vec_free(&test->records);
	vec_free(&test->children);
	pthread_mutex_destroy(&test->lock);
	arena_free(&test->arena);
	free(test);
}

/* ---- arguments ---- */

static void set(struct upkeep_test *test, struct value *group, const char *name, const char *text)
{
	struct value value = {.kind = VALUE_STRING, .string = arena_string(&test->arena, text)};

	fake_set(&test->arena, group, name, text ? &value : NULL);
}

static void add(struct upkeep_test *test, struct value *group, const char *name, const char *text)
{
	fake_append(&test->arena, group, name,
		(struct value){.kind = VALUE_STRING,
			.string = arena_string(&test->arena, text ? text : "")});
}

void upkeep_test_set(struct upkeep_test *test, const char *name, const char *value)
{
	set(test, &test->args, name, value);
}

void upkeep_test_add(struct upkeep_test *test, const char *name, const char *value)
{
	add(test, &test->args, name, value);
}

void upkeep_test_set_unknown(struct upkeep_test *test, const char *name)
{
	struct value value = {.kind = VALUE_UNKNOWN, .after = "another"};

	fake_set(&test->arena, &test->args, name, &value);
}

void upkeep_test_clear(struct upkeep_test *test)
{
	test->args = (struct value){.kind = VALUE_GROUP};
}

void upkeep_test_setting(struct upkeep_test *test, const char *name, const char *value)
{
	set(test, &test->settings, name, value);
}

void upkeep_test_setting_add(struct upkeep_test *test, const char *name, const char *value)
{
	add(test, &test->settings, name, value);
}

/* ---- calls ---- */

static int32_t prepare(struct upkeep_test *test)
{
	const struct plugin_description *plugin = &test->admitted.description;
	CLEANUP_ERROR struct error err = {0};

	if (test->prepared)
		return 0;
	struct value settings = value_copy(&test->arena, &test->settings);
	if (arguments_decode(plugin->settings, plugin->setting_count, plugin->settings_size,
		    &settings, &test->arena, &test->decoded_settings, &err) < 0)
		return wrong(test, error_what(&err));
	test->ctx.settings = test->decoded_settings.block;
	test->prepared = true;
	return 0;
}

static int32_t open_session(struct upkeep_test *test)
{
	if (test->opened || !test->admitted.plugin.open)
		return 0;
	test->ctx.args = NULL;
	int32_t r = test->admitted.plugin.open(&test->ctx, &test->session);
	test->ctx.session = test->session;
	test->opened = r >= 0;
	return r < 0 ? r : 0;
}

static int32_t decode(struct upkeep_test *test)
{
	const struct upkeep_action *decl = &test->action->decl;
	CLEANUP_ERROR struct error err = {0};
	struct value args = value_copy(&test->arena, &test->args);

	if (arguments_decode(decl->params, decl->param_count, decl->params_size, &args,
		    &test->arena, &test->decoded, &err) < 0)
		return wrong(test, error_what(&err));
	test->ctx.args = test->decoded.block;
	return 0;
}

static void feed(struct upkeep_test *test)
{
	int ends[2];

	if (!test->has_input || test->in >= 0 || pipe2(ends, O_CLOEXEC) < 0)
		return;
	test->feeder = fork();
	if (test->feeder == 0) {
		close(ends[0]);
		signal(SIGPIPE, SIG_DFL);
		_exit(file_write(ends[1], test->input, test->input_size) < 0);
	}
	close(ends[1]);
	test->in = ends[0];
}

/* As upkeep does: no plan without an argument that is not known yet, unless it can. */
static bool knows_enough(const struct upkeep_test *test)
{
	const struct upkeep_action *decl = &test->action->decl;

	for (size_t i = 0; i < decl->param_count; i++)
		if (test->decoded.states[i] == UPKEEP_ARG_UNKNOWN &&
			(!(decl->flags & UPKEEP_PLANS_UNKNOWN) ||
				decl->params[i].flags & UPKEEP_REQUIRED))
			return false;
	return true;
}

static int32_t call_back(struct upkeep_test *test, const struct upkeep_action *action,
	const struct upkeep_undo *record)
{
	struct upkeep_ctx *ctx = &test->ctx;

	switch (test->mode) {
	case CALL_RUN:
		feed(test);
		return action->run(ctx);
	case CALL_PLAN:
		test->woulds.count = 0;
		return action->plan && knows_enough(test) ? action->plan(ctx) : UPKEEP_CHANGED;
	case CALL_CHECK:
		return action->check ? action->check(ctx) : UPKEEP_UNCHANGED;
	case CALL_PROBE:
		return action->probe ? action->probe(ctx, record) : UPKEEP_NOT_DONE;
	case CALL_UNDO:
		return action->undo ? action->undo(ctx, record) : wrong(test, "it has no undo");
	case CALL_OPEN:
		break;
	}
	return UPKEEP_TEST_WRONG;
}

/* Of arguments that are not known yet, nothing can be checked. */
static int32_t check_first(struct upkeep_test *test, const struct upkeep_action *action)
{
	test->mode = CALL_CHECK;
	return action->check && !arguments_unknown(&test->decoded) ? action->check(&test->ctx) : 0;
}

static int32_t call(struct upkeep_test *test, enum call_mode mode, const char *name,
	const struct upkeep_undo *record)
{
	const struct upkeep_action *action = admitted_action(&test->admitted, name);

	test->what = test->why = test->next = NULL;
	if (!action)
		return wrong(test, "the plugin has no such action");
	test->action = description_action(&test->admitted.description, name);
	test->mode = CALL_OPEN;
	int32_t r = prepare(test);
	if (r == 0 && mode != CALL_CHECK)
		r = open_session(test);
	test->ctx.args = NULL;
	if (r == 0 && !record)
		r = decode(test);
	if (r < 0)
		return r;
	r = mode == CALL_PLAN || mode == CALL_RUN ? check_first(test, action) : 0;
	if (r < 0)
		return r;
	test->mode = mode;
	r = call_back(test, action, record);
	if (mode == CALL_RUN) {
		fake_end_children(test);
		end_streams(test);
	}
	if (r != UPKEEP_TEST_WRONG && !rules_result(mode, r))
		return wrong(test, "the callback returned a number that means nothing there");
	return r;
}

int32_t upkeep_test_check(struct upkeep_test *test, const char *action)
{
	return call(test, CALL_CHECK, action, NULL);
}

int32_t upkeep_test_plan(struct upkeep_test *test, const char *action)
{
	return call(test, CALL_PLAN, action, NULL);
}

int32_t upkeep_test_run(struct upkeep_test *test, const char *action)
{
	return call(test, CALL_RUN, action, NULL);
}

uint32_t upkeep_test_changes(struct upkeep_test *test, const char *action)
{
	const struct action_description *found =
		description_action(&test->admitted.description, action);

	return found ? action_changes(&found->decl, &test->args) : UPKEEP_CHANGES_UNKNOWN;
}

int32_t upkeep_test_probe(struct upkeep_test *test, const char *action)
{
	return call(test, CALL_PROBE, action, NULL);
}

static int32_t call_record(
	struct upkeep_test *test, enum call_mode mode, const char *action, size_t record)
{
	if (record >= test->records.count)
		return wrong(test, "there is no such undo record");
	/* A copy: the vector may grow while the plugin holds it. */
	struct upkeep_undo undo = test->records.items[record].undo;
	return call(test, mode, action, &undo);
}

int32_t upkeep_test_probe_record(struct upkeep_test *test, const char *action, size_t record)
{
	return call_record(test, CALL_PROBE, action, record);
}

int32_t upkeep_test_undo_record(struct upkeep_test *test, const char *action, size_t record)
{
	return call_record(test, CALL_UNDO, action, record);
}

int32_t upkeep_test_undo(struct upkeep_test *test, const char *action)
{
	int32_t r = UPKEEP_UNCHANGED;

	for (size_t i = test->records.count; r >= 0 && i-- > 0;)
		if (test->records.items[i].state < UPKEEP_TEST_DROPPED)
			r = upkeep_test_undo_record(test, action, i);
	return r;
}

/* ---- what the host does ---- */

void upkeep_test_secret(struct upkeep_test *test, const char *name, const char *text)
{
	*vec_add(&test->secrets) = (struct fake_pair){
		arena_string(&test->arena, name), arena_string(&test->arena, text)};
}

void upkeep_test_stream_in(struct upkeep_test *test, const void *bytes, size_t size)
{
	end_streams(test);
	test->input = arena_copy(&test->arena, bytes, size);
	test->input_size = size;
	test->has_input = true;
}

void upkeep_test_stream_out(struct upkeep_test *test)
{
	cleanup_fd(&test->out);
	test->out = memfd_create("stream", MFD_CLOEXEC);
	test->has_output = true;
}

void upkeep_test_close_streams(struct upkeep_test *test)
{
	end_streams(test);
	cleanup_fd(&test->out);
	/* Descriptors that are there and fail: a pipe without the other end. */
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) == 0) {
		test->out = ends[1];
		close(ends[0]);
	}
	test->in = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void upkeep_test_whole(struct upkeep_test *test, int32_t whole)
{
	test->whole = whole;
}

void upkeep_test_deadline(struct upkeep_test *test, int64_t left_ms)
{
	test->left_ms = left_ms;
}

void upkeep_test_attempt(struct upkeep_test *test, uint32_t attempt)
{
	test->ctx.attempt = attempt;
}

void upkeep_test_fail_push(struct upkeep_test *test, size_t n, int32_t code)
{
	test->pushes = 0;
	test->fail_push = n;
	test->fail_code = code;
}
