/* Map: from strings to 32-bit numbers.  Keys are not copied: they must outlive
 * the map. */
#ifndef UPKEEP_BASE_MAP_H
#define UPKEEP_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_NONE UINT32_MAX

struct map_slot {
	const char *key;
	uint32_t hash, value;
};
struct map {
	struct map_slot *slots;
	uint32_t count, room; /* room is 0 or a power of two */
};

/* The value of key, or MAP_NONE. */
uint32_t map_get(const struct map *map, const char *key);
uint32_t map_getn(const struct map *map, const char *key, size_t size);
/* Adds key unless it is there.  Returns the value that the map now has. */
uint32_t map_put(struct map *map, const char *key, uint32_t value);
void map_free(struct map *map);

#endif
