/* Patterns of what is left out of a backup, or looked for in one. */
#ifndef BACKUP_MATCH_H
#define BACKUP_MATCH_H

#include <stdbool.h>

#include <upkeep/plugin.h>

/* True where a pattern matches the absolute `path`.  A pattern that begins with "/" is
 * compared with the whole path; another one with the end of the path, at any component.
 * * ? and [...] do not match a slash. */
bool match_any(const struct upkeep_strings *patterns, const char *path);

/* The same for one pattern. */
bool match_one(const char *pattern, const char *path);

/* True where `path` is `top` or lies below it. */
bool match_below(const char *top, const char *path);

#endif
