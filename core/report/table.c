/* SPDX-License-Identifier: MIT */
#include "report/table.h"

#include "base/cleanup.h"

#include <string.h>

size_t text_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += ((unsigned char)*text & 0xc0) != 0x80;
	return columns;
}

void table_begin(struct table *table, const char *heads)
{
	CLEANUP_FREE char *copy = base_string(heads);
	char *rest = copy, *head;

	while ((head = strsep(&rest, "|"))) {
		if (*head == '>')
			table->right |= UINT64_C(1) << table->columns;
		table_add(table, head + (*head == '>'));
		table->columns++;
	}
}

void table_add(struct table *table, const char *cell)
{
	struct text visible = {0};

	text_add_visible(&visible, cell ? cell : "-", strlen(cell ? cell : "-"));
	char *stored = visible.bytes ? text_take(&visible) : base_string("");
	vec_push(&table->cells, stored);
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t widest = 0;

	for (size_t i = column; i < table->cells.count; i += table->columns) {
		size_t width = text_columns(table->cells.items[i]);

		widest = width > widest ? width : widest;
	}
	return widest;
}

static void cell_print(const struct table *table, size_t cell, size_t width, struct text *out)
{
	size_t column = cell % table->columns;
	const char *text = table->cells.items[cell];
	int pad = (int)(width - text_columns(text));
	bool last = column + 1 == table->columns;

	if (table->right >> column & 1)
		text_addf(out, "%*s%s", pad, "", text);
	else
		text_addf(out, "%s%*s", text, last ? 0 : pad, "");
	text_adds(out, last ? "\n" : "  ");
}

void table_print(const struct table *table, struct text *out)
{
	CLEANUP_FREE size_t *widths = base_alloc(table->columns * sizeof *widths);

	for (size_t i = 0; i < table->columns; i++)
		widths[i] = column_width(table, i);
	for (size_t i = 0; table->columns && i < table->cells.count; i++)
		cell_print(table, i, widths[i % table->columns], out);
}

void table_free(struct table *table)
{
	vec_each(&table->cells, cell)
		free(*cell);
	vec_free(&table->cells);
	table->columns = 0;
}
