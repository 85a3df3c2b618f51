/* SPDX-License-Identifier: MIT */
/* One plugin, wrong in the way that a macro says.  Compiled by the tests. */
#ifdef OLD_HEADER
#include "1.0/plugin.h"
#else
#include <upkeep/plugin.h>
#endif

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef CRASH
__attribute__((constructor)) static void wrong(void)
{
	raise(SIGSEGV);
}
#endif
#ifdef QUIT
__attribute__((constructor)) static void wrong(void)
{
	_exit(3);
}
#endif
#ifdef HANG
__attribute__((constructor)) static void wrong(void)
{
	for (;;)
		pause();
}
#endif
#ifdef UNDEFINED
void not_there(void);
#endif

#ifdef SHOWS_MORE
int shows_more(void);
int shows_more(void)
{
	return 1;
}
#endif

#ifndef NAME
#define NAME "fixture"
#endif

struct args {
	int64_t n;
	const char *text;
};
struct wide_param { /* what a header of a later minor could have */
	struct upkeep_param param;
	uint64_t later[2];
};
#ifdef STRIDE_NEWER
static const struct wide_param params[] = {
	{ UPKEEP_PARAM_INT(struct args, n, "a number", .min = 1, .max = 9, .preset = "3"), { 1, 2 } },
	{ UPKEEP_PARAM_STRING(struct args, text, "a text"), { 3, 4 } },
};
#else
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_INT(struct args, n, "a number", .min = 1, .max = 9, .preset =
#ifdef BAD_PRESET
		"77"
#else
		"3"
#endif
	),
	UPKEEP_PARAM_STRING(struct args, text, "a text"),
#ifdef BAD_OFFSET
	{ .name = "far", .about = "outside", .offset = 12, .type = UPKEEP_INT },
#endif
#ifdef BAD_TYPE
	{ .name = "odd", .about = "unknown type", .offset = 0, .type = 99 },
#endif
#ifdef CORE_KEY
	{ .name = "retry", .about = "the core's", .offset = 0, .type = UPKEEP_INT },
#endif
#ifdef TWICE
	{ .name = "n", .about = "again", .offset = 0, .type = UPKEEP_INT },
#endif
#ifdef BAD_NAME
	{ .name = "No", .about = "a bad name", .offset = 0, .type = UPKEEP_INT },
#endif
};
#endif

static int32_t run(struct upkeep_ctx *ctx)
{
	const struct args *args = ctx->args;
#ifdef UNDEFINED
	not_there();
#endif
	upkeep_info(ctx, "n=%lld text=%s", (long long)args->n, args->text ? args->text : "(none)");
#ifdef RUN_CRASH
	raise(SIGSEGV);
#endif
	return UPKEEP_UNCHANGED;
}

static const struct upkeep_action actions[] = {
	{ .name = "act", .about = "Does nothing", .changes = UPKEEP_CHANGES_NONE,
		UPKEEP_PARAMS(struct args, params),
#ifndef NO_RUN
		.run = run,
#endif
	},
};

#if defined(NO_SYMBOL)
const int other_symbol = 1;
const void *use(void)
{
	(void)run;
	return actions;
}
#else
extern const struct upkeep_plugin upkeep_plugin;
const struct upkeep_plugin upkeep_plugin = {
	.magic = UPKEEP_MAGIC
#ifdef BAD_MAGIC
		+ 1
#endif
	,
#ifdef BAD_MAJOR
	.abi_major = 2,
#else
	.abi_major = UPKEEP_ABI_MAJOR,
#endif
	.abi_minor = UPKEEP_ABI_MINOR,
#ifdef BAD_MINOR
	.needs_minor = 7,
#endif
#ifdef BAD_SIZE
	.struct_size = 64,
#else
	.struct_size = sizeof(struct upkeep_plugin),
#endif
#ifdef BAD_STRIDE
	.param_stride = 16,
#else
	.param_stride = sizeof params[0],
#endif
	.action_stride = sizeof(struct upkeep_action),
	.output_stride = sizeof(struct upkeep_output),
	.name = NAME,
	.version = "1.0",
	.about = "A fixture",
	.actions = actions,
#ifdef BAD_COUNT
	.action_count = 100000,
#elif defined(NO_ACTIONS)
	.action_count = 0,
#else
	.action_count = 1,
#endif
};
#endif
