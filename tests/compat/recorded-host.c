/* SPDX-License-Identifier: MIT */
/*
 * The host of 1.0 as it was recorded: its table, context and record lie at the end of a page
 * behind which nothing may be read.  Loads a plugin of any age and calls "act" and its undo.
 *	recorded-host FILE.so    prints the output "later"
 */
#include "1.0/plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert(sizeof(struct upkeep_host) == 200, "the recorded table");
_Static_assert(sizeof(struct upkeep_ctx) == 80, "the recorded context");
_Static_assert(sizeof(struct upkeep_undo) == 80, "the recorded record");

struct args {
	int64_t n;
	const char *text;
};
static size_t pushed, undone;

static void *at_the_edge(const void *bytes, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map + page, page, PROT_NONE) < 0)
		exit(99);
	return memcpy(map + page - size, bytes, size);
}

static int32_t output(struct upkeep_ctx *ctx, const char *name, const char *value)
{
	(void)ctx;
	printf("%s=%s\n", name, value);
	return 0;
}

static int32_t row(struct upkeep_ctx *ctx, const char *table, const struct upkeep_cell *cells,
	size_t count, size_t cell_size)
{
	const struct upkeep_cell *second = (const void *)((const char *)cells + cell_size);

	(void)ctx;
	return strcmp(table, "table") == 0 && count == 2 && strcmp(cells->name, "a") == 0 &&
		strcmp(second->name, "b") == 0 ? 0 : -EINVAL;
}

static int32_t say_why(struct upkeep_ctx *ctx, int32_t result, const char *what, const char *why,
	const char *next)
{
	(void)ctx;
	(void)next;
	printf("failed: %s: %s\n", what, why ? why : "");
	return result;
}

static int32_t push(struct upkeep_ctx *ctx, const struct upkeep_undo *record, size_t record_size,
	uint64_t *ret_id)
{
	(void)ctx;
	if (record_size < sizeof *record || record->payload_size != 4)
		return -EINVAL;
	*ret_id = ++pushed;
	return 0;
}

static int32_t applied(struct upkeep_ctx *ctx, uint64_t id, const char *fingerprint)
{
	(void)ctx;
	(void)fingerprint;
	return id == pushed ? 0 : -ENOENT;
}

static int32_t done(struct upkeep_ctx *ctx, uint64_t id)
{
	(void)ctx;
	undone = id;
	return 0;
}

static int32_t temp_dir(struct upkeep_ctx *ctx, const char **ret_path)
{
	(void)ctx;
	(void)ret_path;
	return -ENOENT;
}

/* As the 1.0 host did: by the author's strides. */
static const struct upkeep_action *find(const struct upkeep_plugin *plugin)
{
	for (size_t i = 0; i < plugin->action_count; i++) {
		const struct upkeep_action *action = (const void *)((const char *)plugin->actions +
			i * plugin->action_stride);
		if (strcmp(action->name, "act") == 0)
			return action;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct upkeep_host table = { .struct_size = sizeof table, .abi_major = 1, .output = output,
		.row = row, .fail = say_why, .undo_push = push, .undo_applied = applied,
		.undo_done = done, .temp_dir = temp_dir };
	const struct args args = { .n = 3, .text = "text" };
	struct upkeep_ctx ctx = { .struct_size = sizeof ctx, .instance = "traveller", .task = "task",
		.run_id = "run", .attempt = 1 };
	struct upkeep_undo record = { .struct_size = sizeof record, .kind = "kind", .version = 1,
		.payload = "a=b\n", .payload_size = 4, .id = 1 };

	void *handle = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	const struct upkeep_plugin *plugin = handle ? dlsym(handle, "upkeep_plugin") : NULL;
	const struct upkeep_action *action = plugin ? find(plugin) : NULL;
	if (!action || plugin->magic != UPKEEP_MAGIC || plugin->needs_minor > 0)
		return 1;
	ctx.host = at_the_edge(&table, sizeof table);
	ctx.args = &args;
	if (action->run(at_the_edge(&ctx, sizeof ctx)) != UPKEEP_CHANGED)
		return 2;
	ctx.args = NULL;
	if (action->undo(at_the_edge(&ctx, sizeof ctx), at_the_edge(&record, sizeof record)) !=
		UPKEEP_CHANGED)
		return 3;
	return pushed == 1 && undone == 1 ? 0 : 4;
}
