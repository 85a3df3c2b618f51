/* SPDX-License-Identifier: MIT */
/* Arguments by name: "path", "retry.delay", "stores[0].url". */
#include "testing/fake.h"

#include <stdlib.h>
#include <string.h>

static struct value *member(struct arena *arena, struct value *group, const char *name, size_t size)
{
	if (group->kind != VALUE_GROUP)
		*group = (struct value){.kind = VALUE_GROUP};
	for (uint32_t i = 0; i < group->group.count; i++) {
		struct value_member *m = &group->group.members[i];
		if (strncmp(m->name, name, size) == 0 && !m->name[size])
			return &m->value;
	}
	struct value_member *members =
		arena_array(arena, group->group.count + 1, sizeof members[0]);
	if (group->group.count)
		memcpy(members, group->group.members, group->group.count * sizeof members[0]);
	members[group->group.count].name = arena_copy(arena, name, size);
	group->group.members = members;
	return &members[group->group.count++].value;
}

static struct value *element(struct arena *arena, struct value *list, size_t index)
{
	if (list->kind != VALUE_LIST)
		*list = (struct value){.kind = VALUE_LIST};
	if (index > 9999)
		index = 9999;
	if (index >= list->list.count) {
		struct value *items = arena_array(arena, index + 1, sizeof items[0]);
		if (list->list.count)
			memcpy(items, list->list.items, list->list.count * sizeof items[0]);
		list->list.items = items;
		list->list.count = (uint32_t)index + 1;
	}
	return &list->list.items[index];
}

static struct value *find(struct arena *arena, struct value *group, const char *path)
{
	struct value *at = group;

	while (*path) {
		size_t size = strcspn(path, ".[");
		at = member(arena, at, path, size);
		path += size;
		if (*path == '[') {
			at = element(arena, at, strtoul(path + 1, NULL, 10));
			path += strcspn(path, "]");
			path += *path == ']';
		}
		path += *path == '.';
	}
	return at;
}

static void take_away(struct value *group, const char *name)
{
	if (group->kind != VALUE_GROUP)
		return;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < group->group.count; i++)
		if (strcmp(group->group.members[i].name, name) != 0)
			group->group.members[kept++] = group->group.members[i];
	group->group.count = kept;
}

void fake_set(struct arena *arena, struct value *group, const char *path, struct value *value)
{
	const char *dot = strrchr(path, '.');

	if (value)
		*find(arena, group, path) = *value;
	else if (dot)
		take_away(
			find(arena, group, arena_copy(arena, path, (size_t)(dot - path))), dot + 1);
	else
		take_away(group, path);
}

void fake_append(struct arena *arena, struct value *group, const char *path, struct value value)
{
	struct value *list = find(arena, group, path);
	uint32_t count = list->kind == VALUE_LIST ? list->list.count : 0;

	*element(arena, list, count) = value;
}
