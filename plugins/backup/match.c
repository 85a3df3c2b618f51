/* SPDX-License-Identifier: MIT */
#include "backup/match.h"

#include <fnmatch.h>
#include <string.h>

static const char *skip_components(const char *path, size_t count)
{
	while (count > 0 && path) {
		path = strchr(path, '/');
		path = path ? path + 1 : NULL;
		count--;
	}
	return path;
}

static size_t count_slashes(const char *text)
{
	size_t count = 0;
	while ((text = strchr(text, '/'))) {
		count++;
		text++;
	}
	return count;
}

bool match_one(const char *pattern, const char *path)
{
	if (pattern[0] == '/')
		return fnmatch(pattern, path, FNM_PATHNAME) == 0;
	size_t wanted = count_slashes(pattern), there = count_slashes(path);
	if (there < wanted)
		return false;
	const char *tail = skip_components(path, there - wanted);
	return tail && fnmatch(pattern, tail, FNM_PATHNAME) == 0;
}

bool match_any(const struct upkeep_strings *patterns, const char *path)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (match_one(patterns->items[i], path))
			return true;
	return false;
}

bool match_below(const char *top, const char *path)
{
	size_t size = strlen(top);
	while (size > 0 && top[size - 1] == '/')
		size--;
	return strncmp(top, path, size) == 0 && (path[size] == 0 || path[size] == '/');
}
