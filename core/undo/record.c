/* SPDX-License-Identifier: MIT */
#include "undo/record.h"

#include "base/arena.h"

#include <stdlib.h>

void undo_records_add(struct undo_record **records, const struct journal_undo *row)
{
	struct undo_record *record = base_alloc(sizeof *record);

	record->row = *row;
	record->row.kind = base_string(row->kind);
	record->row.about = base_string(row->about);
	record->row.payload = base_string(row->payload);
	record->row.files = base_string(row->files);
	record->row.fingerprint = base_string(row->fingerprint);
	record->older = *records;
	*records = record;
}

struct undo_record *undo_records_find(struct undo_record *record, uint64_t id)
{
	while (record && record->row.id != id)
		record = record->older;
	return record;
}

struct undo_record *undo_records_live(struct undo_record *record)
{
	while (record && record->row.state != JOURNAL_UNDO_PUSHED &&
		record->row.state != JOURNAL_UNDO_APPLIED)
		record = record->older;
	return record;
}

void undo_record_set(
	struct undo_record *record, enum journal_undo_state state, const char *fingerprint)
{
	record->row.state = state;
	if (!fingerprint)
		return;
	free((char *)record->row.fingerprint);
	record->row.fingerprint = base_string(fingerprint);
}

void undo_records_free(struct undo_record **records)
{
	for (struct undo_record *record = *records, *older; record; record = older) {
		older = record->older;
		free((char *)record->row.kind);
		free((char *)record->row.about);
		free((char *)record->row.payload);
		free((char *)record->row.files);
		free((char *)record->row.fingerprint);
		free(record);
	}
	*records = NULL;
}
