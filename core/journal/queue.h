/*
 * The rows that wait for the next flush: numbers and texts of one statement
 * each, in order.  Knows nothing of SQLite.
 */
#ifndef UPKEEP_JOURNAL_QUEUE_H
#define UPKEEP_JOURNAL_QUEUE_H

#include "base/vec.h"

#include <stdbool.h>

#define QUEUE_NO_TEXT UINT32_MAX

struct queue_text {
	uint32_t at, size; /* into queue.bytes; at QUEUE_NO_TEXT: NULL */
};
struct queue_entry {
	uint32_t numbers, texts; /* the first of each */
	uint8_t kind, number_count, text_count;
};
/* What one entry is made of. */
struct queue_row {
	uint8_t kind;
	const int64_t *numbers;
	uint8_t number_count;
	const char *const *texts; /* NULL texts stay NULL */
	const size_t *sizes;      /* NULL: strlen */
	uint8_t text_count;
};

struct queue {
	VEC(struct queue_entry) entries;
	VEC(int64_t) numbers;
	VEC(struct queue_text) texts;
	VEC(char) bytes;
};

/* Returns the entry's place. */
uint32_t queue_add(struct queue *queue, const struct queue_row *row);
/* Puts a row in the place of an earlier one of the same kind. */
void queue_replace(struct queue *queue, uint32_t place, const struct queue_row *row);
/* The text, NULL for none. */
const char *queue_text(const struct queue *queue, uint32_t text);
void queue_clear(struct queue *queue);
void queue_free(struct queue *queue);

#endif
