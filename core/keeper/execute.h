/* What run_execute and run_again share: the way from a plan to keeper and engine. */
#ifndef UPKEEP_KEEPER_EXECUTE_H
#define UPKEEP_KEEPER_EXECUTE_H

#include "run/engine.h"

/* EXIT_NOT_PERMITTED or EXIT_JOURNAL for what the state directory refused; adds what to do. */
enum exit_code execute_refused(int r, struct error *err);
/* Refuses what cannot work before anything runs. */
enum exit_code execute_check(const struct plan *plan, struct error *err);
/* The lock of the graph, by its `overlap`; where *ret_fd stays -1 the run does not come about. */
enum exit_code execute_take_graph(
	const struct plan *plan, const struct run_setup *setup, int *ret_fd, struct error *err);
/* The run's directory and lock (setup->run_dir; *ret_lock is the caller's). */
enum exit_code execute_open(struct run_setup *setup, int *ret_lock, struct error *err);
/* Parts into keeper and engine, and waits for the end; closes setup->run_dir. */
enum exit_code execute_part(struct run_setup *setup, struct error *err);

#endif
