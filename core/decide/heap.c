/* SPDX-License-Identifier: MIT */
#include "decide/heap.h"

/* Four children to a node: half the levels, and they share a cache line. */
#define ARITY 4u

static bool item_precedes(struct heap_item a, struct heap_item b)
{
	return a.key > b.key || (a.key == b.key && a.gang < b.gang);
}

void heap_push(struct heap *heap, uint64_t key, uint32_t gang)
{
	vec_add(&heap->list);
	struct heap_item *items = heap->list.items;
	struct heap_item item = {.key = key, .gang = gang};
	size_t at = heap->list.count - 1;

	while (at > 0 && item_precedes(item, items[(at - 1) / ARITY])) {
		items[at] = items[(at - 1) / ARITY];
		at = (at - 1) / ARITY;
	}
	items[at] = item;
}

struct heap_item heap_pop(struct heap *heap)
{
	struct heap_item *items = heap->list.items;
	struct heap_item first = items[0], last = items[--heap->list.count];
	size_t count = heap->list.count, at = 0;

	for (;;) {
		size_t child = at * ARITY + 1, end = child + ARITY, best = child;
		if (child >= count)
			break;
		for (size_t i = child + 1; i < end && i < count; i++)
			if (item_precedes(items[i], items[best]))
				best = i;
		if (!item_precedes(items[best], last))
			break;
		items[at] = items[best];
		at = best;
	}
	if (count)
		items[at] = last;
	return first;
}
