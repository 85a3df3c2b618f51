/* SPDX-License-Identifier: MIT */
#include "cli/today.h"

#include "base/cleanup.h"
#include "plan/build.h"

#include <string.h>

static int build(const struct loaded *today, const struct graph *graph, const struct plan *was,
	struct plan **ret, struct error *err)
{
	struct diagnostics faults = {0};
	struct plan_options options = {.values = &was->params};
	int r = plan_build(today->site, graph, &options, ret, &faults, err);

	diagnostics_free(&faults);
	return r;
}

/* Durations are remembered anew every time; what was left out is the run's affair. */
static void make_alike(struct plan *now, const struct plan *was)
{
	uint32_t common = now->task_count < was->task_count ? now->task_count : was->task_count;

	for (uint32_t i = 0; i < common; i++) {
		now->tasks[i].duration_ms = was->tasks[i].duration_ms;
		now->tasks[i].flags |= was->tasks[i].flags & PLAN_LEFT_OUT;
	}
	now->site = was->site;
	now->drill = was->drill;
}

static bool is_alike(const struct plan *a, const struct plan *b)
{
	CLEANUP_TEXT struct text a_text = {0}, b_text = {0};

	plan_text(a, &a_text);
	plan_text(b, &b_text);
	return a_text.size == b_text.size && memcmp(a_text.bytes, b_text.bytes, a_text.size) == 0;
}

/* The same with so many of their tasks alone. */
static bool is_alike_in(const struct plan *a, const struct plan *b, uint32_t first, uint32_t count)
{
	struct plan a_part = *a, b_part = *b;

	a_part.tasks += first;
	b_part.tasks += first;
	a_part.task_count = b_part.task_count = count;
	a_part.gang_count = b_part.gang_count = 0;
	return is_alike(&a_part, &b_part);
}

static const char *task_name(const struct plan *plan, uint32_t task)
{
	return plan->details[plan->tasks[task].detail].name;
}

static enum exit_code refuse(const struct plan *was, struct error *err, const char *what)
{
	CLEANUP_FREE char *text = base_string(what);

	error_set(err, -ESTALE, "upkeep resume RUN --journaled, or upkeep rollback RUN",
		"graph \"%s\" is not what it was when the run began: %s", was->graph->name, text);
	return EXIT_UNRESOLVED;
}

/* Which it is that differs, for a person. */
static enum exit_code tell(const struct plan *now, const struct plan *was, struct error *err)
{
	CLEANUP_TEXT struct text what = {0};
	uint32_t common = now->task_count < was->task_count ? now->task_count : was->task_count;
	uint32_t at = 0;

	if (!is_alike_in(now, was, 0, 0))
		return refuse(was, err, "its own keys, parameters or resources");
	while (at < common && is_alike_in(now, was, at, 1))
		at++;
	if (at == common && now->task_count == was->task_count)
		text_adds(&what, "its streams");
	else if (at == now->task_count)
		text_addf(&what, "task \"%s\" is there no more", task_name(was, at));
	else if (at == was->task_count)
		text_addf(&what, "task \"%s\" is new", task_name(now, at));
	else
		text_addf(&what, "task \"%s\" is another", task_name(was, at));
	return refuse(was, err, text_string(&what));
}

enum exit_code today_compare(const struct loaded *today, const struct plan *was, struct error *err)
{
	CLEANUP_ERROR struct error why = {0};
	const char *name = was->graph->name;
	struct plan *now = NULL;

	if (!today->site || today->site->faulty)
		return EXIT_OK;
	const struct graph *graph = site_graph(today->site, name);
	if (!graph && diagnostics_errors(&today->diagnostics, NULL))
		return EXIT_OK; /* it may stand where it cannot be read */
	if (!graph)
		return refuse(was, err, "it is not there any more");
	if (graph->faulty || diagnostics_errors(&today->diagnostics, name))
		return EXIT_OK;
	int r = build(today, graph, was, &now, &why);
	if (r < 0)
		return why.what ? refuse(was, err, error_what(&why)) : EXIT_OK;
	make_alike(now, was);
	enum exit_code code = is_alike(now, was) ? EXIT_OK : tell(now, was, err);
	plan_free(now);
	return code;
}
