/* SPDX-License-Identifier: MIT */
/* Earlier runs that are gone on with. */
#include "decide_words.h"

/* Resume: what stands stands, the rest runs again after what it left is undone. */
static void test_resume(void **state)
{
	struct world *w = make_undoable(4, "ab bc");

	(void)state;
	task(w, 'd')->run_if = RUN_IF_DONE;
	restore(w, 'a', TASK_SUCCEEDED, UNDO_TODO);
	restore(w, 'b', TASK_UNKNOWN, UNDO_UNDOING);
	restore(w, 'd', TASK_FAILED, UNDO_NOTHING);
	begin(w, "~b");
	assert_int_equal(decide_state(w->decide, 0), TASK_SUCCEEDED);
	undone(w, 'b', UNDO_UNDONE, "b#2");
	changed(w, 'b', "b=succeeded c#1");
	failed(w, 'c', "c=failed:exit turn ~b");
	undone(w, 'b', UNDO_UNDONE, "~a");
	undone(w, 'a', UNDO_UNDONE, "end=rolled back:11");
	drop(w);
}

/* A gang runs again whole; the last attempt counts on. */
static void test_resume_gang(void **state)
{
	struct world *w = make_undoable(3, "a=b bc");

	(void)state;
	w->retried = true;
	restore(w, 'a', TASK_SUCCEEDED, UNDO_TODO);
	restore(w, 'b', TASK_UNKNOWN, UNDO_NOTHING);
	decide_restore(w->decide, 0, TASK_SUCCEEDED, UNDO_TODO, 3);
	begin(w, "~a");
	undone(w, 'a', UNDO_UNDONE, "ab#4");
	done(w, 'a', "");
	failed(w, 'b', "a=cancelled:gang b=failed:exit c=skipped:upstream/b end=rolled back:11");
	drop(w);
}

/* What was skipped because its predecessor failed runs after all; what was ignored stands. */
static void test_resume_after_failure(void **state)
{
	struct world *w = make_undoable(5, "ab bc de");

	(void)state;
	task(w, 'd')->flags |= PLAN_IGNORE_FAILURE;
	restore(w, 'a', TASK_FAILED, UNDO_NOTHING);
	restore(w, 'b', TASK_SKIPPED, UNDO_NOTHING);
	restore(w, 'c', TASK_SKIPPED, UNDO_NOTHING);
	restore(w, 'd', TASK_FAILED, UNDO_NOTHING);
	restore(w, 'e', TASK_SKIPPED, UNDO_NOTHING);
	begin(w, "a#2");
	done(w, 'a', "a=succeeded b#1");
	done(w, 'b', "b=succeeded c#1");
	done(w, 'c', "c=succeeded end=succeeded:0");
	drop(w);
}

static void test_resume_cannot_undo(void **state)
{
	struct world *w = make_undoable(3, "a=b bc");

	(void)state;
	w->plan.on_failure = ON_FAILURE_STOP;
	restore(w, 'a', TASK_SUCCEEDED, UNDO_TODO);
	restore(w, 'b', TASK_UNKNOWN, UNDO_TODO);
	begin(w, "~b");
	undone(w, 'b', UNDO_FAILED,
		"a=cancelled:gang b=failed:start c=skipped:upstream/b end=rollback failed:13");
	drop(w);
}

static void test_resume_cancelled(void **state)
{
	struct world *w = make_undoable(2, "");

	(void)state;
	restore(w, 'a', TASK_UNKNOWN, UNDO_TODO);
	begin(w, "~a b#1");
	cancel(w, "!b");
	stopped(w, 'b', "b=cancelled:cancel");
	undone(w, 'a', UNDO_UNDONE, "a=cancelled:cancel end=rolled back:11");
	drop(w);
}

/* It had an attempt, but not in this run. */
static void test_resume_cancelled_before_it_starts(void **state)
{
	struct world *w = make_undoable(2, "");

	(void)state;
	w->options.jobs = 1;
	restore(w, 'a', TASK_UNKNOWN, UNDO_NOTHING);
	restore(w, 'b', TASK_UNKNOWN, UNDO_NOTHING);
	begin(w, "a#2");
	cancel(w, "!a b=cancelled:cancel");
	stopped(w, 'a', "a=cancelled:cancel end=failed clean:10");
	drop(w);
}

/* Recover, and the rollback of a success. */
static void test_undo_of_earlier_run(void **state)
{
	struct world *w = make_undoable(4, "ab bc");

	(void)state;
	w->options.begin = DECIDE_UNDO;
	w->plan.on_failure = ON_FAILURE_STOP;
	task(w, 'd')->run_if = RUN_IF_FAILURE;
	restore(w, 'a', TASK_SUCCEEDED, UNDO_HELD);
	restore(w, 'b', TASK_SUCCEEDED, UNDO_FAILED);
	restore(w, 'c', TASK_UNKNOWN, UNDO_UNDONE);
	begin(w, "turn ~b");
	assert_string_equal(decide_verdict(w->decide), "cancelled");
	undone(w, 'b', UNDO_UNDONE, "~a");
	undone(w, 'a', UNDO_UNDONE, "d#1");
	done(w, 'd', "d=succeeded end=rolled back:11");
	drop(w);
}

/* As it was before: nothing is undone without the locks. */
static void test_undo_without_locks(void **state)
{
	struct world *w = make_undoable(1, "");

	(void)state;
	w->plan.locks_at_start = true;
	w->options.begin = DECIDE_UNDO;
	restore(w, 'a', TASK_SUCCEEDED, UNDO_TODO);
	begin(w, "+");
	answer(w, EVENT_REFUSED, PLAN_NONE, "end=interrupted:75");
	drop(w);
	w = make_undoable(1, "");
	w->plan.locks_at_start = true;
	w->options.begin = DECIDE_UNDO;
	restore(w, 'a', TASK_SUCCEEDED, UNDO_TODO);
	begin(w, "+");
	answer(w, EVENT_ACQUIRED, PLAN_NONE, "turn ~a");
	undone(w, 'a', UNDO_UNDONE, "- end=rolled back:11");
	drop(w);
}

static void test_final_of_earlier_run(void **state)
{
	struct world *w = make_undoable(4, "");

	(void)state;
	w->options.begin = DECIDE_FINAL;
	task(w, 'b')->run_if = task(w, 'd')->run_if = RUN_IF_DONE;
	task(w, 'c')->run_if = RUN_IF_FAILURE;
	restore(w, 'a', TASK_SUCCEEDED, UNDO_TODO);
	restore(w, 'd', TASK_SUCCEEDED, UNDO_NOTHING);
	begin(w, "c=skipped:condition b#1");
	done(w, 'b', "b=succeeded end=succeeded:0");
	drop(w);
}

static void test_final_of_rolled_back_run(void **state)
{
	struct world *w = make_undoable(2, "");

	(void)state;
	w->options.begin = DECIDE_FINAL;
	task(w, 'b')->run_if = RUN_IF_FAILURE;
	restore(w, 'a', TASK_SUCCEEDED, UNDO_UNDONE);
	begin(w, "b#1");
	assert_string_equal(decide_verdict(w->decide), "rolled back");
	done(w, 'b', "b=succeeded end=rolled back:11");
	drop(w);
	w = make_undoable(2, "");
	w->options.begin = DECIDE_FINAL;
	task(w, 'b')->run_if = RUN_IF_FAILURE;
	restore(w, 'a', TASK_FAILED, UNDO_HELD);
	begin(w, "b#1");
	assert_string_equal(decide_verdict(w->decide), "rollback failed");
	done(w, 'b', "b=succeeded end=rollback failed:13");
	drop(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_resume_gang),
		cmocka_unit_test(test_resume_after_failure),
		cmocka_unit_test(test_resume_cannot_undo),
		cmocka_unit_test(test_resume_cancelled),
		cmocka_unit_test(test_resume_cancelled_before_it_starts),
		cmocka_unit_test(test_undo_of_earlier_run),
		cmocka_unit_test(test_undo_without_locks),
		cmocka_unit_test(test_final_of_earlier_run),
		cmocka_unit_test(test_final_of_rolled_back_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
