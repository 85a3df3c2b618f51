/* SPDX-License-Identifier: MIT */
/* Texts of plans, as the journal keeps them, without their checksum: what is restored must
 * print as a text that is restored as the same. */
#include "../cases/catalog.h"

#include "base/text.h"
#include "plan/restore.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *output(void *data, const char *task, const char *name)
{
	(void)data;
	(void)task;
	return *name == 's' ? "text\n" : NULL;
}

static const char *run(void *data, const char *name)
{
	(void)data;
	return name;
}

static void use(const struct plan *plan)
{
	const struct plan_lookup lookup = {.output = output, .run = run};
	struct arena arena = {0};
	struct value value;

	for (uint32_t t = 0; t < plan->task_count; t++) {
		const struct plan_detail *detail = &plan->details[plan->tasks[t].detail];
		const struct task_options *options = detail->task->options;
		plan_when(plan, detail, &lookup, NULL);
		plan_resolve(plan, detail, &detail->task->args, &lookup, &arena, &value, NULL);
		plan_resolve(plan, detail, &options->env, &lookup, &arena, &value, NULL);
		plan_resolve(plan, detail, &options->rollback, &lookup, &arena, &value, NULL);
	}
	arena_free(&arena);
}

static void restore_again(const struct plan *plan)
{
	CLEANUP_TEXT struct text first = {0};
	CLEANUP_TEXT struct text second = {0};
	CLEANUP_ERROR struct error err = {0};
	struct plan *again;

	plan_text(plan, &first);
	if (plan_restore(first.bytes, first.size, fake_catalog(), NULL, &again, &err) < 0)
		abort();
	plan_text(again, &second);
	if (!text_equal(first.bytes, second.bytes))
		abort();
	plan_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_ERROR struct error err = {0};
	struct plan *plan;

	if (plan_restore((const char *)data, size, fake_catalog(), NULL, &plan, &err) < 0)
		return 0;
	use(plan);
	restore_again(plan);
	plan_free(plan);
	return 0;
}
