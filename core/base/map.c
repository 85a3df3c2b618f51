/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_of(const char *key, size_t size)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < size; i++)
		h = (h ^ (unsigned char)key[i]) * 1099511628211u;
	return (uint32_t)(h ^ (h >> 32));
}

static struct map_slot *find(const struct map *map, const char *key, size_t size, uint32_t hash)
{
	uint32_t mask = map->room - 1;

	for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
		struct map_slot *slot = &map->slots[i];
		if (!slot->key)
			return slot;
		if (slot->hash == hash && strncmp(slot->key, key, size) == 0 && !slot->key[size])
			return slot;
	}
}

static void grow(struct map *map)
{
	struct map old = *map;

	map->room = old.room ? old.room * 2 : 16;
	map->slots = base_alloc(map->room * sizeof map->slots[0]);
	for (uint32_t i = 0; i < old.room; i++)
		if (old.slots[i].key)
			*find(map, old.slots[i].key, strlen(old.slots[i].key), old.slots[i].hash) =
				old.slots[i];
	free(old.slots);
}

uint32_t map_getn(const struct map *map, const char *key, size_t size)
{
	if (!map->room)
		return MAP_NONE;
	const struct map_slot *slot = find(map, key, size, hash_of(key, size));
	return slot->key ? slot->value : MAP_NONE;
}

uint32_t map_get(const struct map *map, const char *key)
{
	return map_getn(map, key, strlen(key));
}

uint32_t map_put(struct map *map, const char *key, uint32_t value)
{
	if ((map->count + 1) * 4 > map->room * 3)
		grow(map);
	size_t size = strlen(key);
	uint32_t hash = hash_of(key, size);
	struct map_slot *slot = find(map, key, size, hash);
	if (!slot->key) {
		*slot = (struct map_slot){.key = key, .hash = hash, .value = value};
		map->count++;
	}
	return slot->value;
}

void map_free(struct map *map)
{
	free(map->slots);
	*map = (struct map){0};
}
