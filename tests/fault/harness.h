/* Plans made by hand, run for real in a state directory of the test's own. */
#ifndef UPKEEP_TESTS_HARNESS_H
#define UPKEEP_TESTS_HARNESS_H

#include "journal/journal.h"
#include "model/plan.h"
#include "run/run.h"

struct fixture;

/* What the watcher saw last of a task. */
struct seen {
	enum task_state state;
	enum task_reason reason;
	uint32_t attempt;
	int exit_code;
	char message[512], next[256];
};

struct fixture *fixture_new(void);
void fixture_free(struct fixture *fixture);
const char *fixture_dir(const struct fixture *fixture); /* the state directory */
const char *fixture_id(const struct fixture *fixture);  /* of the last run */
/* An instance of a plugin's file. */
struct instance *fixture_instance(struct fixture *fixture, const char *name, const char *path,
	const struct plugin_description *description);
/* Adds core.exec with this argv (NULL-terminated); options may be NULL. */
uint32_t fixture_exec(struct fixture *fixture, const char *name, const char *const *argv,
	const struct task_options *options);
/* The same for a line of the shell, to keep tests short. */
uint32_t fixture_shell(struct fixture *fixture, const char *name, const char *script,
	const struct task_options *options);
uint32_t fixture_action(struct fixture *fixture, const char *name, const struct instance *instance,
	const char *action, const struct task_options *options);
/* Sets an argument of the task that was added last. */
void fixture_argument(struct fixture *fixture, const char *name, struct value value);
void fixture_changes(struct fixture *fixture, uint32_t task, uint8_t changes);
void fixture_after(struct fixture *fixture, uint32_t task, uint32_t before);
void fixture_retry(struct fixture *fixture, uint32_t task, struct retry retry);
void fixture_lock(struct fixture *fixture, uint32_t task, const char *name);
/* Runs as where no cgroup is writable. */
void fixture_without_cgroups(struct fixture *fixture);
struct graph *fixture_graph(struct fixture *fixture);

enum exit_code fixture_run(struct fixture *fixture, uint32_t jobs, struct error *err);
/* What the run wrote to its journal, and what a plan would do ("; " between). */
struct told {
	uint64_t commits, syncs;
	char would[1024];
};
struct told fixture_told(const struct fixture *fixture);
/* plan_only */
enum exit_code fixture_plan(struct fixture *fixture, struct error *err);
/* The same in a child process of ours; fixture_wait gives the exit code. */
pid_t fixture_start(struct fixture *fixture, uint32_t jobs);
int fixture_wait(pid_t pid);

/* After a run, from the journal: the last attempt of the task. */
struct seen fixture_seen(struct fixture *fixture, uint32_t task);
/* The log of an attempt, or "" where there is none; the caller frees it. */
char *fixture_log(struct fixture *fixture, uint32_t task, uint32_t attempt);
/* The text of an output, NULL: none; the caller frees it. */
char *fixture_output(struct fixture *fixture, uint32_t task, const char *name);
/* Processes (zombies do not count) with `mark` in their command line. */
unsigned fixture_alive(const char *mark);

struct value value_string(const char *text);
struct value value_strings(struct fixture *fixture, const char *const *texts);

/* Valgrind makes a fork of CLONE_VM | CLONE_VFORK, so that nobody sees why a program could not
 * start; it lets nobody limit files; and it has no pidfd_open. */
#define NOT_UNDER_VALGRIND                    \
	do {                                  \
		if (getenv("UNDER_VALGRIND")) \
			skip();               \
	} while (0)

#endif
