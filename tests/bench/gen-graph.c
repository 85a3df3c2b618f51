/* SPDX-License-Identifier: MIT */
/*
 * gen-graph upkeep|ninja TASKS: a layered graph on standard output, three edges a task,
 * as an upkeep graph file (list form) or as a build.ninja of the same shape.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYER = 100, EDGES = 3 };

/* The e-th predecessor of task i: in the layer before, spread. */
static long predecessor(long i, int e)
{
	return (i / LAYER - 1) * LAYER + (i * 7 + e * 31) % LAYER;
}

static void write_upkeep(long tasks)
{
	printf("graphs = { generated = { tasks = (\n");
	for (long i = 0; i < tasks; i++) {
		printf("{ task = \"t%ld\"; action = \"core.exec\"; argv = [ \"/bin/true\" ]; "
		       "changes = \"none\";",
			i);
		for (int e = 0; i >= LAYER && e < EDGES; e++)
			printf("%s\"t%ld\"%s", e ? ", " : " after = [ ", predecessor(i, e),
				e == EDGES - 1 ? " ];" : "");
		printf(" }%s\n", i == tasks - 1 ? "" : ",");
	}
	printf("); }; };\n");
}

static void write_ninja(long tasks)
{
	printf("rule true\n  command = /bin/true\n");
	for (long i = 0; i < tasks; i++) {
		printf("build t%ld: true", i);
		for (int e = 0; i >= LAYER && e < EDGES; e++)
			printf(" t%ld", predecessor(i, e));
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	long tasks = argc == 3 ? atol(argv[2]) : 0;

	if (tasks <= 0) {
		fprintf(stderr, "usage: gen-graph upkeep|ninja TASKS\n");
		return 64;
	}
	if (strcmp(argv[1], "upkeep") == 0)
		write_upkeep(tasks);
	else
		write_ninja(tasks);
	return 0;
}
