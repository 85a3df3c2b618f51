/* SPDX-License-Identifier: MIT */
/* noop: a plugin whose one action does nothing, to measure what an action costs. */
#include <upkeep/plugin.h>

static int32_t nothing(struct upkeep_ctx *ctx)
{
	(void)ctx;
	return UPKEEP_UNCHANGED;
}

static const struct upkeep_action actions[] = {
	{.name = "nothing", .about = "do nothing", .changes = UPKEEP_CHANGES_NONE, .run = nothing},
};

UPKEEP_PLUGIN(.name = "noop", .version = "1", .about = "nothing, for benchmarks",
	UPKEEP_ACTIONS(actions));
