/* SPDX-License-Identifier: MIT */
/* What each action refuses, in which words; nothing of it changes what is there. */
#include "tree.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int writer = -1;

static void open_without_append(void)
{
	writer = open(tree_path("a.log"), O_WRONLY | O_CLOEXEC);
}

static void take_name(void)
{
	tree_write("a.log.zst", "taken");
}

static void take_archived_name(void)
{
	tree_dir("to");
	tree_write("to/a.log", "taken");
}

static void link_archive(void)
{
	tree_dir("real");
	assert_int_equal(symlink("real", tree_path("to")), 0);
}

static void open_trash(void)
{
	tree_dir(".upkeep-trash"); /* 0755 */
}

static void put_rotated_dir(void)
{
	tree_dir("a.log.1");
}

static void put_pid_file(void)
{
	tree_write("pid", "not a number\n");
	open_without_append();
}

static void put_own_pid(void)
{
	char text[32];
	snprintf(text, sizeof text, "%d\n", getpid());
	tree_write("pid", text);
	open_without_append();
}

static void put_dead_pid(void)
{
	char text[32];
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	snprintf(text, sizeof text, "%d\n", pid);
	tree_write("pid", text);
	open_without_append();
}

static const struct refusal {
	const char *action, *args[3][2]; /* values that begin with "/" lie in the tree */
	void (*make)(void);
	const char *what, *why, *next; /* what they have in them; NULL: nothing is said */
} refusals[] = {
	{"rotate", {{"create.mode", "rw"}}, NULL, "\"rw\" is no mode", NULL, "0640"},
	{"rotate", {{"create.mode", "01777"}}, NULL, "\"01777\" is no mode", NULL, "0640"},
	{"rotate", {{"create.owner", "nobody-here"}}, NULL, "owner = \"nobody-here\"",
		"there is no such user", NULL},
	{"rotate", {{"create.group", "nobody-here"}}, NULL, "group = \"nobody-here\"",
		"there is no such group", NULL},
	{"rotate", {{NULL}}, open_without_append, "without losing lines of process",
		"without O_APPEND", "method = \"copy\""},
	{"rotate", {{"method", "rename"}}, open_without_append, "by renaming it",
		"nothing says how to tell it to reopen", "`pid_file` or `processes`"},
	{"rotate", {{NULL}}, put_rotated_dir, "cannot move", "it is not a regular file",
		"look at it, then remove it"},
	{"compress", {{NULL}}, take_name, "cannot make", "File exists",
		"move what is there out of the way"},
	{"archive", {{"to", "/to"}}, take_archived_name, "cannot rename", "File exists",
		"move what is there out of the way"},
	{"archive", {{"to", "/nowhere"}}, NULL, "cannot use the archive directory", "No such file",
		"make the directory that `to` names"},
	{"archive", {{"to", "/to"}}, link_archive, "cannot use the archive directory",
		"a symbolic link, or something else", NULL},
	{"expire", {{"older_than", "1d"}}, open_trash, "cannot use the trash",
		"it belongs to somebody else", "look at it, then remove it"},
	{"expire", {{NULL}}, NULL, "neither `older_than` nor `max_total` is given",
		"every file that the patterns match", "give `older_than`, `max_total` or both"},
};

/* After the rename: what is undone then. */
static const struct refusal untold[] = {
	{"rotate", {{"pid_file", "/pid"}}, open_without_append, "cannot read a process id from",
		"No such file", "without symbolic links"},
	{"rotate", {{"pid_file", "/pid"}}, put_pid_file, "cannot read a process id from",
		"Invalid argument", NULL},
	{"rotate", {{"pid_file", "/pid"}}, put_dead_pid, "cannot signal process", "No such process",
		NULL},
	{"rotate", {{"pid_file", "/pid"}, {"wait", "50ms"}, {"signal", "WINCH"}}, put_own_pid,
		"did not reopen it", "a process still has it open for writing", "raise `wait`"},
};

static void contains(const char *is, const char *want)
{
	if (want ? !strstr(is, want) : 0)
		fail_msg("\"%s\" does not say \"%s\"", is, want);
}

static struct upkeep_test *prepare(const struct refusal *r)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	assert_int_equal(tree_make(NULL), 0);
	tree_write_size("a.log", 20000);
	tree_age("a.log", 9);
	if (r->make)
		r->make();
	upkeep_test_add(t, "paths", tree_path("a.log"));
	for (size_t i = 0; i < 3 && r->args[i][0]; i++)
		upkeep_test_set(t, r->args[i][0],
			r->args[i][1][0] == '/' ? tree_path(r->args[i][1] + 1) : r->args[i][1]);
	return t;
}

static void finish(struct upkeep_test *t)
{
	upkeep_test_free(t);
	if (writer >= 0)
		close(writer);
	writer = -1;
	assert_int_equal(tree_remove(NULL), 0);
}

static void refuse(const struct refusal *r, int then_undo)
{
	struct upkeep_test *t = prepare(r);
	char *before = tree_describe();
	int32_t result = upkeep_test_run(t, r->action);
	if (result != UPKEEP_FAILED)
		fail_msg("%s (%s): %d", r->action, r->what, result);
	contains(upkeep_test_what(t), r->what);
	contains(upkeep_test_why(t), r->why);
	contains(upkeep_test_next(t), r->next);
	if (then_undo) {
		assert_int_equal(upkeep_test_records(t), 1);
		close(writer);
		writer = -1;
		assert_int_equal(upkeep_test_undo(t, r->action), UPKEEP_CHANGED);
	}
	char *after = tree_describe();
	assert_string_equal(after, before);
	free(before), free(after);
	finish(t);
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < UPKEEP_COUNT(refusals); i++)
		refuse(&refusals[i], 0);
}

static void test_untold_writers(void **state)
{
	(void)state;
	for (size_t i = 0; i < UPKEEP_COUNT(untold); i++)
		refuse(&untold[i], 1);
}

/* A pattern that could mean anything is a fault of each action. */
static void test_patterns(void **state)
{
	static const char *const actions[] = {
		"rotate", "compress", "archive", "expire", "validate-json", "errors"};
	static const char *const patterns[] = {"/var/../etc/*", "/./x"};
	(void)state;
	for (size_t i = 0; i < UPKEEP_COUNT(actions); i++)
		for (size_t k = 0; k < UPKEEP_COUNT(patterns); k++) {
			struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
			upkeep_test_add(t, "paths", patterns[k]);
			if (strcmp(actions[i], "archive") == 0)
				upkeep_test_set(t, "to", "/nowhere");
			if (strcmp(actions[i], "expire") == 0)
				upkeep_test_set(t, "older_than", "9999d");
			assert_int_equal(upkeep_test_run(t, actions[i]), UPKEEP_FAILED);
			contains(upkeep_test_what(t), "cannot look for");
			contains(upkeep_test_why(t), "a pattern is absolute");
			upkeep_test_free(t);
		}
}

/* A record that this version does not know, or that is damaged, stops for a person. */
static void test_foreign_records(void **state)
{
	static const struct {
		const char *kind, *payload;
		uint32_t version;
	} records[] = {{"rename", "from_dir=/x\n", 2}, {"other", "from_dir=/x\n", 1},
		{"replace", "from_dir=\\q\n", 1}, {"mkdir", "mode=123456789\n", 1}};
	(void)state;
	for (size_t i = 0; i < UPKEEP_COUNT(records); i++) {
		struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
		size_t record = upkeep_test_forge(
			t, records[i].kind, records[i].version, records[i].payload);
		assert_int_equal(upkeep_test_undo_record(t, "rotate", record), UPKEEP_NEEDS_PERSON);
		contains(upkeep_test_what(t), "cannot read an undo record of kind");
		contains(upkeep_test_next(t), "upkeep show RUN");
		assert_int_equal(
			upkeep_test_probe_record(t, "rotate", record), UPKEEP_NEEDS_PERSON);
		upkeep_test_free(t);
	}
}

static void test_large_json(void **state)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	(void)state;
	assert_int_equal(tree_make(NULL), 0);
	tree_write("a.json", "[ 1, 2, 3 ]");
	upkeep_test_add(t, "paths", tree_path("*.json"));
	upkeep_test_set(t, "max_size", "4");
	assert_int_equal(upkeep_test_run(t, "validate-json"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_warnings(t), 1);
	contains(upkeep_test_log(t), "it is larger than `max_size`");
	assert_string_equal(upkeep_test_output(t, "files"), "0");
	finish(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_untold_writers), cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_foreign_records), cmocka_unit_test(test_large_json)};
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
