/* SPDX-License-Identifier: MIT */
#include "report/human.h"
#include "report/table.h"

#include "base/cleanup.h"
#include "model/value.h"

#include <string.h>

void rows_add(json_t *tables, const char *table, const char *cells)
{
	json_t *row = json_loads(cells, 0, NULL), *rows = json_object_get(tables, table);

	if (!row)
		return;
	if (!rows) {
		rows = json_array();
		json_object_set_new(tables, table, rows);
	}
	json_array_append_new(rows, row);
}

/* A cell is a plain value, or { "value": ..., "type": "size" }. */
static void cell_text(const json_t *cell, char *buffer, struct text *ret)
{
	const json_t *value = json_is_object(cell) ? json_object_get(cell, "value") : cell;
	const char *type = json_string_value(json_object_get(cell, "type"));
	const char *string = json_string_value(value);
	long long number = string ? strtoll(string, NULL, 10) : json_integer_value(value);

	if (type && strcmp(type, "size") == 0)
		text_adds(ret, human_bytes(buffer, (uint64_t)number));
	else if (type && strcmp(type, "duration") == 0)
		text_adds(ret, human_duration(buffer, number));
	else if (string)
		text_adds(ret, string);
	else if (json_is_real(value))
		text_addf(ret, "%.6g", json_real_value(value));
	else if (json_is_integer(value))
		text_addf(ret, "%lld", number);
	else
		text_adds(ret, json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
}

static bool cell_is_number(const json_t *cell)
{
	const char *type = json_string_value(json_object_get(cell, "type"));

	return json_is_number(cell) ||
		(type && text_in_words(type, "int size float percent duration"));
}

/* The columns of all rows, in the order of their coming, each with its first cell. */
static json_t *columns_make(const json_t *rows)
{
	json_t *columns = json_object(), *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
		json_object_update_missing(columns, row);
	return columns;
}

static void heads_make(const json_t *columns, struct text *heads)
{
	const char *name;
	json_t *cell;

	json_object_foreach((json_t *)columns, name, cell)
		text_addf(heads, "%s%s%s", heads->size ? "|" : "", cell_is_number(cell) ? ">" : "",
			name);
}

static void one_table_print(const char *name, const json_t *rows, struct text *out)
{
	CLEANUP_TABLE struct table table = {0};
	CLEANUP_TEXT struct text heads = {0};
	const char *column;
	json_t *row, *head, *columns = columns_make(rows);
	size_t i;

	heads_make(columns, &heads);
	table_begin(&table, text_string(&heads));
	json_array_foreach((json_t *)rows, i, row)
		json_object_foreach(columns, column, head) {
			CLEANUP_TEXT struct text cell = {0};
			char buffer[HUMAN_SIZE];

			cell_text(json_object_get(row, column), buffer, &cell);
			table_add(&table, text_string(&cell));
		}
	text_addf(out, "\n%s\n", name);
	table_print(&table, out);
	json_decref(columns);
}

void rows_print(const json_t *tables, struct text *out)
{
	const char *name;
	json_t *rows;

	json_object_foreach((json_t *)tables, name, rows)
		one_table_print(name, rows, out);
}
