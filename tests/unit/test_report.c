/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "report/human.h"
#include "report/next.h"
#include "report/report.h"
#include "report/table.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

static void test_numbers_for_people(void **state)
{
	char buffer[HUMAN_SIZE];

	(void)state;
	assert_string_equal(human_bytes(buffer, 0), "0 B");
	assert_string_equal(human_bytes(buffer, 1023), "1023 B");
	assert_string_equal(human_bytes(buffer, 1536), "1.5 KiB");
	assert_string_equal(human_bytes(buffer, 1048575), "1.0 MiB");
	assert_string_equal(human_bytes(buffer, UINT64_C(123) << 30), "123 GiB");
	assert_string_equal(human_duration(buffer, 340), "0.3 s");
	assert_string_equal(human_duration(buffer, 14200), "14 s");
	assert_string_equal(human_duration(buffer, 125000), "2m05s");
	assert_string_equal(human_duration(buffer, 11040000), "3h04m");
	assert_string_equal(human_duration(buffer, 90000000), "1d01h");
	assert_string_equal(human_time(buffer, 0), "-");
}

static void test_a_table_aligns_its_columns(void **state)
{
	CLEANUP_TABLE struct table table = {0};
	CLEANUP_TEXT struct text out = {0};

	(void)state;
	table_begin(&table, "name|>size|about");
	table_add(&table, "größe");
	table_add(&table, "5");
	table_add(&table, NULL);
	table_print(&table, &out);
	assert_string_equal(text_string(&out), "name   size  about\ngröße     5  -\n");
}

static void test_rows_of_actions_become_tables(void **state)
{
	CLEANUP_TEXT struct text out = {0};
	json_t *tables = json_object();

	(void)state;
	rows_add(tables, "disks",
		"{\"mount\":\"/\",\"free\":{\"value\":\"1536\",\"type\":\"size\"},\"n\":3}");
	rows_add(tables, "disks", "{\"n\":1.5,\"mount\":\"/srv\"}");
	rows_add(tables, "disks", "broken");
	rows_print(tables, &out);
	assert_string_equal(text_string(&out),
		"\ndisks\nmount     free    n\n/      1.5 KiB    3\n/srv         -  1.5\n");
	json_decref(tables);
}

static void test_a_table_has_the_columns_of_all_rows(void **state)
{
	CLEANUP_TEXT struct text out = {0};
	json_t *tables = json_object();

	(void)state;
	rows_add(tables, "t", "{\"a\":\"x\"}");
	rows_add(tables, "t", "{\"a\":\"y\",\"late\":7}");
	rows_add(tables, "t", "no JSON");
	rows_print(tables, &out);
	assert_string_equal(text_string(&out), "\nt\na  late\nx     -\ny     7\n");
	json_decref(tables);
}

static void test_any_bytes_become_json(void **state)
{
	json_t *json = json_text("größe \xff\n\033");

	(void)state;
	assert_string_equal(json_string_value(json), "größe \\xff\n\033");
	json_decref(json);
	json = json_textn("a\0\xc3", 3);
	assert_int_equal(json_string_length(json), 6);
	assert_memory_equal(json_string_value(json), "a\0\\xc3", 7);
	json_decref(json);
	assert_true(json_is_null(json_text(NULL)));
}

/* What the writer writes is what the parser reads back, to the bit. */
static void test_json_item_by_item(void **state)
{
	CLEANUP_TEXT struct text out = {0};

	(void)state;
	json_open(&out, '{');
	json_add_key(&out, "te\"xt\\");
	assert_true(json_add_string(&out, "größe \"\\\n\t\x1f\x7f,:[{"));
	json_add_key(&out, "");
	json_open(&out, '[');
	assert_false(json_add_string(&out, "a\xc3"));
	json_add_integer(&out, INT64_MIN);
	json_add_integer(&out, INT64_MAX);
	json_add_integer(&out, 0);
	json_add_real(&out, 0.1);
	json_add_real(&out, -3);
	json_open(&out, '{');
	json_close(&out, '}');
	json_open(&out, '[');
	json_close(&out, ']');
	json_add_word(&out, "true");
	assert_true(json_add_string(&out, ""));
	json_close(&out, ']');
	json_close(&out, '}');
	json_t *json = json_loads(text_string(&out), 0, NULL);
	CLEANUP_FREE char *again = json_dumps(json, JSON_COMPACT);
	assert_string_equal(
		json_string_value(json_object_get(json, "te\"xt\\")), "größe \"\\\n\t\x1f\x7f,:[{");
	assert_non_null(strstr(again, "\"\":[-9223372036854775808,9223372036854775807,0,0.1"));
	assert_non_null(strstr(again, ",-3.0,{},[],true,\"\"]}"));
	json_decref(json);
}

static void assert_next(const char *next, const char *given, const char *run, const char *want)
{
	CLEANUP_FREE char *got = next_string(next, given, run);

	assert_string_equal(got, want);
}

static void test_what_to_type_next(void **state)
{
	(void)state;
	assert_null(next_string(NULL, " --site s", "ID"));
	assert_next("upkeep locks", NULL, NULL, "upkeep locks");
	assert_next("upkeep locks", " --site s", NULL, "upkeep --site s locks");
	assert_next("see upkeep show RUN", " -x", "ID", "see upkeep -x show ID");
	assert_next("upkeep log RUN, then upkeep run g", " -x", "ID",
		"upkeep -x log ID, then upkeep -x run g");
	assert_next("move it away: upkeep show RUN: it says", " -x", "ID",
		"move it away: upkeep -x show ID: it says");
	assert_next("use the newer upkeep that wrote it", " -x", "ID",
		"use the newer upkeep that wrote it");
	assert_next("see upkeep --help", " -x", "ID", "see upkeep --help");
	assert_next("set RUNNING, not WARUN", " -x", "ID", "set RUNNING, not WARUN");
	assert_next("upkeep show RUN", " -x", NULL, "upkeep -x show RUN");
}

static void assert_after(struct next_run run, const char *want)
{
	CLEANUP_TEXT struct text text = {0};

	next_after(&run, &text);
	assert_string_equal(text_string(&text), want);
}

static void test_what_to_type_after_a_run(void **state)
{
	(void)state;
	assert_after((struct next_run){.state = RUN_SUCCEEDED}, "");
	assert_after((struct next_run){.state = RUN_FAILED_CLEAN, .task = "t"}, "upkeep log RUN t");
	assert_after(
		(struct next_run){.state = RUN_FAILED_CLEAN, .task = "t", .task_next = "mend it"},
		"mend it");
	assert_after((struct next_run){.state = RUN_FAILED_CLEAN, .look = true}, "upkeep show RUN");
	assert_after(
		(struct next_run){.state = RUN_ROLLBACK_FAILED, .next = "make room"}, "make room");
	assert_after((struct next_run){.state = RUN_ROLLBACK_FAILED,
			     .task = "t",
			     .task_next = "end process 7",
			     .task_held = true},
		"end process 7");
	assert_after((struct next_run){.state = RUN_AWAITING_CONFIRMATION},
		"upkeep confirm RUN to keep what it did");
	assert_after((struct next_run){.state = RUN_ROLLBACK_FAILED, .task = "t", .look = true},
		"upkeep show RUN, then upkeep rollback RUN to try the undo again (after a "
		"change of settings with --settings current), or put it right "
		"by hand and then upkeep resolve RUN --why \"...\"");
}

static void refuse(enum exit_code code, bool json, const char *want)
{
	CLEANUP_FD int fd = memfd_create("report", MFD_CLOEXEC);
	struct report_options options = {.fd = fd, .json = json, .graph = "g", .given = " -x"};
	struct report *report = report_new(&options);
	char bytes[4096] = "";

	report_refused(report, code, "the \"why\"", "upkeep locks");
	report_free(report);
	assert_true(pread(fd, bytes, sizeof bytes - 1, 0) >= 0);
	json_t *read = json_loads(bytes, 0, NULL);
	assert_int_equal(!!read, json);
	if (json) {
		assert_string_equal(json_string_value(json_object_get(read, "state")), want);
		assert_string_equal(
			json_string_value(json_object_get(read, "message")), "the \"why\"");
		assert_string_equal(
			json_string_value(json_object_get(read, "next")), "upkeep -x locks");
		assert_int_equal(json_integer_value(json_object_get(read, "exit_code")), code);
	}
	json_decref(read);
}

static void test_a_refusal_is_one_object_too(void **state)
{
	(void)state;
	refuse(EXIT_OK, true, "skipped");
	refuse(EXIT_BUSY, true, "busy");
	refuse(EXIT_JOURNAL, true, "refused");
	refuse(EXIT_INTERNAL, true, "interrupted");
	refuse(EXIT_BUSY, false, NULL);
}

static const char *const names[] = {"a", "b"};

/* A run of two tasks, the second fails; what was written comes back. */
static char *run_reported(struct report_options options, const char *log)
{
	CLEANUP_FD int fd = memfd_create("report", MFD_CLOEXEC);
	char dir[] = "/tmp/test-report-XXXXXX", path[96];
	char *bytes = base_alloc(65536);

	assert_non_null(mkdtemp(dir));
	if (log) {
		snprintf(path, sizeof path, "%s/runs/ID", dir);
		assert_int_equal(file_make_dirs(path, 0700, NULL), 0);
		snprintf(path, sizeof path, "%s/runs/ID/1.1.log", dir);
		assert_int_equal(file_store(path, log, strlen(log), 0600, false, NULL), 0);
	}
	options.fd = fd;
	options.graph = "g";
	options.state_dir = dir;
	options.task_count = 2;
	options.names = names;
	struct report *report = report_new(&options);
	report_begin(report, "ID");
	report_task(report, &(struct report_task){.state = TASK_RUNNING, .attempt = 1}, 1000);
	report_progress(report, 0, 1 << 20, 4 << 20, "bytes", 2000);
	report_tick(report, 2000);
	report_task(report,
		&(struct report_task){.state = TASK_SUCCEEDED, .attempt = 1, .duration_ms = 1200},
		2200);
	report_warning(report, 0, "odd \033[2J");
	report_row(report, "t", "{\"x\":1}");
	report_task(report,
		&(struct report_task){.index = 1,
			.state = TASK_FAILED,
			.attempt = 1,
			.reason = REASON_EXIT,
			.exit_code = 3,
			.duration_ms = 10,
			.message = "exit code 3"},
		2300);
	report_end(report, RUN_FAILED_CLEAN, EXIT_FAILED_CLEAN, 1300);
	report_free(report);
	assert_true(pread(fd, bytes, 65535, 0) > 0);
	file_remove_tree(AT_FDCWD, dir, NULL);
	return bytes;
}

static void test_plain_lines(void **state)
{
	CLEANUP_FREE char *out = run_reported((struct report_options){0}, NULL);

	(void)state;
	assert_non_null(strstr(out,
		"run ID of g: 2 tasks\nsucceeded a  1.2 s\n"
		"warning   a: odd \\x1b[2J\n"));
	assert_non_null(strstr(out, "\nt\nx\n1\n"));
	assert_non_null(strstr(out, "1 succeeded, 1 failed, 1 warning\n"));
	assert_non_null(strstr(out, "next: upkeep log ID b\n"));
	assert_null(strchr(out, '\033'));
}

static void test_quiet_prints_one_block(void **state)
{
	CLEANUP_FREE char *out = run_reported(
		(struct report_options){.quiet = true}, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\nlast\x07\n");

	(void)state;
	assert_non_null(strstr(out, "task b failed (exit): exit code 3\n    1\n    2\n"));
	assert_non_null(strstr(out, "    9\n    last\\x07\nnext: upkeep log ID b\n"));
	assert_int_equal(strncmp(out, "g: run ID ", 10), 0);
}

static void test_json_is_one_object(void **state)
{
	CLEANUP_FREE char *out = run_reported((struct report_options){.json = true}, NULL);
	json_t *json = json_loads(out, 0, NULL);

	(void)state;
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "run")), "ID");
	assert_int_equal(json_array_size(json_object_get(json, "tasks")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "exit_code")), 10);
	json_decref(json);
}

static void test_the_live_view_is_erased_at_the_end(void **state)
{
	CLEANUP_FREE char *out =
		run_reported((struct report_options){.terminal = true, .color = true}, NULL);
	int lines = 0;

	(void)state;
	assert_non_null(strstr(out,
		"0 of 2 done, 1 running\n  a  1.0 s   25 %  1.0 MiB  1.0 MiB/s  "
		"3.0 s left\n"));
	assert_non_null(strstr(out, "\033[32msucceeded\033[0m a  1.2 s\n"));
	assert_null(strstr(out, "\033[?25l"));
	for (const char *at = out; (at = strstr(at, "\033[1A\033[2K")); at++)
		lines++;
	for (const char *at = out; (at = strstr(at, "running\n")); at++)
		lines--;
	assert_int_equal(lines, 1); /* one task line was drawn, too, and is erased */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_for_people),
		cmocka_unit_test(test_a_table_aligns_its_columns),
		cmocka_unit_test(test_rows_of_actions_become_tables),
		cmocka_unit_test(test_a_table_has_the_columns_of_all_rows),
		cmocka_unit_test(test_any_bytes_become_json),
		cmocka_unit_test(test_json_item_by_item),
		cmocka_unit_test(test_what_to_type_next),
		cmocka_unit_test(test_what_to_type_after_a_run),
		cmocka_unit_test(test_a_refusal_is_one_object_too),
		cmocka_unit_test(test_plain_lines),
		cmocka_unit_test(test_quiet_prints_one_block),
		cmocka_unit_test(test_json_is_one_object),
		cmocka_unit_test(test_the_live_view_is_erased_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
