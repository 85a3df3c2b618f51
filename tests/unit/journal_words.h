/* What the tests of the journal share: a state directory, rows in it. */
#ifndef UPKEEP_TESTS_JOURNAL_WORDS_H
#define UPKEEP_TESTS_JOURNAL_WORDS_H

#include "../unit.h"

#include "base/cleanup.h"
#include "journal/journal.h"

#define ID1 "20261123-040000-000001"
#define ID2 "20261123-040001-000002"
#define APPLICATION "0x75706b6a"

extern char dir[64]; /* of the test that runs */
int setup(void **state);
int teardown(void **state);
struct journal *open_writer(void);
void add_run(struct journal *journal, const char *id, const char *graph, int64_t started_ms);
void end_run(struct journal *journal, enum run_state state, int64_t ended_ms);
void put_task(struct journal *journal, uint32_t index, uint32_t attempt, enum task_state state,
	int64_t duration_ms);
void flush(struct journal *journal, enum journal_sync sync);
/* Through a connection of its own; the second reads one number. */
void sql_run(const char *sql);
int64_t sql_number(const char *sql);
/* A journal as an older version left it: its first steps, a run (ID1) in it; with these marks. */
void make_version(unsigned steps, const char *application_id, int version);

#define ONE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
