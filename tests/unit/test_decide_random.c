/* SPDX-License-Identifier: MIT */
/*
 * Random graphs against the invariants of scheduling.  DECIDE_GRAPHS says how many
 * (3000), DECIDE_SEED where to begin (1).  A failure is made small and printed.
 */
#include "sim/world.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool case_is_bad(const struct sim_case *played)
{
	char message[200];
	uint64_t first, second;

	return !world_play(played, &first, message, sizeof message) ||
		!world_play(played, &second, message, sizeof message) || first != second;
}

static void report(struct sim_case *bad)
{
	char message[200] = "";
	uint64_t hash;

	case_shrink(bad, case_is_bad);
	bool held = world_play(bad, &hash, message, sizeof message);
	printf("not ok, seed %" PRIu64 ": %s\n", bad->seed,
		held ? "the same seed decides otherwise the second time" : message);
	case_print(bad, stdout);
}

static uint64_t number(const char *name, uint64_t preset)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : preset;
}

int main(void)
{
	uint64_t first = number("DECIDE_SEED", 1), count = number("DECIDE_GRAPHS", 3000);
	struct sim_case *made = calloc(1, sizeof *made);
	uint64_t tasks = 0;

	if (!made)
		return 1;
	for (uint64_t seed = first; seed < first + count; seed++) {
		case_make(made, seed, 1 + seed % 4 / 3);
		for (uint32_t i = 0; i < made->run_count; i++)
			tasks += made->runs[i].count;
		if (case_is_bad(made)) {
			report(made);
			free(made);
			return 1;
		}
	}
	printf("%" PRIu64 " graphs (seeds %" PRIu64 " to %" PRIu64
	       ", every fourth a pair of runs), %" PRIu64 " tasks: all invariants held\n",
		count, first, first + count - 1, tasks);
	free(made);
	return 0;
}
