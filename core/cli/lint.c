/* SPDX-License-Identifier: MIT */
/* upkeep lint plugin FILE.so [--run]: what an author should know before others do. */
#include "cli/command.h"
#include "cli/kit.h"

#include "base/cleanup.h"
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
	unsigned faults;
};

static void __attribute__((format(printf, 2, 3))) fault(struct lint *lint, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("fault: ", stdout);
	vprintf(format, ap);
	putchar('\n');
	va_end(ap);
	lint->faults++;
}

/* ---- tables ---- */

static void check_about(struct lint *lint, const char *what, const char *name, const char *about)
{
	if (!about || !about[0])
		fault(lint, "%s \"%s\" has no sentence about it; give .about", what, name);
	else if (text_ends(about, "."))
		fault(lint, "%s \"%s\": its sentence ends with a full stop; leave it out", what, name);
}

/* A value that cannot be right for that type, or VALUE_NONE where every text is. */
static struct value bad_value(const struct upkeep_param *param)
{
	struct value value = { .kind = VALUE_STRING, .string = "\x01 not one" };
	uint32_t type = param->type;

	if (type & UPKEEP_LIST || type == UPKEEP_GROUP)
		value = (struct value){ .kind = VALUE_BOOL, .truth = true };
	else if (type == UPKEEP_STRING)
		value = (struct value){ .kind = VALUE_LIST };
	return value;
}

static void check_bad_values(struct lint *lint, const char *what, const struct upkeep_param *params,
	size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		struct value_member member = { .name = params[i].name, .value = bad_value(&params[i]) };
		struct value group = { .kind = VALUE_GROUP, .group = { &member, 1 } };
		CLEANUP_ERROR struct error err = { 0 };
		struct arguments arguments;
		check_about(lint, what, params[i].name, params[i].about);
		if (arguments_decode(params, count, size, &group, &lint->arena, &arguments, &err) == 0 ||
			!strstr(error_what(&err), params[i].name))
			fault(lint, "%s \"%s\" takes a value of another type", what, params[i].name);
	}
}

static void check_tables(struct lint *lint)
{
	const struct plugin_description *plugin = &lint->admitted.description;

	check_about(lint, "plugin", plugin->name, plugin->about);
	check_bad_values(lint, "setting", plugin->settings, plugin->setting_count,
		plugin->settings_size);
	for (size_t i = 0; i < plugin->action_count; i++) {
		const struct upkeep_action *action = &plugin->actions[i].decl;
		check_about(lint, "action", action->name, action->about);
		check_bad_values(lint, action->name, action->params, action->param_count,
			action->params_size);
		for (size_t j = 0; j < action->output_count; j++)
			check_about(lint, "output", action->outputs[j].name, action->outputs[j].about);
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
				wrong = times ? "fails when its undo runs twice" : "cannot undo what it did";
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
	return r == UPKEEP_TEST_WRONG ? "returns nonsense for a record that it does not know" :
		r >= 0 ? "says that it undid a record that it does not know" : NULL;
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

static void try_one(struct lint *lint, const struct trial *trial, const char *what,
	const char *(*run)(const struct trial *trial))
{
	int status = 0;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(CALL_SECONDS);
		const char *wrong = run(trial);
		if (wrong)
			printf("fault: action \"%s\" %s\n", trial->action, wrong);
		fflush(stdout);
		_exit(wrong ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		fault(lint, "action \"%s\" hangs (%s)", trial->action, what);
	else if (WIFSIGNALED(status))
		fault(lint, "action \"%s\" crashes with signal %d (%s)", trial->action,
			WTERMSIG(status), what);
	else if (status)
		lint->faults++;
}

static void try_action(struct lint *lint, const char *name, char *const *words)
{
	struct trial trial = { lint, name, words };

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

static void try_actions(struct lint *lint, char *const *words)
{
	const struct plugin_description *plugin = &lint->admitted.description;

	if (words[0]) {
		try_action(lint, words[0], words + 1);
		return;
	}
	for (size_t i = 0; i < plugin->action_count; i++)
		if (needs_arguments(&plugin->actions[i].decl))
			printf("not called: \"%s\" needs arguments; upkeep lint plugin FILE.so --run %s "
				"NAME=VALUE ...\n", plugin->actions[i].decl.name,
				plugin->actions[i].decl.name);
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

int lint_plugin(const char *file, bool calls, char *const *words)
{
	struct lint lint = { 0 };
	CLEANUP_ERROR struct error err = { 0 };

	if (load(&lint, file, &err) < 0) {
		printf("fault: %s%s%s\n", error_what(&err), err.next ? "; " : "",
			err.next ? err.next : "");
		arena_free(&lint.arena);
		return EXIT_PLUGIN;
	}
	if (symbols_others(file, "upkeep_plugin", report_symbol, &lint) < 0)
		fault(&lint, "its symbols cannot be read");
	check_tables(&lint);
	if (calls)
		try_actions(&lint, words);
	printf("%s: plugin \"%s\" %s, ABI %u.%u: %u fault%s\n", file, lint.admitted.description.name,
		lint.admitted.description.version, lint.admitted.description.abi_major,
		lint.admitted.description.abi_minor, lint.faults, lint.faults == 1 ? "" : "s");
	arena_free(&lint.arena);
	return lint.faults ? EXIT_PLUGIN : 0;
}

int command_lint(struct cli *cli)
{
	const char *file = cli->args.items[0];

	if (cli->args.count > 1 && !cli->options.calls)
		return cli_usage("add --run", "the action \"%s\" is called only with --run",
			cli->args.items[1]);
	vec_push(&cli->args, (const char *)NULL);
	return lint_plugin(file, cli->options.calls, (char *const *)cli->args.items + 1);
}
