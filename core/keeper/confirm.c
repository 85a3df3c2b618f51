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
	unsigned confirmed, late;
};

static void confirm_one(int dir, const char *name, struct confirming *found)
{
	struct guard guard;

	if (guard_open(dir, (uint32_t)strtoul(name + strlen(PREFIX), NULL, 10), &guard) < 0)
		return;
	if (guard_change(&guard, GUARD_ARMED, GUARD_CONFIRMED))
		found->confirmed++;
	else if (guard_state(&guard) != GUARD_CONFIRMED)
		found->late++;
	guard_close(&guard);
}

int run_confirm(const char *state_dir, const char *id, struct error *err)
{
	CLEANUP_TEXT struct text path = {0};
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
	if (found.confirmed)
		return 0;
	if (found.late)
		return error_set(err, -ETIME, "upkeep show RUN",
			"run %s cannot be confirmed any more: its time is over", id);
	return error_set(err, -ESRCH, "upkeep history", "run %s waits for no confirmation", id);
}
