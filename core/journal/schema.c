/* SPDX-License-Identifier: MIT */
#include "journal/schema.h"

/*
 * Every table but `runs` is keyed by the run's number and, within it, a rising
 * number, without rowids: appending stays at the right edge of the tree, reading
 * or removing a run is one range.
 */
static const char step_base[] =
	"CREATE TABLE runs("
	" run INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, graph TEXT NOT NULL,"
	" site TEXT NOT NULL, task_count INTEGER NOT NULL, started_ms INTEGER NOT NULL,"
	" ended_ms INTEGER NOT NULL, state INTEGER NOT NULL, exit_code INTEGER NOT NULL,"
	" warnings INTEGER NOT NULL, uid INTEGER NOT NULL, cause TEXT, next TEXT);"
	"CREATE INDEX runs_of_graph ON runs(graph, id);"
	"CREATE TABLE plans(run INTEGER PRIMARY KEY, text BLOB NOT NULL);"
	"CREATE TABLE tasks("
	" run INTEGER, task INTEGER, attempt INTEGER, state INTEGER NOT NULL,"
	" reason INTEGER NOT NULL, undo INTEGER NOT NULL, started_ms INTEGER NOT NULL,"
	" ended_ms INTEGER NOT NULL, exit_code INTEGER NOT NULL, changed INTEGER NOT NULL,"
	" log_bytes INTEGER NOT NULL, log_dropped INTEGER NOT NULL, cpu_ms INTEGER NOT NULL,"
	" peak_memory INTEGER NOT NULL, name TEXT NOT NULL, action TEXT NOT NULL,"
	" message TEXT, next TEXT, log TEXT,"
	" PRIMARY KEY(run, task, attempt)) WITHOUT ROWID;"
	"CREATE TABLE outputs(run INTEGER, number INTEGER, task INTEGER NOT NULL,"
	" name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(run, number)) WITHOUT ROWID;"
	"CREATE TABLE rows(run INTEGER, number INTEGER, task INTEGER NOT NULL,"
	" name TEXT NOT NULL, cells TEXT NOT NULL, PRIMARY KEY(run, number)) WITHOUT ROWID;"
	"CREATE TABLE warnings(run INTEGER, number INTEGER, task INTEGER NOT NULL,"
	" text TEXT NOT NULL, PRIMARY KEY(run, number)) WITHOUT ROWID;"
	"CREATE TABLE confirmations(run INTEGER, number INTEGER, task INTEGER NOT NULL,"
	" uid INTEGER NOT NULL, at_ms INTEGER NOT NULL, item TEXT NOT NULL,"
	" answer TEXT NOT NULL, PRIMARY KEY(run, number)) WITHOUT ROWID;";

static const char step_undo[] =
	"CREATE TABLE undo_records(run INTEGER, number INTEGER, task INTEGER NOT NULL,"
	" attempt INTEGER NOT NULL, version INTEGER NOT NULL, state INTEGER NOT NULL,"
	" kind TEXT NOT NULL, about TEXT, payload TEXT NOT NULL, files TEXT,"
	" fingerprint TEXT, PRIMARY KEY(run, number)) WITHOUT ROWID;"
	"CREATE TABLE owed(run INTEGER, number INTEGER, task INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL, due_ms INTEGER NOT NULL, payload TEXT NOT NULL,"
	" PRIMARY KEY(run, number)) WITHOUT ROWID;"
	"CREATE TABLE resolved(run INTEGER PRIMARY KEY, uid INTEGER NOT NULL,"
	" at_ms INTEGER NOT NULL, why TEXT NOT NULL);";

/* `undo_files`: how much room the undo files of a run take that has ended (none: no row; 1: not
 * known), and when and why they were given up (0: they were not). */
static const char step_back[] =
	"CREATE TABLE undoings(run INTEGER, task INTEGER, number INTEGER,"
	" state INTEGER NOT NULL, started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"
	" exit_code INTEGER NOT NULL, log_bytes INTEGER NOT NULL, message TEXT, next TEXT,"
	" log TEXT, PRIMARY KEY(run, task, number)) WITHOUT ROWID;"
	"CREATE TABLE undo_files(run INTEGER PRIMARY KEY, bytes INTEGER NOT NULL,"
	" gone_ms INTEGER NOT NULL, why TEXT);"
	"INSERT INTO undo_files SELECT DISTINCT run, 1, 0, NULL FROM undo_records;";

const char *const journal_steps[] = {step_base, step_undo, step_back};
const size_t journal_step_count = sizeof journal_steps / sizeof journal_steps[0];
