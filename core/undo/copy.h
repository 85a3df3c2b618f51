/*
 * Text copies of undo records, for a person whose journal cannot be read: undo/ID.txt in the
 * directory of the run.  docs/behaviour.md says how they are read.
 */
#ifndef UPKEEP_UNDO_COPY_H
#define UPKEEP_UNDO_COPY_H

#include "journal/journal.h"

struct undo_copy {
	const char *run_id, *task, *action;
	uint64_t id;
	const struct journal_undo *undo;
};
/* On the disk when it returns 0, with the directories that lead to it. */
int undo_copy_write(int run_dir, const struct undo_copy *copy);
/* The record was undone or dropped: it is called ID.done.txt from now on.  Not synced: the
 * journal is what counts. */
void undo_copy_close(int run_dir, uint64_t id);

/* Makes undo/ in the run's directory where it is missing, and syncs what leads to it. */
int undo_dir_make(int run_dir);

/* The CRC of POSIX: what cksum(1) prints first. */
uint32_t undo_checksum(const char *bytes, size_t size);

#endif
