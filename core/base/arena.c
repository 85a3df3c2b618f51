/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN 480u /* small ones are cheap to get, clear and give back */
#define BLOCK_MAX (1024u * 1024u)
#define ALIGN 16u

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(ALIGN) unsigned char bytes[];
};

static void __attribute__((noreturn)) out_of_memory(void)
{
	fputs("upkeep: out of memory; free some, or raise the limit, and try again\n", stderr);
	_Exit(70);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	if (size > SIZE_MAX / 2)
		out_of_memory();
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (arena->room - arena->used < size) {
		size_t room = arena->room * 2;
		if (room < BLOCK_MIN)
			room = BLOCK_MIN;
		if (room > BLOCK_MAX)
			room = BLOCK_MAX;
		if (room < size)
			room = size;
		struct arena_block *block = calloc(1, sizeof *block + room);
		if (!block)
			out_of_memory();
		block->size = room;
		block->next = arena->blocks;
		arena->blocks = block;
		arena->used = 0;
		arena->room = room;
	}
	void *p = arena->blocks->bytes + arena->used;
	arena->used += size;
	return p;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(count, size, &all))
		out_of_memory();
	return arena_alloc(arena, all ? all : 1);
}

char *arena_copy(struct arena *arena, const char *text, size_t size)
{
	char *copy = arena_alloc(arena, size + 1);

	if (size)
		memcpy(copy, text, size);
	return copy;
}

char *arena_string(struct arena *arena, const char *text)
{
	return text ? arena_copy(arena, text, strlen(text)) : NULL;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list ap, again;

	va_start(ap, format);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	char *text = arena_alloc(arena, n < 0 ? 1 : (size_t)n + 1);
	if (n > 0)
		vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	return text;
}

void arena_free(struct arena *arena)
{
	for (struct arena_block *block = arena->blocks, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	*arena = (struct arena){0};
}

size_t arena_size(const struct arena *arena)
{
	size_t size = 0;

	for (const struct arena_block *block = arena->blocks; block; block = block->next)
		size += block->size;
	return size;
}

void *base_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *base_resize(void *p, size_t count, size_t size)
{
	void *q = reallocarray(p, count ? count : 1, size);

	if (!q)
		out_of_memory();
	return q;
}

char *base_string(const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		out_of_memory();
	return copy;
}
