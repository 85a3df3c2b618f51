/* States and events of a run: the words that decide, run, journal and report share. */
#ifndef UPKEEP_MODEL_STATE_H
#define UPKEEP_MODEL_STATE_H

#include <stdint.h>

/* The forward track of a task. Stored in the journal: numbers never change. */
enum task_state {
	TASK_PENDING = 0,
	TASK_READY = 1,
	TASK_WAITING = 2, /* for a lock, a pool, or the delay before a retry */
	TASK_RUNNING = 3,
	TASK_SUCCEEDED = 4,
	TASK_FAILED = 5,
	TASK_CANCELLED = 6,
	TASK_SKIPPED = 7,
	TASK_UNKNOWN = 8, /* a crash left it running */
};
/* Why a task failed or was skipped. */
enum task_reason {
	REASON_NONE = 0,
	REASON_EXIT = 1, /* exit code, or the action said so */
	REASON_TIMEOUT = 2,
	REASON_SIGNAL = 3,
	REASON_POSTCONDITION = 4,
	REASON_START = 5,      /* could not be started */
	REASON_PROTOCOL = 6,   /* its worker broke the protocol */
	REASON_CONDITION = 7,  /* skipped: `when` is false */
	REASON_UP_TO_DATE = 8, /* skipped */
	REASON_UPSTREAM = 9,   /* skipped: what it needs did not succeed */
	REASON_LEFT_OUT = 10,  /* skipped: --only, --skip, --start-at, empty each */
	REASON_CANCEL = 11,    /* cancelled: the run was */
	REASON_PERSON = 12,    /* needs a person */
	REASON_GANG = 13,      /* another member of its gang failed */
};
/* The undo track of a task. */
enum undo_state {
	UNDO_NOTHING = 0,
	UNDO_TODO = 1,
	UNDO_UNDOING = 2,
	UNDO_UNDONE = 3,
	UNDO_FAILED = 4,
	UNDO_HELD = 5,
	UNDO_IRREVERSIBLE = 6,
};
enum run_state {
	RUN_RUNNING = 0,
	RUN_SUCCEEDED = 1,
	RUN_FAILED_CLEAN = 2,
	RUN_ROLLING_BACK = 3,
	RUN_ROLLED_BACK = 4,
	RUN_FAILED_PARTIAL = 5,
	RUN_ROLLBACK_FAILED = 6,
	RUN_INTERRUPTED = 7,
	RUN_AWAITING_CONFIRMATION = 8,
};

/* The words for people and JSON. */
const char *task_state_name(enum task_state state);    /* "succeeded" */
const char *task_reason_name(enum task_reason reason); /* "timeout"; "" for none */
const char *undo_state_name(enum undo_state state);
const char *run_state_name(enum run_state state);

/* Exit codes (README.md). */
enum exit_code {
	EXIT_OK = 0,
	EXIT_PLAN_CHANGES = 2,
	EXIT_FAILED_CLEAN = 10,
	EXIT_ROLLED_BACK = 11,
	EXIT_FAILED_PARTIAL = 12,
	EXIT_ROLLBACK_FAILED = 13,
	EXIT_UNRESOLVED = 14,
	EXIT_NOT_CONFIRMED = 15,
	EXIT_USAGE = 64,
	EXIT_PLUGIN = 69,
	EXIT_INTERNAL = 70,
	EXIT_JOURNAL = 74,
	EXIT_BUSY = 75,
	EXIT_NOT_PERMITTED = 77,
	EXIT_CONFIGURATION = 78,
};

#endif
