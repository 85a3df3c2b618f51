/* SPDX-License-Identifier: MIT */
/* The rules of a run, one test each. */
#include "decide_words.h"

static void test_chain(void **state)
{
	struct world *w = make(2, "ab");

	(void)state;
	begin(w, "a#1");
	begin(w, "");
	assert_int_equal(decide_state(w->decide, 1), TASK_PENDING);
	done(w, 'a', "a=succeeded b#1");
	done(w, 'a', "");
	assert_string_equal(decide_verdict(w->decide), "succeeded");
	done(w, 'b', "b=succeeded end=succeeded:0");
	drop(w);
}

static void test_empty(void **state)
{
	struct world *w = make(0, "");

	(void)state;
	begin(w, "end=succeeded:0");
	drop(w);
}

/* One slot: what the most of the rest waits for goes first, in time if it is known. */
static void test_longest_path(void **state)
{
	struct world *w = make(5, "bd ce");

	(void)state;
	w->options.jobs = 0;
	task(w, 'a')->duration_ms = 50;
	task(w, 'b')->duration_ms = 10;
	task(w, 'd')->duration_ms = 30;
	task(w, 'c')->duration_ms = 60;
	task(w, 'e')->duration_ms = 1;
	begin(w, "c#1");
	done(w, 'c', "c=succeeded a#1");
	done(w, 'a', "a=succeeded b#1");
	done(w, 'b', "b=succeeded d#1");
	done(w, 'd', "d=succeeded e#1");
	done(w, 'e', "e=succeeded end=succeeded:0");
	drop(w);
}

static void test_depth_counts_where_no_time_is_known(void **state)
{
	struct world *w = make(3, "bc");

	(void)state;
	w->options.jobs = 1;
	begin(w, "b#1");
	done(w, 'b', "b=succeeded a#1");
	cancel(w, "!a c=cancelled:cancel");
	done(w, 'a', "a=succeeded end=failed clean:10");
	drop(w);
}

static void test_failure_stops(void **state)
{
	struct world *w = make(4, "ac bd");

	(void)state;
	begin(w, "a#1 b#1");
	failed(w, 'a', "!b a=failed:exit c=skipped:upstream/a");
	assert_string_equal(decide_verdict(w->decide), "failed");
	stopped(w, 'b', "b=cancelled:cancel d=cancelled:cancel/b end=failed clean:10");
	drop(w);
}

static void test_running_finish(void **state)
{
	struct world *w = make(3, "bc");

	(void)state;
	w->plan.running = RUNNING_FINISH;
	begin(w, "b#1 a#1");
	failed(w, 'a', "a=failed:exit");
	done(w, 'b', "b=succeeded c=cancelled:cancel/a end=failed clean:10");
	drop(w);
}

static void test_on_failure_continue(void **state)
{
	struct world *w = make(4, "ac bd");

	(void)state;
	w->plan.on_failure = ON_FAILURE_CONTINUE;
	begin(w, "a#1 b#1");
	failed(w, 'a', "a=failed:exit c=skipped:upstream/a");
	done(w, 'b', "b=succeeded d#1");
	failed(w, 'd', "d=failed:exit end=failed clean:10");
	drop(w);
}

static void test_ignored_failure(void **state)
{
	struct world *w = make(2, "ab");

	(void)state;
	task(w, 'a')->flags = PLAN_IGNORE_FAILURE;
	begin(w, "a#1");
	failed(w, 'a', "a=failed:exit b#1");
	done(w, 'b', "b=succeeded end=succeeded:0");
	drop(w);
}

/* A failed run that has changed something is not clean. */
static void test_partial(void **state)
{
	struct world *w = make(2, "ab");

	(void)state;
	w->plan.on_failure = ON_FAILURE_STOP;
	task(w, 'a')->flags = PLAN_CAN_UNDO;
	begin(w, "a#1");
	expect(w, &(struct event){EVENT_ENDED, .result = TASK_SUCCEEDED, .changed = true},
		"a=succeeded b#1");
	assert_int_equal(decide_undo_state(w->decide, 0), UNDO_TODO);
	expect(w,
		&(struct event){EVENT_ENDED, .task = 1, .result = TASK_FAILED,
			.reason = REASON_SIGNAL, .changed = true},
		"b=failed:signal end=failed partial:12");
	assert_int_equal(decide_undo_state(w->decide, 1), UNDO_IRREVERSIBLE);
	drop(w);
}

static void test_retry(void **state)
{
	struct world *w = make(2, "");

	(void)state;
	w->options.jobs = 1;
	w->retried = true;
	begin(w, "a#1");
	failed(w, 'a', "b#1");
	assert_int_equal(decide_state(w->decide, 0), TASK_WAITING);
	assert_true(decide_wake(w->decide) <= 100000);
	done(w, 'b', "b=succeeded");
	pass_time(w, "a#2");
	failed(w, 'a', "");
	pass_time(w, "a#3");
	failed(w, 'a', "a=failed:exit end=failed clean:10");
	drop(w);
}

static void test_no_retry_of_what_is_permanent(void **state)
{
	struct world *w = make(1, "");

	(void)state;
	w->retried = true;
	begin(w, "a#1");
	expect(w, &(struct event){EVENT_ENDED, .result = TASK_FAILED, .reason = REASON_EXIT},
		"a=failed:exit end=failed clean:10");
	drop(w);
}

/* The largest of many delays before attempt 3. */
static int64_t longest_delay(double backoff, int64_t max_ms)
{
	int64_t longest = 0;

	for (uint64_t seed = 0; seed < 200; seed++) {
		struct world *w = make(1, "");
		w->options.seed = seed;
		w->retried = true;
		w->retries[1].backoff = backoff;
		w->retries[1].max_delay_ms = max_ms;
		begin(w, "a#1");
		failed(w, 'a', "");
		pass_time(w, "a#2");
		failed(w, 'a', "");
		int64_t delay = decide_wake(w->decide) - w->now_ms;
		longest = delay > longest ? delay : longest;
		cancel(w, "a=failed:exit end=failed clean:10");
		drop(w);
	}
	return longest;
}

static void test_backoff(void **state)
{
	(void)state;
	assert_in_range(longest_delay(1, 0), 90000, 100000);
	assert_in_range(longest_delay(5, 0), 450000, 500000);
	assert_in_range(longest_delay(5, 300000), 270000, 300000);
}

static void test_failure_ends_waiting_attempts(void **state)
{
	struct world *w = make(2, "");

	(void)state;
	w->retried = true;
	w->retries[1].attempts = 2;
	begin(w, "a#1 b#1");
	failed(w, 'a', "");
	pass_time(w, "a#2");
	failed(w, 'b', "");
	failed(w, 'a', "a=failed:exit b=failed:exit end=failed clean:10");
	drop(w);
}

/* A gang starts, fails and is retried whole. */
static void test_gang_retry(void **state)
{
	struct world *w = make(3, "a=b bc");

	(void)state;
	w->retried = true;
	begin(w, "ab#1");
	done(w, 'a', "");
	failed(w, 'b', "");
	pass_time(w, "ab#2");
	failed(w, 'a', "!ab");
	stopped(w, 'b', "");
	pass_time(w, "ab#3");
	done(w, 'b', "");
	done(w, 'a', "a=succeeded b=succeeded c#1");
	done(w, 'c', "c=succeeded end=succeeded:0");
	drop(w);
}

static void test_gang_failure(void **state)
{
	struct world *w = make(3, "a=b ac");

	(void)state;
	begin(w, "ab#1");
	failed(w, 'b', "!ab");
	done(w, 'a', "a=cancelled:gang b=failed:exit c=skipped:upstream/b end=failed clean:10");
	drop(w);
}

static void test_gang_given_up(void **state)
{
	struct world *w = make(2, "a=b");

	(void)state;
	w->retried = true;
	begin(w, "ab#1");
	failed(w, 'a', "!ab");
	stopped(w, 'b', "");
	cancel(w, "a=failed:exit b=cancelled:gang end=failed clean:10");
	drop(w);
}

static void test_cancel_once(void **state)
{
	struct world *w = make(3, "ab");

	(void)state;
	task(w, 'c')->run_if = RUN_IF_DONE;
	begin(w, "a#1");
	cancel(w, "!a");
	assert_string_equal(decide_verdict(w->decide), "cancelled");
	stopped(w, 'a', "a=cancelled:cancel b=cancelled:cancel/a c#1");
	done(w, 'c', "c=succeeded end=failed clean:10");
	drop(w);
}

static void test_cancel_twice(void **state)
{
	struct world *w = make(2, "");

	(void)state;
	task(w, 'b')->run_if = RUN_IF_DONE;
	begin(w, "a#1");
	cancel(w, "!a");
	cancel(w, "!!a");
	stopped(w, 'a', "a=cancelled:cancel b=cancelled:cancel end=failed clean:10");
	drop(w);
}

/* Who was asked to stop is not asked again, only told to die, and that once. */
static void test_cancel_asks_once(void **state)
{
	struct world *w = make(2, "");

	(void)state;
	begin(w, "a#1 b#1");
	failed(w, 'a', "!b a=failed:exit");
	cancel(w, "");
	cancel(w, "!!b");
	cancel(w, "");
	stopped(w, 'b', "b=cancelled:cancel end=failed clean:10");
	drop(w);
}

/* The first cancel leaves a run_if task alone, the second does not. */
static void test_cancel_in_the_end(void **state)
{
	struct world *w = make(3, "bc");

	(void)state;
	task(w, 'b')->run_if = task(w, 'c')->run_if = RUN_IF_DONE;
	begin(w, "a#1");
	done(w, 'a', "a=succeeded b#1");
	cancel(w, "");
	cancel(w, "!!b");
	stopped(w, 'b', "b=cancelled:cancel c=cancelled:cancel/b end=succeeded:0");
	drop(w);
}

static void test_run_if_failure(void **state)
{
	struct world *w = make(3, "");

	(void)state;
	task(w, 'b')->run_if = RUN_IF_FAILURE;
	task(w, 'c')->run_if = RUN_IF_DONE;
	begin(w, "a#1");
	done(w, 'a', "a=succeeded b=skipped:condition c#1");
	done(w, 'c', "c=succeeded end=succeeded:0");
	drop(w);
	w = make(2, "");
	task(w, 'b')->run_if = RUN_IF_FAILURE;
	begin(w, "a#1");
	failed(w, 'a', "a=failed:exit b#1");
	failed(w, 'b', "b=failed:exit end=failed clean:10");
	drop(w);
}

static void test_run_if_failure_after_cancel(void **state)
{
	struct world *w = make(2, "");

	(void)state;
	task(w, 'b')->run_if = RUN_IF_FAILURE;
	begin(w, "a#1");
	cancel(w, "!a");
	stopped(w, 'a', "a=cancelled:cancel b#1");
	done(w, 'b', "b=succeeded end=failed clean:10");
	drop(w);
}

static void test_condition(void **state)
{
	struct world *w = make(4, "ab cd");

	(void)state;
	w->plan.on_failure = ON_FAILURE_CONTINUE;
	task(w, 'a')->flags = task(w, 'b')->flags = task(w, 'c')->flags = PLAN_WHEN;
	begin(w, "?a ?c");
	condition(w, 'a', false, "a=skipped:condition ?b");
	expect(w, &(struct event){EVENT_CONDITION, .task = 2, .result = TASK_FAILED},
		"c=failed:start d=skipped:upstream/c");
	condition(w, 'b', true, "b#1");
	condition(w, 'b', false, "");
	done(w, 'b', "b=succeeded end=failed clean:10");
	drop(w);
}

/* What is left out passes on the order and the failure of what it needs. */
static void test_left_out(void **state)
{
	struct world *w = make(4, "ab bc cd");

	(void)state;
	w->plan.on_failure = ON_FAILURE_CONTINUE;
	task(w, 'b')->flags = PLAN_LEFT_OUT;
	task(w, 'c')->flags = PLAN_EMPTY_EACH;
	begin(w, "a#1");
	failed(w, 'a',
		"a=failed:exit b=skipped:left out c=skipped:left out d=skipped:upstream/a "
		"end=failed clean:10");
	drop(w);
}

static void test_timeout(void **state)
{
	struct world *w = make(3, "ab");

	(void)state;
	w->options.timeout_ms = 500;
	task(w, 'c')->run_if = RUN_IF_FAILURE;
	begin(w, "a#1");
	assert_int_equal(decide_wake(w->decide), 500);
	pass_time(w, "!a");
	assert_int_equal(decide_wake(w->decide), INT64_MAX);
	stopped(w, 'a', "a=cancelled:timeout b=cancelled:timeout/a c#1");
	done(w, 'c', "c=succeeded end=failed clean:10");
	drop(w);
}

/* Inside the run one holder at a time; the other runs are asked, too. */
static void test_lock(void **state)
{
	struct world *w = make(2, "");

	(void)state;
	w->masks[0] = w->masks[1] = 1;
	begin(w, "+a");
	assert_int_equal(decide_state(w->decide, 0), TASK_WAITING);
	answer(w, EVENT_ACQUIRED, 0, "a#1");
	answer(w, EVENT_ACQUIRED, 0, "");
	done(w, 'a', "a=succeeded -a +b");
	answer(w, EVENT_REFUSED, 1, "b=failed:timeout end=failed clean:10");
	drop(w);
}

static void test_cancel_while_waiting_for_locks(void **state)
{
	struct world *w = make(3, "");

	(void)state;
	w->masks[0] = 1;
	w->masks[1] = 3;
	w->masks[2] = 2;
	begin(w, "+a +c");
	cancel(w,
		"-c c=cancelled:cancel -a a=cancelled:cancel b=cancelled:cancel "
		"end=failed clean:10");
	drop(w);
}

/* What can be undone keeps its locks until the run is over. */
static void test_locks_at_start(void **state)
{
	struct world *w = make(2, "");

	(void)state;
	w->plan.locks_at_start = true;
	w->masks[0] = 1;
	w->masks[1] = 3;
	begin(w, "+");
	answer(w, EVENT_ACQUIRED, PLAN_NONE, "a#1");
	answer(w, EVENT_ACQUIRED, PLAN_NONE, "");
	done(w, 'a', "a=succeeded +b");
	answer(w, EVENT_ACQUIRED, 1, "b#1");
	done(w, 'b', "b=succeeded -b - end=succeeded:0");
	drop(w);
}

static void test_locks_refused(void **state)
{
	struct world *w = make(2, "");

	(void)state;
	w->plan.locks_at_start = true;
	w->masks[0] = 1;
	task(w, 'b')->run_if = RUN_IF_DONE;
	begin(w, "+");
	answer(w, EVENT_REFUSED, PLAN_NONE,
		"a=cancelled:cancel b=cancelled:cancel end=failed clean:75");
	drop(w);
}

static void test_cancel_before_the_locks(void **state)
{
	struct world *w = make(2, "");

	(void)state;
	w->plan.locks_at_start = true;
	w->masks[0] = 1;
	task(w, 'b')->run_if = RUN_IF_DONE;
	begin(w, "+");
	cancel(w, "- a=cancelled:cancel b=cancelled:cancel end=failed clean:10");
	answer(w, EVENT_ACQUIRED, PLAN_NONE, "");
	drop(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_longest_path),
		cmocka_unit_test(test_depth_counts_where_no_time_is_known),
		cmocka_unit_test(test_failure_stops),
		cmocka_unit_test(test_running_finish),
		cmocka_unit_test(test_on_failure_continue),
		cmocka_unit_test(test_ignored_failure),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_retry),
		cmocka_unit_test(test_no_retry_of_what_is_permanent),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_failure_ends_waiting_attempts),
		cmocka_unit_test(test_gang_retry),
		cmocka_unit_test(test_gang_failure),
		cmocka_unit_test(test_gang_given_up),
		cmocka_unit_test(test_cancel_once),
		cmocka_unit_test(test_cancel_twice),
		cmocka_unit_test(test_cancel_asks_once),
		cmocka_unit_test(test_cancel_in_the_end),
		cmocka_unit_test(test_run_if_failure),
		cmocka_unit_test(test_run_if_failure_after_cancel),
		cmocka_unit_test(test_condition),
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_cancel_while_waiting_for_locks),
		cmocka_unit_test(test_locks_at_start),
		cmocka_unit_test(test_locks_refused),
		cmocka_unit_test(test_cancel_before_the_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
