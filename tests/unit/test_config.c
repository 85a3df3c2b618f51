/* SPDX-License-Identifier: MIT */
/* What the case files cannot show: the model that comes out, and times. */
#include "../cases/catalog.h"
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "config/calendar.h"
#include "config/config.h"
#include "model/state.h"

#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Linked with --wrap: libconfig fails where the pre-scan found nothing. */
static bool libconfig_fails;
int __real_config_read(config_t *config, FILE *file);
int __wrap_config_read(config_t *config, FILE *file);

int __wrap_config_read(config_t *config, FILE *file)
{
	if (!libconfig_fails)
		return __real_config_read(config, file);
	config->error_text = "made up";
	config->error_line = 1;
	return CONFIG_FALSE;
}

static char dir[64];

static int make_dir(void **state)
{
	snprintf(dir, sizeof dir, "/tmp/upkeep-test-XXXXXX");
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}
static int remove_dir(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

static void store(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(file_store(path, text, strlen(text), 0600, false, NULL), 0);
}

static struct site *load(struct diagnostics *diagnostics)
{
	char path[128];
	struct config_options options = {.path = path};
	struct error CLEANUP_ERROR err = {0};
	struct site *site = NULL;

	snprintf(path, sizeof path, "%s/upkeep.conf", dir);
	assert_int_equal(config_load(&options, fake_catalog(), &site, diagnostics, &err), 0);
	return site;
}

static void gives_the_model(void **state)
{
	struct diagnostics diagnostics = {0};

	store("upkeep.conf",
		"graphs = [ \"g.conf\" ]; jobs = 3; undo_keep = \"2d\";"
		"plugins = { db = { plugin = \"demo\"; host = \"x\"; }; }; pools = { io = 2; };"
		"locks = [ \"a\", \"b\" ];");
	store("g.conf",
		"graphs = { one = { overlap = \"fail\"; on_interrupt = \"resume\"; tasks = (\n"
		"{ task = \"x\"; argv = [ \"true\" ]; action = \"core.exec\"; changes = \"none\"; "
		"},\n"
		"{ task = \"y\"; action = \"db.load\"; from = \"x\"; database = \"d${param.p}\";\n"
		"  after = [ \"x\" ]; retry = { attempts = 4; delay = \"2s\"; backoff = 1.5; };\n"
		"  lock = \"b\"; pool = \"io\"; umask = \"0027\"; nice = -5; each = [ 1, 2 ];\n"
		"  limits = { memory = \"1GiB\"; cpu_time = \"1m\"; }; log_max = \"8KiB\";\n"
		"  confirm_within = \"60s\"; rollback = { action = \"core.exec\"; argv = [ \"x\" "
		"]; }; } ); }; };");
	struct site *site = load(&diagnostics);
	assert_int_equal(diagnostics.list.count, 0);
	assert_int_equal(site->jobs, 3);
	assert_int_equal(site->undo_keep_ms, 2 * 86400000);
	assert_int_equal(site->pools[0].places, 2);
	assert_string_equal(site_instance(site, "db")->plugin, "demo");
	const struct graph *graph = site_graph(site, "one");
	assert_int_equal(graph->overlap, OVERLAP_FAIL);
	assert_int_equal(graph->on_interrupt, ON_INTERRUPT_RESUME);
	assert_int_equal(map_get(&graph->task_index, "y"), 1);
	const struct task *x = &graph->tasks[0], *y = &graph->tasks[1];
	assert_ptr_equal(x->options, &task_options_plain);
	assert_int_equal(x->args.group.count, 2);
	assert_null(x->instance);
	assert_string_equal(y->action->decl.name, "load");
	assert_string_equal(y->from, "x");
	assert_int_equal(y->after.count, 1);
	assert_int_equal(y->after.at[0].line, 4);
	assert_int_equal(y->after.at[0].column, 13);
	assert_int_equal(y->args.group.count, 1);
	assert_true(y->args.group.members[0].value.has_refs);
	const struct task_options *o = y->options;
	assert_int_equal(o->retry.attempts, 4);
	assert_int_equal(o->retry.delay_ms, 2000);
	assert_true(o->retry.backoff == 1.5);
	assert_string_equal(o->locks.items[0], "b");
	assert_int_equal(o->umask, 027);
	assert_int_equal(o->nice, -5);
	assert_int_equal(o->each.list.count, 2);
	assert_int_equal(o->limits.memory_bytes, 1 << 30);
	assert_int_equal(o->limits.cpu_time_ms, 60000);
	assert_int_equal(o->log_max_bytes, 8192);
	assert_int_equal(o->kill_after_ms, 10000);
	assert_int_equal(o->confirm_within_ms, 60000);
	assert_string_equal(o->rollback_action->decl.name, "exec");
	site_free(site);
	(void)state;
}

static void tells_what_libconfig_says(void **state)
{
	struct diagnostics diagnostics = {0};
	struct text CLEANUP_TEXT out = {0};

	store("upkeep.conf", "jobs = 3;");
	libconfig_fails = true;
	struct site *site = load(&diagnostics);
	libconfig_fails = false;
	diagnostics_print(&diagnostics, site, &out);
	assert_non_null(strstr(text_string(&out), ":1:1: error: libconfig: made up\n"));
	assert_true(site->faulty);
	assert_int_equal(diagnostics_exit_code(&diagnostics, NULL, NULL), EXIT_CONFIGURATION);
	diagnostics_free(&diagnostics);
	site_free(site);
	(void)state;
}

/* A run of one graph is kept from nothing by the faults of another that it does not use. */
static void keeps_faults_apart(void **state)
{
	struct diagnostics diagnostics = {0};
	struct text CLEANUP_TEXT bad = {0}, good = {0};

	store("upkeep.conf", "graphs = [ \"g.conf\" ];");
	store("g.conf",
		"graphs = {\n"
		"good = { tasks = { x = { action = \"core.exec\"; argv = [ \"true\" ]; }; }; };\n"
		"user = { tasks = { x = { action = \"core.graph\"; graph = \"bad\"; }; }; };\n"
		"bad = { tasks = { x = { action = \"core.exec\"; argv = 1; }; }; }; };");
	struct site *site = load(&diagnostics);
	assert_false(site->faulty);
	assert_false(site_graph(site, "good")->faulty);
	assert_true(site_graph(site, "user")->faulty);
	assert_true(site_graph(site, "bad")->faulty);
	assert_int_equal(diagnostics_errors(&diagnostics, "good"), 0);
	assert_int_equal(diagnostics_exit_code(&diagnostics, site, "good"), EXIT_OK);
	diagnostics_print_for(&diagnostics, site, "good", &good);
	assert_non_null(strstr(text_string(&good), ":4:54: warning: task \"x\""));
	assert_non_null(strstr(text_string(&good), "\n1 warning\n"));
	diagnostics_print_for(&diagnostics, site, "user", &bad);
	assert_non_null(strstr(text_string(&bad), ":4:54: error: task \"x\""));
	diagnostics_free(&diagnostics);
	site_free(site);
	(void)state;
}

static void knows_plugin_errors(void **state)
{
	struct diagnostics diagnostics = {0};

	store("upkeep.conf", "plugins = { nothing = { }; };");
	struct site *site = load(&diagnostics);
	assert_int_equal(diagnostics_exit_code(&diagnostics, NULL, NULL), EXIT_PLUGIN);
	diagnostics_free(&diagnostics);
	site_free(site);
	(void)state;
}

static void expect_next(const char *text, const char *after, const char *next)
{
	struct calendar calendar;
	struct error CLEANUP_ERROR err = {0};
	char got[32] = "never";
	struct tm tm = {0};

	strptime(after, "%Y-%m-%d %H:%M:%S", &tm);
	assert_int_equal(calendar_parse(text, &calendar, &err), 0);
	time_t at = calendar_next(&calendar, timegm(&tm));
	if (at > 0 && gmtime_r(&at, &tm))
		strftime(got, sizeof got, "%Y-%m-%d %H:%M:%S", &tm);
	assert_string_equal(got, next);
}

static void gives_the_next_time(void **state)
{
	const char *monday = "2026-11-23 12:00:00";

	expect_next("hourly", monday, "2026-11-23 13:00:00");
	expect_next("daily", monday, "2026-11-24 00:00:00");
	expect_next("weekly", monday, "2026-11-30 00:00:00");
	expect_next("monthly", monday, "2026-12-01 00:00:00");
	expect_next("quarterly", monday, "2027-01-01 00:00:00");
	expect_next("semiannually", "2026-03-01 00:00:00", "2026-07-01 00:00:00");
	expect_next("yearly", monday, "2027-01-01 00:00:00");
	expect_next("annually", monday, "2027-01-01 00:00:00");
	expect_next("Tue..Fri 02:30", monday, "2026-11-24 02:30:00");
	expect_next("Sat,Sunday 02:30:15", monday, "2026-11-28 02:30:15");
	expect_next("*-*-1,15 04:00", monday, "2026-12-01 04:00:00");
	expect_next("*-2-29", monday, "2028-02-29 00:00:00");
	expect_next("Mon *-2-29 06:00 UTC", monday, "2044-02-29 06:00:00");
	expect_next("2026-11-23 12:00", monday, "never");
	expect_next("daily", "1969-12-31 12:00:00", "never");
	expect_next("2030..2031-6-1 00:00..5", monday, "2030-06-01 00:00:00");
	expect_next("*:0,15,30,45", "2026-11-23 12:15:00", "2026-11-23 12:30:00");
	expect_next("23:59:59", "2026-12-31 23:59:59", "2027-01-01 23:59:59");
	(void)state;
}

/* What systemd takes and this does not, and what nobody takes. */
static void refuses_the_rest_of_the_syntax(void **state)
{
	static const char *const texts[] = {"", " ", "minutely", "Mon..", "..Fri", "Fri..Mon 02:00",
		"Moonday 02:00", "*-*-32", "*-13-1", "*-0-1", "*-*-0", "1969-1-1", "2226-1-1",
		"24:00", "00:60", "00:00:60", "00:00:00.5", "*:0/15", "*-*~1", "02:30 CET",
		"02:30 Europe/Berlin", "02:30 Mon", "UTC 02:30", "daily 02:30", "@0", "10..5:00",
		"1,,2:00", "1:2:3:4", "*-*-*-*", "-1:00", "+1:00", "0x1:00", "02:30 02:30",
		"Mon Tue 02:30"};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct error CLEANUP_ERROR err = {0};
		struct calendar calendar;
		int r = calendar_parse(texts[i], &calendar, &err);
		if (r != -EINVAL || !err.what || !err.next)
			fail_msg("\"%s\" is taken", texts[i]);
	}
	(void)state;
}

/* In spring an hour is missing: what would fall into it comes at the same distance later. */
static void lives_through_a_change_of_clocks(void **state)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	expect_next("02:30", "2026-03-28 12:00:00", "2026-03-29 01:30:00");
	expect_next("02:30", "2026-03-29 01:30:00", "2026-03-30 00:30:00");
	expect_next("03:30 UTC", "2026-03-28 12:00:00", "2026-03-29 03:30:00");
	setenv("TZ", "UTC", 1);
	tzset();
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_model),
		cmocka_unit_test(tells_what_libconfig_says),
		cmocka_unit_test(keeps_faults_apart),
		cmocka_unit_test(knows_plugin_errors),
		cmocka_unit_test(gives_the_next_time),
		cmocka_unit_test(refuses_the_rest_of_the_syntax),
		cmocka_unit_test(lives_through_a_change_of_clocks),
	};

	setenv("TZ", "UTC", 1);
	return !!cmocka_run_group_tests(tests, make_dir, remove_dir);
}
