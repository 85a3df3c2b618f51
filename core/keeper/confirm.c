/* SPDX-License-Identifier: MIT */
/* A person's answer to confirm_within: it needs neither engine nor journal. */
#include "base/cleanup.h"
#include "base/text.h"
#include "journal/journal.h"
#include "run/run.h"
#include "undo/guard.h"

#include <fcntl.h>
#include <string.h>

#define PREFIX "guard."

struct confirming {
	unsigned confirmed, late, running, already;
};

static void count(const struct guard *guard, struct confirming *found)
{
	switch (guard_state(guard)) {
	case GUARD_ARMED:
		*(guard_is_late(guard) ? &found->late : &found->running) += 1;
		break;
	case GUARD_CONFIRMED:
		found->already++;
		break;
	case GUARD_DISARMED: /* waits for nothing */
		break;
	default:
		found->late++;
		break;
	}
}

/* A guard's file, by its name; false: it is none. */
static bool guard_named(int dir, const char *name, struct guard *ret)
{
	return text_starts(name, PREFIX) &&
		guard_open(dir, (uint32_t)strtoul(name + strlen(PREFIX), NULL, 10), ret) == 0;
}

static void confirm_one(int dir, const char *name, struct confirming *found)
{
	struct guard guard;

	if (!guard_named(dir, name, &guard))
		return;
	if (!guard_is_late(&guard) && guard_change(&guard, GUARD_WAITING, GUARD_CONFIRMED))
		found->confirmed++;
	else
		count(&guard, found);
	guard_close(&guard);
}

static DIR *run_open(const char *state_dir, const char *id, struct text *path)
{
	char below[JOURNAL_PATH_SIZE];

	journal_run_dir(below, id);
	text_addf(path, "%s/%s", state_dir, below);
	return opendir(text_string(path));
}

int run_confirm(const char *state_dir, const char *id, struct error *err)
{
	CLEANUP_TEXT struct text path = {0}, next = {0};
	struct confirming found = {0};
	struct dirent *entry;

	CLEANUP_DIR DIR *dir = run_open(state_dir, id, &path);
	if (!dir && errno != ENOENT)
		return error_set(err, -errno, NULL, "cannot read %s: %m", text_string(&path));
	while (dir && (entry = readdir(dir)))
		confirm_one(dirfd(dir), entry->d_name, &found);
	text_addf(&next, found.late ? "upkeep show %s" : "upkeep confirm %s, once it waits", id);
	if (found.late)
		return error_set(err, -ETIME, text_string(&next),
			"run %s cannot be confirmed any more: its time is over", id);
	if (found.confirmed)
		return 0;
	if (found.running)
		return error_set(err, -EBUSY, text_string(&next),
			"run %s cannot be confirmed yet: its task is not done", id);
	if (found.already)
		return 0;
	return error_set(err, -ESRCH, "upkeep history", "run %s waits for no confirmation", id);
}

static bool can_be_answered(int dir, const char *name)
{
	struct guard guard;

	if (!guard_named(dir, name, &guard))
		return false;
	bool can = guard_state(&guard) == GUARD_WAITING && !guard_is_late(&guard) &&
		guard_is_alive(&guard);
	guard_close(&guard);
	return can;
}

bool run_waits(const char *state_dir, const char *id)
{
	CLEANUP_TEXT struct text path = {0};
	CLEANUP_DIR DIR *dir = run_open(state_dir, id, &path);
	struct dirent *entry;
	bool waits = false;

	while (dir && !waits && (entry = readdir(dir)))
		waits = can_be_answered(dirfd(dir), entry->d_name);
	return waits;
}
