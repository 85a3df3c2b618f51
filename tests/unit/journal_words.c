/* SPDX-License-Identifier: MIT */
#include "journal_words.h"

#include "base/file.h"
#include "journal/schema.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

char dir[64];

int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/test-journal-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

int teardown(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

struct journal *open_writer(void)
{
	struct journal *journal = NULL;
	CLEANUP_ERROR struct error err = {0};

	if (journal_open(dir, &journal, &err) < 0)
		fail_msg("%s", error_what(&err));
	return journal;
}

void add_run(struct journal *journal, const char *id, const char *graph, int64_t started_ms)
{
	struct journal_run run = {.graph = graph,
		.site_path = "/etc/upkeep/upkeep.conf",
		.task_count = 2,
		.started_ms = started_ms,
		.exit_code = -1,
		.uid = 7};

	snprintf(run.id, sizeof run.id, "%s", id);
	journal_add_run(journal, &run, "the plan", 8);
}

void end_run(struct journal *journal, enum run_state state, int64_t ended_ms)
{
	struct journal_run run = {.state = state,
		.ended_ms = ended_ms,
		.exit_code = 10,
		.warnings = 3,
		.cause = "failed task a: it broke",
		.next = "upkeep log last a"};

	journal_end_run(journal, &run);
}

void put_task(struct journal *journal, uint32_t index, uint32_t attempt, enum task_state state,
	int64_t duration_ms)
{
	struct journal_task task = {.index = index,
		.attempt = attempt,
		.name = index ? "b" : "a",
		.action = "core.exec",
		.state = state,
		.started_ms = 1000,
		.ended_ms = state == TASK_RUNNING ? 0 : 1000 + duration_ms,
		.exit_code = 256 + 9,
		.changed = true,
		.log = "runs/x/0.1.log",
		.log_bytes = 5,
		.cpu_ms = 4};

	journal_put_task(journal, &task);
}

void flush(struct journal *journal, enum journal_sync sync)
{
	CLEANUP_ERROR struct error err = {0};

	if (journal_flush(journal, sync, &err) < 0)
		fail_msg("%s", error_what(&err));
}

static sqlite3 *db_open(void)
{
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof path, "%s/journal.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

void sql_run(const char *sql)
{
	sqlite3 *db = db_open();

	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

int64_t sql_number(const char *sql)
{
	sqlite3 *db = db_open();
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_ROW)
		fail_msg("%s", sqlite3_errmsg(db));
	int64_t number = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return number;
}

void make_version(unsigned steps, const char *application_id, int version)
{
	char pragmas[96];

	for (unsigned i = 0; i < steps; i++)
		sql_run(journal_steps[i]);
	snprintf(pragmas, sizeof pragmas, "PRAGMA user_version=%d;PRAGMA application_id=%s",
		version, application_id);
	sql_run(pragmas);
	sql_run("INSERT INTO runs VALUES(1,'" ID1 "','old','/s',1,1,2,1,0,0,0,NULL,NULL)");
}
