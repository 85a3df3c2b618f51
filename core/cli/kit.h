/* The kit for plugin authors: `upkeep new plugin NAME` and `upkeep lint plugin FILE.so`. */
#ifndef UPKEEP_CLI_KIT_H
#define UPKEEP_CLI_KIT_H

#include <stdbool.h>

/* Writes the template into a new directory NAME. */
int new_plugin(const char *name);
/* The exported symbols of a shared object other than `but`, each on a line printed with `fault`;
 * their count, or -1 where it cannot be read. */
int symbols_others(
	const char *file, const char *but, void (*fault)(void *data, const char *name), void *data);

#endif
