/* SPDX-License-Identifier: MIT */
#include "model/state.h"

#include <stddef.h>

static const char *name_of(const char *const *names, size_t count, unsigned number)
{
	return number < count ? names[number] : "?";
}
#define NAME_OF(names, number) name_of(names, sizeof(names) / sizeof(names[0]), (unsigned)(number))

const char *task_state_name(enum task_state state)
{
	static const char *const names[] = {"pending", "ready", "waiting", "running", "succeeded",
		"failed", "cancelled", "skipped", "unknown"};

	return NAME_OF(names, state);
}

const char *task_reason_name(enum task_reason reason)
{
	static const char *const names[] = {"", "exit", "timeout", "signal", "post-condition",
		"start", "protocol", "condition", "up to date", "upstream", "left out", "cancel",
		"needs a person", "gang"};

	return NAME_OF(names, reason);
}

const char *undo_state_name(enum undo_state state)
{
	static const char *const names[] = {"nothing to undo", "to undo", "undoing", "undone",
		"undo failed", "held", "irreversible"};

	return NAME_OF(names, state);
}

const char *run_state_name(enum run_state state)
{
	static const char *const names[] = {"running", "succeeded", "failed clean", "rolling back",
		"rolled back", "failed partial", "rollback failed", "interrupted",
		"awaiting confirmation"};

	return NAME_OF(names, state);
}
