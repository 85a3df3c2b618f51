/* SPDX-License-Identifier: MIT */
/* A plugin that uses every struct of the contract: libabigail reads the types from it. */
#include <upkeep/plugin.h>

/* By pointers alone, so that a struct that grows at its end moves nothing here. */
#define USE(type) UPKEEP_EXPORT const struct type *use_##type(const struct type *p); \
	const struct type *use_##type(const struct type *p) { return p; }
USE(upkeep_host)
USE(upkeep_plugin)
USE(upkeep_action)
USE(upkeep_param)
USE(upkeep_output)
USE(upkeep_ctx)
USE(upkeep_undo)
USE(upkeep_spawn)
USE(upkeep_cell)
USE(upkeep_strings)
USE(upkeep_ints)
USE(upkeep_sizes)
USE(upkeep_floats)
USE(upkeep_bools)
USE(upkeep_groups)
