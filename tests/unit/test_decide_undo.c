/* SPDX-License-Identifier: MIT */
/* The rules of the way back, one test each. */
#include "decide_words.h"

static void test_reverse_order(void **state)
{
	struct world *w = make_undoable(4, "ab bc");

	(void)state;
	task(w, 'd')->run_if = RUN_IF_FAILURE;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	changed(w, 'b', "b=succeeded c#1");
	broke(w, 'c', "c=failed:exit turn ~c");
	assert_string_equal(decide_verdict(w->decide), "failed");
	undone(w, 'c', UNDO_UNDONE, "~b");
	undone(w, 'c', UNDO_FAILED, "");
	undone(w, 'b', UNDO_UNDONE, "~a");
	undone(w, 'a', UNDO_UNDONE, "d#1");
	assert_string_equal(decide_verdict(w->decide), "rolled back");
	done(w, 'd', "d=succeeded end=rolled back:11");
	drop(w);
}

/* Also through what has nothing to undo; what does not depend on each other at once. */
static void test_order_through_unchanged(void **state)
{
	struct world *w = make_undoable(5, "ab bc ad be de");

	(void)state;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1 d#1");
	done(w, 'b', "b=succeeded c#1");
	changed(w, 'd', "d=succeeded e#1");
	changed(w, 'c', "c=succeeded");
	failed(w, 'e', "e=failed:exit turn ~c ~d");
	undone(w, 'd', UNDO_UNDONE, "");
	undone(w, 'c', UNDO_UNDONE, "~a");
	undone(w, 'a', UNDO_UNDONE, "end=rolled back:11");
	drop(w);
}

static void test_nothing_changed(void **state)
{
	struct world *w = make_undoable(2, "ab");

	(void)state;
	begin(w, "a#1");
	done(w, 'a', "a=succeeded b#1");
	failed(w, 'b', "b=failed:exit end=failed clean:10");
	assert_string_equal(decide_verdict(w->decide), "failed");
	drop(w);
}

static void test_stop_leaves_it(void **state)
{
	struct world *w = make_undoable(1, "");

	(void)state;
	w->plan.on_failure = ON_FAILURE_STOP;
	begin(w, "a#1");
	broke(w, 'a', "a=failed:exit end=failed partial:12");
	assert_int_equal(decide_undo_state(w->decide, 0), UNDO_TODO);
	drop(w);
}

static void test_irreversible(void **state)
{
	struct world *w = make_undoable(2, "ab");

	(void)state;
	task(w, 'a')->flags = 0;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	broke(w, 'b', "b=failed:exit turn ~b");
	undone(w, 'b', UNDO_UNDONE, "end=failed partial:12");
	assert_int_equal(decide_undo_state(w->decide, 0), UNDO_IRREVERSIBLE);
	drop(w);
}

/* One that waits for something else that runs turns only then. */
static void test_turns_when_nothing_runs(void **state)
{
	struct world *w = make_undoable(2, "");

	(void)state;
	begin(w, "a#1 b#1");
	broke(w, 'a', "!b a=failed:exit");
	stopped(w, 'b', "b=cancelled:cancel turn ~a");
	undone(w, 'a', UNDO_UNDONE, "end=rolled back:11");
	drop(w);
}

/* The task after the pivot fails: what comes before the pivot stays, what does not is undone. */
static void test_pivot(void **state)
{
	struct world *w = make_undoable(5, "ab bc cd");

	(void)state;
	task(w, 'c')->flags |= PLAN_PIVOT;
	w->options.jobs = 1;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	done(w, 'b', "b=succeeded c#1");
	changed(w, 'c', "c=succeeded d#1");
	changed(w, 'd', "d=succeeded e#1");
	broke(w, 'e', "e=failed:exit turn ~d");
	undone(w, 'd', UNDO_UNDONE, "~e");
	undone(w, 'e', UNDO_UNDONE, "end=failed partial:12");
	assert_int_equal(decide_undo_state(w->decide, 0), UNDO_TODO);
	assert_int_equal(decide_undo_state(w->decide, 2), UNDO_TODO);
	drop(w);
}

static void test_pivot_that_failed(void **state)
{
	struct world *w = make_undoable(2, "ab");

	(void)state;
	task(w, 'b')->flags |= PLAN_PIVOT;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	broke(w, 'b', "b=failed:exit turn ~b");
	undone(w, 'b', UNDO_UNDONE, "~a");
	undone(w, 'a', UNDO_UNDONE, "end=rolled back:11");
	drop(w);
}

/* Everything before the pivot: nothing is left to undo, and it does not turn. */
static void test_pivot_keeps_all(void **state)
{
	struct world *w = make_undoable(2, "ab");

	(void)state;
	task(w, 'a')->flags |= PLAN_PIVOT;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	failed(w, 'b', "b=failed:exit end=failed partial:12");
	drop(w);
}

/* a and c of gang abc; the edges say c, a, b: undone b, a, c. */
static void test_gang_order(void **state)
{
	struct world *w = make_undoable(4, "a=b a=c ca ab ad");

	(void)state;
	begin(w, "abc#1");
	changed(w, 'a', "");
	changed(w, 'b', "");
	changed(w, 'c', "a=succeeded b=succeeded c=succeeded d#1");
	failed(w, 'd', "d=failed:exit turn ~b");
	undone(w, 'b', UNDO_UNDONE, "~a");
	undone(w, 'a', UNDO_UNDONE, "~c");
	undone(w, 'c', UNDO_UNDONE, "end=rolled back:11");
	drop(w);
}

/* Without edges: the last first. */
static void test_gang_order_without_edges(void **state)
{
	struct world *w = make_undoable(3, "a=b ac bc");

	(void)state;
	begin(w, "ab#1");
	changed(w, 'a', "");
	changed(w, 'b', "a=succeeded b=succeeded c#1");
	failed(w, 'c', "c=failed:exit turn ~b");
	undone(w, 'b', UNDO_UNDONE, "~a");
	undone(w, 'a', UNDO_UNDONE, "end=rolled back:11");
	drop(w);
}

/* b's undo fails: a, which it depended on, is held; the branch of c and d goes on. */
static void test_failed_undo(void **state)
{
	struct world *w = make_undoable(6, "ae eb cd bf df");

	(void)state;
	begin(w, "a#1 c#1");
	changed(w, 'a', "a=succeeded e#1");
	done(w, 'e', "e=succeeded b#1");
	changed(w, 'b', "b=succeeded");
	changed(w, 'c', "c=succeeded d#1");
	changed(w, 'd', "d=succeeded f#1");
	failed(w, 'f', "f=failed:exit turn ~b ~d");
	undone(w, 'b', UNDO_FAILED, "~a=held");
	undone(w, 'd', UNDO_UNDONE, "~c");
	undone(w, 'c', UNDO_UNDONE, "end=rollback failed:13");
	assert_string_equal(decide_verdict(w->decide), "rollback failed");
	drop(w);
}

/* In a gang what the failed one needed is held, the others are undone. */
static void test_failed_undo_in_a_gang(void **state)
{
	struct world *w = make_undoable(5, "a=b a=c ab da ce");

	(void)state;
	begin(w, "d#1");
	changed(w, 'd', "d=succeeded abc#1");
	changed(w, 'a', "");
	changed(w, 'b', "");
	changed(w, 'c', "a=succeeded b=succeeded c=succeeded e#1");
	failed(w, 'e', "e=failed:exit turn ~c");
	undone(w, 'c', UNDO_UNDONE, "~b");
	undone(w, 'b', UNDO_HELD, "~a=held ~d=held end=rollback failed:13");
	drop(w);
}

/* One slot, and the lock that both gangs have: one after the other; nobody is asked for it. */
static void test_slots_and_locks(void **state)
{
	struct world *w = make_undoable(3, "ac bc");

	(void)state;
	w->plan.locks_at_start = true;
	w->masks[0] = w->masks[1] = 3;
	begin(w, "+");
	answer(w, EVENT_ACQUIRED, PLAN_NONE, "+a");
	answer(w, EVENT_ACQUIRED, 0, "a#1");
	changed(w, 'a', "a=succeeded -a +b");
	answer(w, EVENT_ACQUIRED, 1, "b#1");
	changed(w, 'b', "b=succeeded -b c#1");
	failed(w, 'c', "c=failed:exit turn ~a");
	undone(w, 'a', UNDO_UNDONE, "~b");
	undone(w, 'b', UNDO_UNDONE, "- end=rolled back:11");
	drop(w);
	w = make_undoable(3, "ac bc");
	w->options.jobs = 1;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	changed(w, 'b', "b=succeeded c#1");
	failed(w, 'c', "c=failed:exit turn ~a");
	undone(w, 'a', UNDO_UNDONE, "~b");
	undone(w, 'b', UNDO_UNDONE, "end=rolled back:11");
	drop(w);
}

static void test_cancel_turns_back(void **state)
{
	struct world *w = make_undoable(3, "ab");

	(void)state;
	task(w, 'c')->run_if = RUN_IF_DONE;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	cancel(w, "!b");
	stopped(w, 'b', "b=cancelled:cancel turn ~a");
	assert_string_equal(decide_verdict(w->decide), "cancelled");
	cancel(w, "");
	cancel(w, "");
	undone(w, 'a', UNDO_UNDONE, "c#1");
	done(w, 'c', "c=succeeded end=rolled back:11");
	drop(w);
}

static void test_second_cancel_does_not_stop_it(void **state)
{
	struct world *w = make_undoable(3, "ab");

	(void)state;
	task(w, 'c')->run_if = RUN_IF_DONE;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	cancel(w, "!b");
	cancel(w, "!!b");
	stopped(w, 'b', "b=cancelled:cancel turn ~a");
	undone(w, 'a', UNDO_UNDONE, "c=cancelled:cancel end=rolled back:11");
	drop(w);
}

static void test_hold(void **state)
{
	struct world *w = make_undoable(5, "ab ad cd");

	(void)state;
	task(w, 'e')->run_if = RUN_IF_DONE;
	w->options.jobs = 1;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded c#1");
	changed(w, 'c', "c=succeeded b#1");
	changed(w, 'b', "b=succeeded d#1");
	failed(w, 'd', "d=failed:exit turn ~b");
	hold(w, "!~b ~c=held");
	hold(w, "");
	undone(w, 'b', UNDO_HELD, "~a=held e=cancelled:cancel/d end=rollback failed:13");
	drop(w);
}

/* It was quicker. */
static void test_hold_too_late(void **state)
{
	struct world *w = make_undoable(2, "ab");

	(void)state;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	failed(w, 'b', "b=failed:exit turn ~a");
	hold(w, "!~a");
	undone(w, 'a', UNDO_UNDONE, "end=rolled back:11");
	drop(w);
}

/* Before the undo it is a second cancel, and nothing is undone then. */
static void test_hold_of_forward_work(void **state)
{
	struct world *w = make_undoable(2, "ab");

	(void)state;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	hold(w, "!!b");
	stopped(w, 'b', "b=cancelled:cancel turn ~a=held end=rollback failed:13");
	drop(w);
}

/* A half-made attempt is taken back before the next, also where nothing else is undone. */
static void test_between_attempts(void **state)
{
	struct world *w = make_undoable(1, "");

	(void)state;
	w->plan.on_failure = ON_FAILURE_STOP;
	w->retried = true;
	w->masks[0] = 1;
	begin(w, "+a");
	answer(w, EVENT_ACQUIRED, 0, "a#1");
	broke(w, 'a', "~a");
	assert_int_equal(decide_state(w->decide, 0), TASK_WAITING);
	assert_int_equal(decide_wake(w->decide), INT64_MAX);
	undone(w, 'a', UNDO_UNDONE, "-a");
	assert_int_equal(decide_undo_state(w->decide, 0), UNDO_UNDONE);
	pass_time(w, "+a");
	answer(w, EVENT_ACQUIRED, 0, "a#2");
	broke(w, 'a', "~a");
	undone(w, 'a', UNDO_UNDONE, "-a");
	pass_time(w, "+a");
	answer(w, EVENT_ACQUIRED, 0, "a#3");
	done(w, 'a', "a=succeeded -a end=succeeded:0");
	assert_int_equal(decide_undo_state(w->decide, 0), UNDO_NOTHING);
	drop(w);
}

static void test_between_attempts_of_a_gang(void **state)
{
	struct world *w = make_undoable(3, "a=b ab");

	(void)state;
	w->options.jobs = 1;
	w->retried = true;
	begin(w, "ab#1");
	changed(w, 'a', "");
	broke(w, 'b', "~b");
	undone(w, 'b', UNDO_UNDONE, "~a");
	undone(w, 'a', UNDO_UNDONE, "c#1");
	done(w, 'c', "c=succeeded");
	pass_time(w, "ab#2");
	done(w, 'a', "");
	changed(w, 'b', "a=succeeded b=succeeded end=succeeded:0");
	assert_int_equal(decide_undo_state(w->decide, 0), UNDO_NOTHING);
	assert_int_equal(decide_undo_state(w->decide, 1), UNDO_TODO);
	drop(w);
}

static void test_attempt_that_continues(void **state)
{
	struct world *w = make_undoable(1, "");

	(void)state;
	w->retried = true;
	begin(w, "a#1");
	expect(w,
		&(struct event){.kind = EVENT_ENDED,
			.result = TASK_FAILED,
			.transient = true,
			.changed = true,
			.continues = true},
		"");
	pass_time(w, "a#2");
	broke(w, 'a', "~a");
	undone(w, 'a', UNDO_UNDONE, "");
	cancel(w, "a=failed:exit end=rolled back:11");
	drop(w);
}

/* It counts as a failure even where failures are ignored. */
static void test_undo_fails_between_attempts(void **state)
{
	struct world *w = make_undoable(2, "ab");

	(void)state;
	w->retried = true;
	task(w, 'b')->flags |= PLAN_IGNORE_FAILURE;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	broke(w, 'b', "~b");
	undone(w, 'b', UNDO_FAILED, "b=failed:exit turn ~a=held end=rollback failed:13");
	drop(w);
}

static void test_cancel_between_attempts(void **state)
{
	struct world *w = make_undoable(2, "a=b");

	(void)state;
	w->retried = true;
	begin(w, "ab#1");
	changed(w, 'a', "");
	broke(w, 'b', "~b");
	cancel(w, "");
	cancel(w, "");
	undone(w, 'b', UNDO_UNDONE, "~a");
	undone(w, 'a', UNDO_UNDONE, "a=cancelled:gang b=failed:exit end=rolled back:11");
	drop(w);
}

static void test_hold_between_attempts(void **state)
{
	struct world *w = make_undoable(2, "a=b");

	(void)state;
	w->plan.on_failure = ON_FAILURE_STOP;
	w->retried = true;
	begin(w, "ab#1");
	changed(w, 'a', "");
	broke(w, 'b', "~b");
	hold(w, "!~b");
	undone(w, 'b', UNDO_HELD, "~a=held a=cancelled:gang b=failed:exit end=rollback failed:13");
	drop(w);
}

static void guard(struct world *w, char name, enum undo_state undo, const char *words)
{
	expect(w,
		&(struct event){.kind = EVENT_ENDED,
			.task = (uint32_t)(name - 'a'),
			.result = TASK_FAILED,
			.reason = REASON_TIMEOUT,
			.changed = true,
			.transient = true,
			.unconfirmed = true,
			.undo = undo},
		words);
}

static void test_guard(void **state)
{
	struct world *w = make_undoable(2, "ab");

	(void)state;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	guard(w, 'b', UNDO_UNDONE, "b=failed:timeout turn ~a");
	undone(w, 'a', UNDO_UNDONE, "end=rolled back:15");
	drop(w);
}

/* What is worth a retry is no longer, and what it needed is held. */
static void test_guard_that_failed(void **state)
{
	struct world *w = make_undoable(2, "ab");

	(void)state;
	w->retried = true;
	begin(w, "a#1");
	changed(w, 'a', "a=succeeded b#1");
	guard(w, 'b', UNDO_FAILED, "b=failed:timeout turn ~a=held end=rollback failed:13");
	drop(w);
}

static void test_unconfirmed_is_not_why(void **state)
{
	struct world *w = make_undoable(2, "");

	(void)state;
	w->plan.running = RUNNING_FINISH;
	begin(w, "a#1 b#1");
	failed(w, 'a', "a=failed:exit");
	guard(w, 'b', UNDO_UNDONE, "b=failed:timeout end=rolled back:11");
	drop(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reverse_order),
		cmocka_unit_test(test_order_through_unchanged),
		cmocka_unit_test(test_nothing_changed),
		cmocka_unit_test(test_stop_leaves_it),
		cmocka_unit_test(test_irreversible),
		cmocka_unit_test(test_turns_when_nothing_runs),
		cmocka_unit_test(test_pivot),
		cmocka_unit_test(test_pivot_that_failed),
		cmocka_unit_test(test_pivot_keeps_all),
		cmocka_unit_test(test_gang_order),
		cmocka_unit_test(test_gang_order_without_edges),
		cmocka_unit_test(test_failed_undo),
		cmocka_unit_test(test_failed_undo_in_a_gang),
		cmocka_unit_test(test_slots_and_locks),
		cmocka_unit_test(test_cancel_turns_back),
		cmocka_unit_test(test_second_cancel_does_not_stop_it),
		cmocka_unit_test(test_hold),
		cmocka_unit_test(test_hold_too_late),
		cmocka_unit_test(test_hold_of_forward_work),
		cmocka_unit_test(test_between_attempts),
		cmocka_unit_test(test_between_attempts_of_a_gang),
		cmocka_unit_test(test_attempt_that_continues),
		cmocka_unit_test(test_undo_fails_between_attempts),
		cmocka_unit_test(test_cancel_between_attempts),
		cmocka_unit_test(test_hold_between_attempts),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_guard_that_failed),
		cmocka_unit_test(test_unconfirmed_is_not_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
