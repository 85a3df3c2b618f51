/* SPDX-License-Identifier: MIT */
/*
 * upkeep/testing.h - a host in memory, for the tests of plugins
 *
 * Link a test with the plugin's own sources and -lupkeep-testing (pkg-config
 * upkeep-plugin names its directory as `testdir`); no upkeep is needed to run it.
 * Arguments pass through upkeep's own decoder and every call through the rules of a
 * run.  Undo and temporary directories, programs and descriptors are real.
 *
 *	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
 *	upkeep_test_set(t, "path", "/etc/motd");
 *	assert_int_equal(upkeep_test_run(t, "write"), UPKEEP_CHANGED);
 *	assert_int_equal(upkeep_test_undo(t, "write"), UPKEEP_CHANGED);
 *	upkeep_test_free(t);
 *
 * A mistake in a test (an unknown action, a value of the wrong type) ends it with a
 * message on standard error: calls return UPKEEP_TEST_WRONG and what() says why.
 */
#ifndef UPKEEP_TESTING_H
#define UPKEEP_TESTING_H

#include <upkeep/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

struct upkeep_test;

#define UPKEEP_TEST_WRONG (-1000) /* the arguments were refused; nothing was called */

/* NULL where upkeep would refuse to load it; the reason is on standard error. */
struct upkeep_test *upkeep_test_new(const struct upkeep_plugin *plugin);
/* Calls close, removes the directories, kills what still runs. */
void upkeep_test_free(struct upkeep_test *test);

/* ARGUMENTS, as in a configuration file without its quotes.  A name may lead into
 * groups and lists of groups: "retry.delay", "stores[0].url".  `add` makes a list, or
 * one element longer.  NULL as value: take it away. */
void upkeep_test_set(struct upkeep_test *test, const char *name, const char *value);
void upkeep_test_add(struct upkeep_test *test, const char *name, const char *value);
/* In plan: depends on an output that is not there yet. */
void upkeep_test_set_unknown(struct upkeep_test *test, const char *name);
void upkeep_test_clear(struct upkeep_test *test);
/* SETTINGS of the plugin, before the first call. */
void upkeep_test_setting(struct upkeep_test *test, const char *name, const char *value);
void upkeep_test_setting_add(struct upkeep_test *test, const char *name, const char *value);

/* CALLS: the callback's result.  Before check, plan, run and probe the arguments are
 * decoded; before plan and run comes check, as in upkeep, and where that fails its result
 * is the answer.  A plan that upkeep would not ask for, since an argument is not known yet
 * (upkeep_test_set_unknown), answers UPKEEP_CHANGED and is not called. */
int32_t upkeep_test_check(struct upkeep_test *test, const char *action);
int32_t upkeep_test_plan(struct upkeep_test *test, const char *action);
int32_t upkeep_test_run(struct upkeep_test *test, const char *action);
int32_t upkeep_test_probe(struct upkeep_test *test, const char *action);
int32_t upkeep_test_probe_record(struct upkeep_test *test, const char *action, size_t record);
/* Undoes one record, whatever its state: call it twice. */
int32_t upkeep_test_undo_record(struct upkeep_test *test, const char *action, size_t record);
/* Undoes all records that are neither dropped nor done, newest first; stops at a failure.
 * UPKEEP_UNCHANGED where there was none. */
int32_t upkeep_test_undo(struct upkeep_test *test, const char *action);

/* UPKEEP_CHANGES_* of the action with these arguments (see UPKEEP_NO_UNDO). */
uint32_t upkeep_test_changes(struct upkeep_test *test, const char *action);

/* A record as an earlier version of the plugin could have left it; its number. */
size_t upkeep_test_forge(
	struct upkeep_test *test, const char *kind, uint32_t version, const char *payload);

/* WHAT HAPPENED.  Texts are valid until the next call. */
const char *upkeep_test_log(struct upkeep_test *test); /* lines, and what programs printed */
size_t upkeep_test_warnings(const struct upkeep_test *test);
const char *upkeep_test_what(const struct upkeep_test *test); /* of the last call; "" for none */
const char *upkeep_test_why(const struct upkeep_test *test);
const char *upkeep_test_next(const struct upkeep_test *test);
const char *upkeep_test_output(const struct upkeep_test *test, const char *name); /* last or NULL */
size_t upkeep_test_output_count(const struct upkeep_test *test, const char *name);
size_t upkeep_test_rows(const struct upkeep_test *test, const char *table);
const char *upkeep_test_cell(const struct upkeep_test *test, const char *table, size_t row,
	const char *column);                               /* or NULL */
size_t upkeep_test_woulds(const struct upkeep_test *test); /* of the last plan */
const char *upkeep_test_would(const struct upkeep_test *test, size_t i);
const char *upkeep_test_would_undo(const struct upkeep_test *test, size_t i); /* NULL: cannot */
uint64_t upkeep_test_progress(const struct upkeep_test *test, uint64_t *ret_total);

#define UPKEEP_TEST_PUSHED 0u
#define UPKEEP_TEST_APPLIED 1u
#define UPKEEP_TEST_DROPPED 2u
#define UPKEEP_TEST_UNDONE 3u
size_t upkeep_test_records(const struct upkeep_test *test);
const struct upkeep_undo *upkeep_test_record(const struct upkeep_test *test, size_t i);
uint32_t upkeep_test_record_state(const struct upkeep_test *test, size_t i);
const char *upkeep_test_fingerprint(const struct upkeep_test *test, size_t i); /* or NULL */

/* WHAT THE HOST DOES. */
/* Cancels now, or at the n-th next call of a host function. */
void upkeep_test_cancel(struct upkeep_test *test);
void upkeep_test_cancel_after(struct upkeep_test *test, size_t calls);
void upkeep_test_secret(struct upkeep_test *test, const char *name, const char *text);
/* What the action reads; it comes through a pipe. */
void upkeep_test_stream_in(struct upkeep_test *test, const void *bytes, size_t size);
/* Connects an output stream. */
void upkeep_test_stream_out(struct upkeep_test *test);
const void *upkeep_test_written(struct upkeep_test *test, size_t *ret_size);
void upkeep_test_whole(struct upkeep_test *test, int32_t whole); /* 1 unless set */
void upkeep_test_deadline(struct upkeep_test *test, int64_t left_ms);
void upkeep_test_attempt(struct upkeep_test *test, uint32_t attempt);
/* undo_push answers `code` (a negative errno) at its n-th call, counted from 1. */
void upkeep_test_fail_push(struct upkeep_test *test, size_t n, int32_t code);
/* Paths of the task's directories. */
const char *upkeep_test_undo_path(struct upkeep_test *test);
const char *upkeep_test_temp_path(struct upkeep_test *test);
/* Streams that are there and fail at every use. */
void upkeep_test_close_streams(struct upkeep_test *test);

#ifdef __cplusplus
}
#endif

#endif
