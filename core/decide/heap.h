/* A heap of gangs: the highest key first, of equal keys the lowest index. */
#ifndef UPKEEP_DECIDE_HEAP_H
#define UPKEEP_DECIDE_HEAP_H

#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct heap_item {
	uint64_t key;
	uint32_t gang;
};
struct heap {
	VEC(struct heap_item) list;
};

void heap_push(struct heap *heap, uint64_t key, uint32_t gang);
/* Takes the first away; the heap must not be empty. */
struct heap_item heap_pop(struct heap *heap);

#endif
