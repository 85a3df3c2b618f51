/* Tables for people: columns as wide as their widest cell. */
#ifndef UPKEEP_REPORT_TABLE_H
#define UPKEEP_REPORT_TABLE_H

#include "base/text.h"
#include "base/vec.h"

#include <jansson.h>

struct table {
	size_t columns;
	uint64_t right; /* bit N: column N is aligned to the right */
	VEC(char *) cells;
};
/* `heads` are the first row, separated by "|"; one that begins with > is aligned right. */
void table_begin(struct table *table, const char *heads);
void table_add(struct table *table, const char *cell); /* NULL: "-" */
void table_print(const struct table *table, struct text *out);
void table_free(struct table *table);
#define CLEANUP_TABLE __attribute__((cleanup(table_free)))

/* Columns that `text` takes on a terminal, near enough: characters of UTF-8. */
size_t text_columns(const char *text);

/* The rows that actions emitted: { table: [ row, ... ] } in the order of their coming. */
void rows_add(json_t *tables, const char *table, const char *cells);
void rows_print(const json_t *tables, struct text *out);

#endif
