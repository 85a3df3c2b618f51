/* SPDX-License-Identifier: MIT */
#include "cli/again.h"
#include "cli/today.h"
#include "cli/watch.h"

#include "base/cleanup.h"
#include "plan/restore.h"
#include "report/next.h"

#include <string.h>
#include <unistd.h>

/* Plugins are looked for where the journaled site did; today's site only says more. */
struct source {
	struct loaded loaded;
	const struct site *current; /* whose settings hold; NULL: the journaled ones */
};

static int source_open(const struct cli *cli, struct source *source, struct error *err)
{
	const char *wanted = cli->options.settings;
	bool current = wanted && strcmp(wanted, "current") == 0;

	if (wanted && !current && strcmp(wanted, "journaled") != 0)
		return cli_usage(
			cli, NULL, "--settings is current or journaled, not \"%s\"", wanted);
	int r = site_try(cli, &source->loaded, err);
	if (r < 0 && current)
		return cli_fail(cli, errno_exit(r, EXIT_CONFIGURATION), err);
	if (!source->loaded.catalog)
		return cli_fail(cli, EXIT_INTERNAL, err);
	if (current)
		source->current = source->loaded.site;
	error_clear(err);
	return 0;
}

/* 74: the journal cannot be read, and nothing was touched; 13: what it says is not understood. */
static int plan_load(const struct cli *cli, const char *state_dir, const char *id,
	struct source *source, struct plan **ret, struct error *err)
{
	CLEANUP_FREE char *text = NULL;
	struct journal *journal = NULL;
	size_t size;

	int r = journal_open_readonly(state_dir, &journal, err);
	if (r == 0)
		r = journal_read_plan(journal, id, &text, &size, err);
	journal_close(journal);
	int code = errno_exit(r, EXIT_JOURNAL);
	if (r == 0) {
		code = EXIT_ROLLBACK_FAILED;
		r = plan_restore(text, size, source->loaded.catalog, source->current, ret, err);
	}
	if (r == 0)
		return 0;
	error_prefix(err, "run %s", id);
	return cli_fail(cli, code, err);
}

/* What is to be typed names the run. */
static void name_run(struct error *err, const char *id)
{
	char *next = next_string(err->next, NULL, id);

	free(err->next);
	err->next = next;
}

static int go_on(const struct cli *cli, const char *state_dir, const char *id, enum run_again how,
	const struct plan *plan, const struct loaded *today)
{
	CLEANUP_ERROR struct error err = {0};
	struct watch watch;
	struct run_options options = {.yes = cli->options.yes,
		.force = cli->options.force,
		.state_dir = state_dir,
		.cause = isatty(STDIN_FILENO) ? "terminal" : "background",
		.watcher = &watch.watcher};

	watch_begin(&watch, cli, plan, how == RUN_AGAIN_UNDO);
	enum exit_code code = EXIT_OK;
	if (how == RUN_AGAIN_RESUME && !cli->options.journaled)
		code = today_compare(today, plan, &err);
	if (code == EXIT_OK)
		code = run_again(plan, id, how, &options, &err);
	name_run(&err, id);
	if (err.what)
		cli_fail(cli, (int)code, &err);
	if (err.what)
		report_refused(watch.report, code, err.what, err.next);
	watch_end(&watch);
	return (int)code;
}

int again_run(const struct cli *cli, const char *state_dir, const char *id, enum run_again how)
{
	CLEANUP_ERROR struct error err = {0};
	struct source source = {0};
	struct plan *plan = NULL;

	int code = source_open(cli, &source, &err);
	if (code == 0)
		code = plan_load(cli, state_dir, id, &source, &plan, &err);
	if (code == 0)
		code = go_on(cli, state_dir, id, how, plan, &source.loaded);
	if (plan)
		plan_free(plan);
	loaded_free(&source.loaded);
	return code;
}

/* ---- recover ---- */

struct ids {
	const char *state_dir;
	VEC(struct {
		char id[RUN_ID_SIZE];
		char graph[64];
	})
	list;
};

/* What is held for a person waits on. */
static int unsettled_read(void *data, const struct journal_run *run)
{
	struct ids *ids = data;

	if (run->state == RUN_ROLLBACK_FAILED || (run->state == RUN_INTERRUPTED && run->ended_ms) ||
		run_lives(ids->state_dir, run->id))
		return 0;
	__typeof__(ids->list.items) added = vec_add(&ids->list);
	snprintf(added->id, sizeof added->id, "%s", run->id);
	snprintf(added->graph, sizeof added->graph, "%s", run->graph);
	return 0;
}

static int ids_load(struct ids *ids, struct error *err)
{
	struct journal *journal = NULL;

	int r = journal_open_readonly(ids->state_dir, &journal, err);
	if (r == -ESTALE)
		r = journal_open(ids->state_dir, &journal, err);
	if (r == 0)
		r = journal_unsettled(journal, unsettled_read, ids, err);
	journal_close(journal);
	return r;
}

/* 13 before 12 before 11 and 10: what needs a person counts most. */
static int worse(int a, int b)
{
	return a > b ? a : b;
}

int again_recover_all(const struct cli *cli, const char *state_dir)
{
	CLEANUP_ERROR struct error err = {0};
	struct ids ids = {.state_dir = state_dir};
	int code = EXIT_OK;

	int r = ids_load(&ids, &err);
	if (r < 0 && r != -ENOENT)
		code = cli_fail(cli, errno_exit(r, EXIT_JOURNAL), &err);
	/* The newest first: what it changed may lie over what an earlier one did. */
	for (size_t i = r == 0 ? ids.list.count : 0; i-- > 0;) {
		if (!cli->options.quiet && !cli->options.json)
			fprintf(stderr, "upkeep: run %s of %s was interrupted: recovering it\n",
				ids.list.items[i].id, ids.list.items[i].graph);
		code = worse(
			code, again_run(cli, state_dir, ids.list.items[i].id, RUN_AGAIN_RECOVER));
	}
	vec_free(&ids.list);
	return code;
}

void again_recover_before(const struct cli *cli, const char *state_dir)
{
	struct cli aside = *cli;

	aside.report_fd = STDERR_FILENO;
	aside.options.quiet = cli->options.quiet || cli->options.json;
	aside.options.json = false;
	again_recover_all(&aside, state_dir);
}

int command_recover(struct cli *cli)
{
	CLEANUP_FREE char *state_dir = NULL;
	struct journal *journal = NULL;
	char id[RUN_ID_SIZE];

	if (!cli->args.count) {
		state_dir = state_dir_find(cli);
		return again_recover_all(cli, state_dir);
	}
	int code = run_load(cli, &state_dir, &journal, id);
	journal_close(journal);
	return code ? code : again_run(cli, state_dir, id, RUN_AGAIN_RECOVER);
}

/* ---- rollback, resume, resolve ---- */

struct looked {
	enum run_state state;
	bool found;
};

static int look_read(void *data, const struct journal_run *run)
{
	struct looked *looked = data;

	looked->state = run->state;
	looked->found = true;
	return 0;
}

/* What makes no sense for a run in its state is a usage error. */
static bool state_is(const struct cli *cli, struct journal *journal, const char *id,
	bool (*fits)(enum run_state state), const char *what, int *ret_code)
{
	CLEANUP_ERROR struct error err = {0};
	struct looked looked = {0};

	if (journal_read_run(journal, id, look_read, &looked, &err) < 0) {
		*ret_code = cli_fail(cli, EXIT_JOURNAL, &err);
		return false;
	}
	if (fits(looked.state))
		return true;
	error_set(&err, -EINVAL, "upkeep show RUN", "run %s cannot be %s: it is %s", id, what,
		run_state_name(looked.state));
	name_run(&err, id);
	*ret_code = cli_fail(cli, EXIT_USAGE, &err);
	return false;
}

static bool can_be_undone(enum run_state state)
{
	return state != RUN_ROLLED_BACK && state != RUN_FAILED_CLEAN;
}

static bool can_be_resumed(enum run_state state)
{
	return state == RUN_RUNNING || state == RUN_INTERRUPTED || state == RUN_FAILED_PARTIAL ||
		state == RUN_AWAITING_CONFIRMATION;
}

static int again_command(
	struct cli *cli, enum run_again how, bool (*fits)(enum run_state state), const char *what)
{
	CLEANUP_FREE char *state_dir = NULL;
	struct journal *journal = NULL;
	char id[RUN_ID_SIZE];

	int code = run_load(cli, &state_dir, &journal, id);
	bool go = code == 0 && state_is(cli, journal, id, fits, what, &code);
	journal_close(journal);
	return go ? again_run(cli, state_dir, id, how) : code;
}

/* That everything is back is what was asked for. */
int command_rollback(struct cli *cli)
{
	int code = again_command(cli, RUN_AGAIN_UNDO, can_be_undone, "rolled back");

	return code == EXIT_ROLLED_BACK || code == EXIT_NOT_CONFIRMED || code == EXIT_FAILED_CLEAN
		? EXIT_OK
		: code;
}

int command_resume(struct cli *cli)
{
	return again_command(cli, RUN_AGAIN_RESUME, can_be_resumed, "resumed");
}
