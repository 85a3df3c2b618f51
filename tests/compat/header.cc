// SPDX-License-Identifier: MIT
// The header must also compile as C++, with every maker in it.
#include <upkeep/plugin.h>

struct inner {
	const char *a;
	int64_t n;
};
struct args {
	const char *path;
	int64_t jobs;
	int32_t really;
	uint64_t size;
	struct upkeep_strings names;
	struct upkeep_groups groups;
	struct inner one;
};
static const struct upkeep_param inner_params[] = {
	UPKEEP_PARAM_STRING(struct inner, a, "a text"),
	UPKEEP_PARAM_INT(struct inner, n, "a number", .min = 1, .max = 2),
};
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_PATH(struct args, path, "a path", .flags = UPKEEP_REQUIRED),
	UPKEEP_PARAM_INT(struct args, jobs, "jobs", .flags = 0, .min = 1, .max = 3, .preset = "1"),
	UPKEEP_PARAM_BOOL(struct args, really, "really"),
	UPKEEP_PARAM_SIZE(struct args, size, "size", .preset = "1MiB"),
	UPKEEP_PARAM_STRINGS(struct args, names, "names"),
	UPKEEP_PARAM_GROUPS(struct args, groups, struct inner, inner_params, "groups"),
	UPKEEP_PARAM_GROUP(struct args, one, struct inner, inner_params, "a group"),
};
static const struct upkeep_output outputs[] = { UPKEEP_OUT("x", UPKEEP_INT, "a number") };

static int32_t run(struct upkeep_ctx *ctx)
{
	struct upkeep_cell cells[] = { { "a", "b", UPKEEP_STRING, 0 } };

	upkeep_info(ctx, "size %d", 1);
	upkeep_row(ctx, "t", cells);
	return UPKEEP_HAS(ctx, temp_dir) ? UPKEEP_UNCHANGED : UPKEEP_CHANGED;
}

static const struct upkeep_action actions[] = {
	{ .name = "act", .about = "Acts", UPKEEP_PARAMS(struct args, params),
		UPKEEP_OUTPUTS(outputs), .run = run },
};

UPKEEP_PLUGIN(.name = "cxx", .version = "1", .about = "C++", UPKEEP_ACTIONS(actions));

int main()
{
	return upkeep_plugin.magic != UPKEEP_MAGIC;
}
