/*
 * Arena: memory that is freed all at once.  Models live in arenas.
 * Running out of memory ends the process (exit 70) with a message: no caller
 * could do better while it builds a model.
 */
#ifndef UPKEEP_BASE_ARENA_H
#define UPKEEP_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t used, room; /* of the newest block, bytes */
};

/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Copies, NUL-terminated. */
char *arena_copy(struct arena *arena, const char *text, size_t size);
char *arena_string(struct arena *arena, const char *text); /* NULL stays NULL */
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void arena_free(struct arena *arena);
/* All bytes taken from the system. */
size_t arena_size(const struct arena *arena);

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_news(arena, type, count) ((type *)arena_array((arena), (count), sizeof(type)))

/* malloc and its like that end the process instead of failing. */
void *base_alloc(size_t size); /* zeroed */
void *base_resize(void *p, size_t count, size_t size);
char *base_string(const char *text); /* NULL stays NULL */

#endif
