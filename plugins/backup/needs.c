/* SPDX-License-Identifier: MIT */
#include "backup/needs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cleanup.h"

char *needs_text(const struct manifest_pack *borrowed, size_t count)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	if (!f)
		abort();
	for (size_t i = 0, n; i < count; i += n) {
		for (n = 1; i + n < count && strcmp(borrowed[i + n].of, borrowed[i].of) == 0 &&
			borrowed[i + n].number == borrowed[i].number + n;)
			n++;
		fprintf(f, "%s %u %u\n", borrowed[i].of, borrowed[i].number,
			borrowed[i].number + (uint32_t)n - 1);
	}
	if (fclose(f) != 0)
		abort();
	return text;
}

static int get_number(const char **at, char end, uint32_t *ret)
{
	char *stop;
	if (**at < '0' || **at > '9')
		return -EBADMSG;
	unsigned long long n = strtoull(*at, &stop, 10);
	if (*stop != end || n >= MANIFEST_PACKS_MAX)
		return -EBADMSG;
	*ret = (uint32_t)n;
	*at = stop + 1;
	return 0;
}

static int add_line(struct needs *needs, const char **at, const char *id, const char *name)
{
	const char *space = strchr(*at, ' ');
	struct need need = {0};
	if (!space || space - *at > 2 * STORE_NAME_MAX)
		return -EBADMSG;
	CLEANUP_FREE char *of = fault_format("%.*s", (int)(space - *at), *at);
	*at = space + 1;
	if (!manifest_id_valid(of, name) || strcmp(of, id) == 0 ||
		get_number(at, ' ', &need.first) < 0 || get_number(at, '\n', &need.last) < 0 ||
		need.last < need.first)
		return -EBADMSG;
	if (needs->count == needs->room) {
		needs->room = needs->room ? needs->room * 2 : 64;
		needs->items = fault_resize(needs->items, needs->room, sizeof *needs->items);
	}
	need.id = TAKE_PTR(of);
	needs->items[needs->count++] = need;
	return 0;
}

int needs_add(struct needs *needs, const char *text, const char *id, const char *name,
	struct fault *fault)
{
	while (*text)
		if (add_line(needs, &text, id, name) < 0)
			return fault_set(fault, -EBADMSG, NULL,
				"what backup \"%s\" needs of others is not readable", id);
	return 0;
}

bool needs_pack(const struct needs *needs, const char *id, uint32_t number)
{
	for (size_t i = 0; i < needs->count; i++)
		if (number >= needs->items[i].first && number <= needs->items[i].last &&
			strcmp(needs->items[i].id, id) == 0)
			return true;
	return false;
}

void needs_free(struct needs *needs)
{
	for (size_t i = 0; i < needs->count; i++)
		free(needs->items[i].id);
	free(needs->items);
	*needs = (struct needs){0};
}
