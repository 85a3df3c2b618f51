/* SPDX-License-Identifier: MIT */
#include "figures.h"

static const char *limit_text(double limit, char room[32])
{
	snprintf(room, 32, "%.1f", limit);
	return limit > 0 ? room : "";
}

static void figure_row(struct upkeep_ctx *ctx, const char *what, const char *value,
	const char *warn, const char *crit, const char *state)
{
	const struct upkeep_cell cells[] = {
		{.name = "figure", .value = what, .type = UPKEEP_STRING},
		{.name = "value", .value = value, .type = UPKEEP_STRING},
		{.name = "warn", .value = warn, .type = UPKEEP_STRING},
		{.name = "critical", .value = crit, .type = UPKEEP_STRING},
		{.name = "state", .value = state, .type = UPKEEP_STRING},
	};
	upkeep_row(ctx, "health", cells);
}

void figure_judge(struct figures *figures, const char *what, double value, const char *unit,
	double warn, double crit)
{
	char text[32], warn_text[32], crit_text[32];
	const char *state = "ok";
	snprintf(text, sizeof text, "%.1f%s", value, unit);
	if (crit > 0 && value >= crit) {
		state = "critical";
		if (figures->critical++ == 0)
			snprintf(figures->first, sizeof figures->first,
				"%s is %s, the critical limit is %.1f%s", what, text, crit, unit);
	} else if (warn > 0 && value >= warn) {
		state = "warn";
		figures->warned++;
		upkeep_warn(figures->ctx, "%s is %s, the warning limit is %.1f%s", what, text, warn,
			unit);
	}
	figure_row(figures->ctx, what, text, limit_text(warn, warn_text),
		limit_text(crit, crit_text), state);
}

void figure_fault(struct figures *figures, const char *what, const char *fault)
{
	if (figures->critical++ == 0)
		snprintf(figures->first, sizeof figures->first, "%s %s", what, fault);
	figure_row(figures->ctx, what, fault, "", "", "critical");
}

int32_t figures_finish(struct figures *figures, const char *next)
{
	upkeep_output_text(figures->ctx, "state",
		figures->critical         ? "critical"
			: figures->warned ? "warn"
					  : "ok");
	upkeep_output_int(figures->ctx, "warnings", figures->warned);
	upkeep_output_int(figures->ctx, "critical", figures->critical);
	if (!figures->critical)
		return UPKEEP_UNCHANGED;
	if (figures->critical == 1)
		return upkeep_fail(figures->ctx, UPKEEP_FAILED, next, NULL, "%s", figures->first);
	return upkeep_fail(figures->ctx, UPKEEP_FAILED, next, NULL,
		"%s, and %d more figures are critical", figures->first, figures->critical - 1);
}
