/* Undo records of one task in memory, newest first: what may have to be put back. */
#ifndef UPKEEP_UNDO_RECORD_H
#define UPKEEP_UNDO_RECORD_H

#include "journal/journal.h"

struct undo_record {
	struct journal_undo
		row; /* its texts belong to the record; `files`: NULL or names, a line each */
	struct undo_record *older;
};

/* Adds a copy of `row`, whose id is higher than those of all that are there. */
void undo_records_add(struct undo_record **records, const struct journal_undo *row);
/* The one with this id, or NULL. */
struct undo_record *undo_records_find(struct undo_record *records, uint64_t id);
/* The newest that is neither dropped nor done, from `records` on; NULL: none. */
struct undo_record *undo_records_live(struct undo_record *records);
/* Takes its new state, and its fingerprint where that is not NULL. */
void undo_record_set(
	struct undo_record *record, enum journal_undo_state state, const char *fingerprint);
void undo_records_free(struct undo_record **records);

#endif
