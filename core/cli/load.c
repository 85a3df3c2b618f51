/* SPDX-License-Identifier: MIT */
#include "cli/load.h"

#include "base/cleanup.h"
#include "model/nearest.h"
#include "plan/build.h"
#include "run/cgroup.h"

#include <string.h>

int errno_exit(int r, int otherwise)
{
	return r == -EACCES || r == -EPERM ? EXIT_NOT_PERMITTED : otherwise;
}

static const char *site_path(const struct cli *cli)
{
	const char *from_env = getenv("UPKEEP_SITE");

	if (cli->options.site)
		return cli->options.site;
	return from_env && *from_env ? from_env : SITE_DIR "/upkeep.conf";
}

static const char *state_dir_given(const struct cli *cli)
{
	const char *from_env = getenv("UPKEEP_STATE_DIR");

	if (cli->options.state_dir)
		return cli->options.state_dir;
	return from_env && *from_env ? from_env : NULL;
}

/* The caller's own cache, for root the state directory's. */
static char *cache_dir(const struct cli *cli)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	const char *state = state_dir_given(cli);
	struct text path = {0};

	if (state || geteuid() == 0)
		text_addf(&path, "%s/cache", state ? state : STATE_DIR);
	else if (cache && *cache == '/')
		text_addf(&path, "%s/upkeep", cache);
	else if (home && *home == '/')
		text_addf(&path, "%s/.cache/upkeep", home);
	return path.bytes ? text_take(&path) : NULL;
}

int site_try(const struct cli *cli, struct loaded *ret, struct error *err)
{
	CLEANUP_FREE char *cache = cache_dir(cli);
	struct config_options options = {.path = site_path(cli), .state_dir = state_dir_given(cli)};
	int r = catalog_new(&(struct catalog_options){.cache_dir = cache}, &ret->catalog, err);

	if (r == 0)
		r = config_load(&options, ret->catalog, &ret->site, &ret->diagnostics, err);
	return r;
}

int site_load(const struct cli *cli, struct loaded *ret)
{
	CLEANUP_ERROR struct error err = {0};
	int r = site_try(cli, ret, &err);

	return r < 0 ? cli_fail(cli, errno_exit(r, EXIT_CONFIGURATION), &err) : 0;
}

void loaded_free(struct loaded *loaded)
{
	diagnostics_free(&loaded->diagnostics);
	if (loaded->site)
		site_free(loaded->site);
	if (loaded->catalog)
		catalog_free(loaded->catalog);
}

/* Reading the journal needs no plugin: the site is read without a catalog, and an
 * unreadable one leaves the built-in directory. */
char *state_dir_find(const struct cli *cli)
{
	struct config_options options = {.path = site_path(cli)};
	struct diagnostics diagnostics = {0};
	const char *given = state_dir_given(cli);
	struct site *site = NULL;
	char *found = NULL;

	if (given)
		return base_string(given);
	if (config_load(&options, NULL, &site, &diagnostics, NULL) == 0 && site) {
		found = base_string(site->state_dir);
		site_free(site);
	}
	diagnostics_free(&diagnostics);
	return found ? found : base_string(STATE_DIR);
}

int journal_load(const struct cli *cli, const char *state_dir, struct journal **ret)
{
	CLEANUP_ERROR struct error err = {0};
	int r = journal_open_readonly(state_dir, ret, &err);

	if (r == -ESTALE)
		r = journal_open(state_dir, ret, &err);
	if (r == 0 || r == -ENOENT)
		return r;
	return cli_fail(cli, errno_exit(r, EXIT_JOURNAL), &err);
}

int run_load(const struct cli *cli, char **ret_state_dir, struct journal **ret, char id[])
{
	CLEANUP_ERROR struct error err = {0};

	*ret_state_dir = state_dir_find(cli);
	int r = journal_load(cli, *ret_state_dir, ret);
	if (r == -ENOENT) {
		error_set(&err, r,
			"name its site (--site FILE) or its state directory (--state-dir DIR)",
			"there is no run \"%s\": no journal in \"%s\"", cli->args.items[0],
			*ret_state_dir);
		return cli_fail(cli, EXIT_USAGE, &err);
	}
	if (r)
		return r;
	r = journal_find_run(*ret, cli->args.items[0], id, &err);
	if (r < 0)
		return cli_fail(
			cli, r == -ENOENT || r == -EEXIST ? EXIT_USAGE : EXIT_JOURNAL, &err);
	return 0;
}

void cgroups_warn(const struct cli *cli)
{
	if (!cli->options.quiet && !cli->options.json && !cgroups_possible())
		fputs("warning: " CGROUPS_NONE "\n", stderr);
}

const struct graph *graph_load(const struct cli *cli, const struct loaded *loaded)
{
	const char *name = cli->args.items[0];
	const struct graph *graph = site_graph(loaded->site, name);
	struct nearest nearest = nearest_start(name);
	char question[128];

	if (graph)
		return graph;
	for (uint32_t i = 0; i < loaded->site->graph_count; i++)
		nearest_try(&nearest, loaded->site->graphs[i].name);
	const char *next = nearest_question(&nearest, question, sizeof question);
	cli_usage(cli, next ? next : "see upkeep list", "there is no graph \"%s\"", name);
	return NULL;
}

int diagnostics_refuse(const struct loaded *loaded, const char *graph, bool quiet)
{
	CLEANUP_TEXT struct text text = {0};
	unsigned errors = diagnostics_errors(&loaded->diagnostics, graph);

	if (!loaded->diagnostics.list.count || (quiet && !errors))
		return 0;
	diagnostics_print_for(&loaded->diagnostics, loaded->site, graph, &text);
	fputs(text_string(&text), stderr);
	return diagnostics_exit_code(&loaded->diagnostics, loaded->site, graph);
}
