/* SPDX-License-Identifier: MIT */
#include "journal/queue.h"

#include <string.h>

/* A queue that grew beyond this is given back when it is empty. */
#define KEEP_BYTES (1u << 20)

static struct queue_text text_store(struct queue *queue, const char *text, size_t size)
{
	struct queue_text stored = {QUEUE_NO_TEXT, 0};

	if (!text)
		return stored;
	stored.at = (uint32_t)queue->bytes.count;
	stored.size = (uint32_t)size;
	if (queue->bytes.count + size > queue->bytes.room) {
		size_t need = queue->bytes.count + size;
		queue->bytes.room = need < KEEP_BYTES ? need * 2 : need + need / 8;
		queue->bytes.items = base_resize(queue->bytes.items, queue->bytes.room, 1);
	}
	if (size)
		memcpy(queue->bytes.items + queue->bytes.count, text, size);
	queue->bytes.count += size;
	return stored;
}

static size_t row_text_size(const struct queue_row *row, unsigned i)
{
	if (row->sizes)
		return row->sizes[i];
	return row->texts[i] ? strlen(row->texts[i]) : 0;
}

uint32_t queue_add(struct queue *queue, const struct queue_row *row)
{
	struct queue_entry *entry = vec_add(&queue->entries);

	entry->kind = row->kind;
	entry->numbers = (uint32_t)queue->numbers.count;
	entry->number_count = row->number_count;
	entry->texts = (uint32_t)queue->texts.count;
	entry->text_count = row->text_count;
	for (unsigned i = 0; i < row->number_count; i++)
		vec_push(&queue->numbers, row->numbers[i]);
	for (unsigned i = 0; i < row->text_count; i++)
		vec_push(&queue->texts, text_store(queue, row->texts[i], row_text_size(row, i)));
	return (uint32_t)(queue->entries.count - 1);
}

void queue_replace(struct queue *queue, uint32_t place, const struct queue_row *row)
{
	const struct queue_entry *entry = &queue->entries.items[place];

	memcpy(queue->numbers.items + entry->numbers, row->numbers,
		row->number_count * sizeof(int64_t));
	for (unsigned i = 0; i < row->text_count; i++) {
		struct queue_text *old = &queue->texts.items[entry->texts + i];
		size_t size = row_text_size(row, i);

		if (!row->texts[i] || old->at == QUEUE_NO_TEXT || old->size != size ||
			memcmp(queue->bytes.items + old->at, row->texts[i], size) != 0)
			*old = text_store(queue, row->texts[i], size);
	}
}

const char *queue_text(const struct queue *queue, uint32_t text)
{
	uint32_t at = queue->texts.items[text].at;

	if (at == QUEUE_NO_TEXT)
		return NULL;
	return queue->texts.items[text].size ? queue->bytes.items + at : "";
}

void queue_clear(struct queue *queue)
{
	if (queue->bytes.room > KEEP_BYTES || queue->numbers.room * sizeof(int64_t) > KEEP_BYTES) {
		queue_free(queue);
		return;
	}
	queue->entries.count = queue->numbers.count = 0;
	queue->texts.count = queue->bytes.count = 0;
}

void queue_free(struct queue *queue)
{
	vec_free(&queue->entries);
	vec_free(&queue->numbers);
	vec_free(&queue->texts);
	vec_free(&queue->bytes);
}
