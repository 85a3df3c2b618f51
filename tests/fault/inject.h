/*
 * A library that is loaded before the C library (LD_PRELOAD) into upkeep, its workers and the
 * programs of tasks: it counts the calls that change something, by the role of the process,
 * and at one of them kills processes or lets the call fail.
 *
 * All share one page, a file named by $UPKEEP_INJECT.  Workers and programs get both variables
 * by the `env` of their task.
 */
#ifndef UPKEEP_TESTS_INJECT_H
#define UPKEEP_TESTS_INJECT_H

#include <stdatomic.h>
#include <stdint.h>

#define INJECT_FILE "UPKEEP_INJECT"
#define INJECT_PROCESSES 512u
#define INJECT_CALL_SIZE 24u

enum inject_role {
	INJECT_KEEPER, /* the command itself, before and after it parted */
	INJECT_ENGINE,
	INJECT_WORKER,
	INJECT_GUARD,
	INJECT_PROGRAM, /* of a task, or a start helper */
	INJECT_ROLES,
};
#define INJECT_ALL ((1u << INJECT_ROLES) - 1)

enum inject_how {
	INJECT_COUNT,  /* only count */
	INJECT_BEFORE, /* kill before the call is made */
	INJECT_AFTER,  /* kill when it was made */
	INJECT_HALF,   /* of a write half is written, then kill; other calls: as BEFORE */
	INJECT_ENOSPC, /* this one call fails; only those that touch the disk are counted */
	INJECT_EIO,
	INJECT_FULL, /* from this call on all of this role fail, as on a full disk */
	INJECT_HOWS,
};

struct inject_page {
	/* What to do: at call `point` (from 1) of a process of that role. */
	uint32_t how, role, victims; /* victims: of these roles, a bit for each */
	uint64_t point;
	/* What happened. */
	_Atomic uint64_t calls[INJECT_ROLES];
	_Atomic uint64_t disk_calls[INJECT_ROLES]; /* of these, what INJECT_ENOSPC counts */
	_Atomic uint32_t fired;
	char call[INJECT_CALL_SIZE];
	_Atomic uint32_t process_count;
	struct {
		_Atomic int32_t pid;
		uint32_t role;
	} processes[INJECT_PROCESSES];
};

#endif
