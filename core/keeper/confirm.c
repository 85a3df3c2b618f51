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

static void confirm_one(int dir, const char *name, struct confirming *found)
{
	struct guard guard;

	if (guard_open(dir, (uint32_t)strtoul(name + strlen(PREFIX), NULL, 10), &guard) < 0)
		return;
	if (!guard_is_late(&guard) && guard_change(&guard, GUARD_WAITING, GUARD_CONFIRMED))
		found->confirmed++;
	else
		count(&guard, found);
	guard_close(&guard);
}

int run_confirm(const char *state_dir, const char *id, struct error *err)
{
	CLEANUP_TEXT struct text path = {0}, next = {0};
	struct confirming found = {0};
	char below[JOURNAL_PATH_SIZE];
	struct dirent *entry;

	journal_run_dir(below, id);
	text_addf(&path, "%s/%s", state_dir, below);
	CLEANUP_DIR DIR *dir = opendir(text_string(&path));
	if (!dir && errno != ENOENT)
		return error_set(err, -errno, NULL, "cannot read %s: %m", text_string(&path));
	while (dir && (entry = readdir(dir)))
		if (text_starts(entry->d_name, PREFIX))
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
