/* SPDX-License-Identifier: MIT */
/* upkeep lint plugin FILE.so [--run]: what an author should know before others do. */
#include "cli/command.h"
#include "cli/kit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "model/state.h"
#include "worker/admit.h"
#include "worker/decode.h"
#include "worker/loader.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <upkeep/testing.h>

#define CALL_SECONDS 20

struct lint {
	const struct upkeep_plugin *plugin;
	struct admitted admitted;
	struct arena arena;
	json_t *faults, *skipped; /* texts; actions that were not called */
	bool json;
};

static void __attribute__((format(printf, 2, 3))) fault(struct lint *lint, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	json_t *text = json_vsprintf(format, ap);
	va_end(ap);
	if (!lint->json)
		printf("fault: %s\n", text ? json_string_value(text) : "what is not UTF-8");
	json_array_append_new(lint->faults, text ? text : json_null());
}

/* ---- tables ---- */

static void check_about(struct lint *lint, const char *what, const char *name, const char *about)
{
	if (!about || !about[0])
		fault(lint, "%s \"%s\" has no sentence about it; give .about", what, name);
	else if (text_ends(about, "."))
		fault(lint, "%s \"%s\": its sentence ends with a full stop; leave it out", what,
			name);
}

/* A value that cannot be right for that type, or VALUE_NONE where every text is. */
static struct value bad_value(const struct upkeep_param *param)
{
	/* without a slash it were a program's name */
	struct value value = {.kind = VALUE_STRING, .string = "\x01/not one"};
	uint32_t type = param->type;

	if (type & UPKEEP_LIST || type == UPKEEP_GROUP)
		value = (struct value){.kind = VALUE_BOOL, .truth = true};
	else if (type == UPKEEP_STRING)
		value = (struct value){.kind = VALUE_LIST};
	return value;
}

static void check_bad_values(struct lint *lint, const char *what, const struct upkeep_param *params,
	size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		struct value_member member = {
			.name = params[i].name, .value = bad_value(&params[i])};
		struct value group = {.kind = VALUE_GROUP, .group = {&member, 1}};
		CLEANUP_ERROR struct error err = {0};
		struct arguments arguments;
		check_about(lint, what, params[i].name, params[i].about);
		if (arguments_decode(params, count, size, &group, &lint->arena, &arguments, &err) ==
				0 ||
			!strstr(error_what(&err), params[i].name))
			fault(lint, "%s \"%s\" takes a value of another type", what,
				params[i].name);
	}
}

static void check_tables(struct lint *lint)
{
	const struct plugin_description *plugin = &lint->admitted.description;

	check_about(lint, "plugin", plugin->name, plugin->about);
	check_bad_values(
		lint, "setting", plugin->settings, plugin->setting_count, plugin->settings_size);
	for (size_t i = 0; i < plugin->action_count; i++) {
		const struct upkeep_action *action = &plugin->actions[i].decl;
		check_about(lint, "action", action->name, action->about);
		check_bad_values(lint, action->name, action->params, action->param_count,
			action->params_size);
		for (size_t j = 0; j < action->output_count; j++)
			check_about(
				lint, "output", action->outputs[j].name, action->outputs[j].about);
	}
}

static void report_symbol(void *data, const char *name)
{
	fault(data, "exports the symbol \"%s\" too; compile with -fvisibility=hidden", name);
}

/* ---- calls: each in a child, for it may crash or hang ---- */

struct trial {
	const struct lint *lint;
	const char *action;
	char *const *words;
};

static struct upkeep_test *make_host(const struct trial *trial)
{
	struct upkeep_test *test = upkeep_test_new(trial->lint->plugin);

	for (char *const *word = trial->words; test && *word; word++) {
		CLEANUP_FREE char *name = base_string(*word);
		char *value = strchr(name, '=');
		if (value) {
			*value++ = 0;
			upkeep_test_set(test, name, value);
		}
	}
	return test;
}

static const struct upkeep_action *action_of(const struct trial *trial)
{
	return admitted_action(&trial->lint->admitted, trial->action);
}

static const char *try_undo_twice(const struct trial *trial)
{
	struct upkeep_test *test = make_host(trial);
	const char *wrong = NULL;
	int32_t r = upkeep_test_run(test, trial->action);

	if (r == UPKEEP_TEST_WRONG)
		wrong = "cannot be called with these arguments";
	for (size_t i = upkeep_test_records(test); !wrong && i-- > 0;)
		for (int times = 0; times < 2; times++)
			if (upkeep_test_record_state(test, i) != UPKEEP_TEST_DROPPED &&
				upkeep_test_undo_record(test, trial->action, i) < 0)
				wrong = times ? "fails when its undo runs twice"
					      : "cannot undo what it did";
	upkeep_test_free(test);
	return wrong;
}

static const char *try_undo_of_nothing(const struct trial *trial)
{
	if (!action_of(trial)->undo)
		return NULL;
	struct upkeep_test *test = make_host(trial);
	size_t record = upkeep_test_forge(test, "lint-nothing", 999, "");
	int32_t r = upkeep_test_undo_record(test, trial->action, record);
	upkeep_test_free(test);
	return r == UPKEEP_TEST_WRONG ? "returns nonsense for a record that it does not know"
		: r >= 0              ? "says that it undid a record that it does not know"
				      : NULL;
}

static const char *try_cancel(const struct trial *trial)
{
	struct upkeep_test *test = make_host(trial);

	upkeep_test_cancel(test);
	int32_t r = upkeep_test_run(test, trial->action);
	upkeep_test_free(test);
	return r == UPKEEP_TEST_WRONG ? "returns nonsense when it is cancelled" : NULL;
}

static const char *try_closed(const struct trial *trial)
{
	struct upkeep_test *test = make_host(trial);

	signal(SIGPIPE, SIG_IGN);
	upkeep_test_close_streams(test);
	int32_t r = upkeep_test_run(test, trial->action);
	upkeep_test_free(test);
	return r == UPKEEP_TEST_WRONG ? "returns nonsense where its descriptors fail" : NULL;
}

/* The child's finding comes by a pipe. */
static pid_t trial_start(
	const struct trial *trial, const char *(*run)(const struct trial *trial), int *ret_said)
{
	int said[2];

	fflush(stdout);
	if (pipe2(said, O_CLOEXEC) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		alarm(CALL_SECONDS);
		const char *wrong = run(trial);
		if (wrong)
			file_write(said[1], wrong, strlen(wrong));
		fflush(stdout);
		_exit(wrong ? 1 : 0);
	}
	close(said[1]);
	*ret_said = said[0];
	return pid;
}

static void try_one(struct lint *lint, const struct trial *trial, const char *what,
	const char *(*run)(const struct trial *trial))
{
	CLEANUP_FD int said = -1;
	char wrong[256] = "";
	int status = 0;
	pid_t pid = trial_start(trial, run, &said);

	if (pid < 0) {
		fault(lint, "action \"%s\" could not be tried: %s", trial->action, strerror(errno));
		return;
	}
	waitpid(pid, &status, 0);
	if (file_read(said, wrong, sizeof wrong - 1) < 0)
		wrong[0] = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		fault(lint, "action \"%s\" hangs (%s)", trial->action, what);
	else if (WIFSIGNALED(status))
		fault(lint, "action \"%s\" crashes with signal %d (%s)", trial->action,
			WTERMSIG(status), what);
	else if (status)
		fault(lint, "action \"%s\" %s", trial->action, *wrong ? wrong : "ends the process");
}

static void try_action(struct lint *lint, const char *name, char *const *words)
{
	struct trial trial = {lint, name, words};

	if (!action_of(&trial)) {
		fault(lint, "there is no action \"%s\"", name);
		return;
	}
	try_one(lint, &trial, "undo of nothing", try_undo_of_nothing);
	try_one(lint, &trial, "cancelled", try_cancel);
	try_one(lint, &trial, "closed descriptors", try_closed);
	try_one(lint, &trial, "undo twice", try_undo_twice);
}

static bool needs_arguments(const struct upkeep_action *action)
{
	for (size_t i = 0; i < action->param_count; i++)
		if (action->params[i].flags & UPKEEP_REQUIRED)
			return true;
	return action->flags & UPKEEP_STREAM_IN_NEEDED;
}

static void skip_action(struct lint *lint, const char *name)
{
	json_array_append_new(lint->skipped, json_string(name));
	if (!lint->json)
		printf("not called: \"%s\" needs arguments; upkeep lint plugin FILE.so --run %s "
		       "NAME=VALUE ...\n",
			name, name);
}

static void try_actions(struct lint *lint, char *const *words)
{
	const struct plugin_description *plugin = &lint->admitted.description;

	if (words[0]) {
		try_action(lint, words[0], words + 1);
		return;
	}
	for (size_t i = 0; i < plugin->action_count; i++)
		if (needs_arguments(&plugin->actions[i].decl))
			skip_action(lint, plugin->actions[i].decl.name);
		else
			try_action(lint, plugin->actions[i].decl.name, words);
}

static int load(struct lint *lint, const char *file, struct error *err)
{
	const char *slash = strrchr(file, '/');
	char *name = arena_string(&lint->arena, slash ? slash + 1 : file);
	CLEANUP_FD int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, -errno, NULL, "cannot open %s: %m", file);
	if (text_ends(name, ".so"))
		name[strlen(name) - 3] = 0;
	int r = plugin_load(fd, file, &lint->plugin, err);
	return r ? r : plugin_admit(lint->plugin, name, file, &lint->arena, &lint->admitted, err);
}

/* Descriptor, symbols, tables, bad values for each parameter.  `calls`: the actions too: all that
 * need no arguments, or words[0] with words[1...] "name=value". */
static void lint_plugin(struct lint *lint, const char *file, bool calls, char *const *words)
{
	CLEANUP_ERROR struct error err = {0};

	if (load(lint, file, &err) < 0) {
		lint->plugin = NULL;
		fault(lint, "%s%s%s", error_what(&err), err.next ? "; " : "",
			err.next ? err.next : "");
		return;
	}
	if (symbols_others(file, "upkeep_plugin", report_symbol, lint) < 0)
		fault(lint, "its symbols cannot be read");
	check_tables(lint);
	if (calls)
		try_actions(lint, words);
}

static void verdict_print(const struct lint *lint, const char *file)
{
	const struct plugin_description *plugin = &lint->admitted.description;
	size_t faults = json_array_size(lint->faults);

	if (lint->json)
		cli_print_json(json_pack("{s:o, s:s?, s:s?, s:i, s:i, s:O, s:O}", "file",
			json_text(file), "plugin", lint->plugin ? plugin->name : NULL, "version",
			lint->plugin ? plugin->version : NULL, "abi_major", (int)plugin->abi_major,
			"abi_minor", (int)plugin->abi_minor, "faults", lint->faults, "not_called",
			lint->skipped));
	else if (lint->plugin)
		printf("%s: plugin \"%s\" %s, ABI %u.%u: %zu fault%s\n", file, plugin->name,
			plugin->version, plugin->abi_major, plugin->abi_minor, faults,
			faults == 1 ? "" : "s");
}

int command_lint(struct cli *cli)
{
	const char *file = cli->args.items[0];
	struct lint lint = {.json = cli->options.json};

	if (cli->args.count > 1 && !cli->options.calls)
		return cli_usage(cli, "add --run", "the action \"%s\" is called only with --run",
			cli->args.items[1]);
	vec_push(&cli->args, (const char *)NULL);
	lint.faults = json_array();
	lint.skipped = json_array();
	lint_plugin(&lint, file, cli->options.calls, (char *const *)cli->args.items + 1);
	verdict_print(&lint, file);
	int code = json_array_size(lint.faults) ? EXIT_PLUGIN : EXIT_OK;
	json_decref(lint.faults);
	json_decref(lint.skipped);
	arena_free(&lint.arena);
	return code;
}
