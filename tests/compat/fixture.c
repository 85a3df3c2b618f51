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
/* Groups in groups without end. */
static const struct upkeep_param deep[1];
__attribute__((unused)) static const struct upkeep_param deep[1] = {
	{ .name = "deep", .about = "a group", .type = UPKEEP_GROUP, .fields = deep, .field_count = 1,
		.fields_size = 8 },
};
static char long_text[70000];
__attribute__((constructor)) static void fill(void)
{
	memset(long_text, 'x', sizeof long_text - 1);
}

#ifndef NUMBER
#define NUMBER .min = 1, .max = 9, .preset = "3"
#endif
#ifndef PARAMS /* further parameters */
#define PARAMS
#endif
static const struct upkeep_param params[] = {
	UPKEEP_PARAM_INT(struct args, n, "a number", NUMBER),
	UPKEEP_PARAM_STRING(struct args, text, "a text"),
	PARAMS
};
#ifndef OUTPUTS
#define OUTPUTS UPKEEP_OUT("first", UPKEEP_STRING, "an output"), UPKEEP_OUT("second", UPKEEP_INT, "another"),
#endif
static const struct upkeep_output outputs[] = { OUTPUTS };

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

#ifndef CHANGES
#define CHANGES UPKEEP_CHANGES_NONE
#endif
#ifndef ACTION /* what an action says otherwise */
#define ACTION
#endif
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct upkeep_action actions[] = {
	{ .name = "act", .about = "Does nothing", .changes = CHANGES,
		UPKEEP_PARAMS(struct args, params), UPKEEP_OUTPUTS(outputs), .run = run, ACTION },
	{ .name = "second", .about = "Does nothing", .changes = CHANGES,
		UPKEEP_PARAMS(struct args, params), .run = run },
};

#if defined(NO_SYMBOL)
const int other_symbol = 1;
const void *use(void)
{
	(void)run;
	return actions;
}
#else
#ifdef BAD_MAJOR
#define HEAD .abi_major = 2,
#endif
#ifndef HEAD /* what the head says otherwise */
#define HEAD
#endif
extern const struct upkeep_plugin upkeep_plugin;
const struct upkeep_plugin upkeep_plugin = {
	.magic = UPKEEP_MAGIC,
	.abi_major = UPKEEP_ABI_MAJOR,
	.abi_minor = UPKEEP_ABI_MINOR,
	.struct_size = sizeof(struct upkeep_plugin),
	.param_stride = sizeof params[0],
	.action_stride = sizeof(struct upkeep_action),
	.output_stride = sizeof(struct upkeep_output),
	.name = NAME,
	.version = "1.0",
	.about = "A fixture",
	.actions = actions,
	.action_count = sizeof actions / sizeof actions[0],
	HEAD
};
#endif
