/* SPDX-License-Identifier: MIT */
#include "report/next.h"

#include <string.h>

#define COMMAND "upkeep "

static bool follows(const char *text, const char *at, const char *before)
{
	size_t size = strlen(before);

	return (size_t)(at - text) >= size && memcmp(at - size, before, size) == 0;
}

/* A command to type, not the word in a sentence: "use the newer upkeep that wrote it". */
static bool is_command(const char *text, const char *at)
{
	if (!text_starts(at, COMMAND))
		return false;
	char first = at[strlen(COMMAND)];

	return first >= 'a' && first <= 'z' &&
		(at == text || follows(text, at, ": ") || follows(text, at, ", ") ||
			follows(text, at, "see ") || follows(text, at, "then ") ||
			follows(text, at, "or "));
}

static bool is_run(const char *text, const char *at)
{
	return text_starts(at, "RUN") && follows(text, at, " ") &&
		(!at[3] || strchr(" ,;:", at[3]));
}

void next_add(struct text *out, const char *next, const char *given, const char *run_id)
{
	for (const char *at = next; *at;) {
		if (given && is_command(next, at)) {
			text_addf(out, "upkeep%s ", given);
			at += strlen(COMMAND);
		} else if (run_id && is_run(next, at)) {
			text_adds(out, run_id);
			at += strlen("RUN");
		} else {
			text_addc(out, *at++);
		}
	}
}

char *next_string(const char *next, const char *given, const char *run_id)
{
	struct text text = {0};

	if (!next)
		return NULL;
	next_add(&text, next, given, run_id);
	return text_take(&text);
}

/* What a run that is not settled waits for. */
static const char *of_state(enum run_state state)
{
	switch (state) {
	case RUN_AWAITING_CONFIRMATION:
		return "upkeep confirm RUN to keep what it did";
	case RUN_INTERRUPTED:
		return "upkeep resume RUN to go on, upkeep rollback RUN to put everything back, or "
		       "put it right by hand and then upkeep resolve RUN --why \"...\"";
	case RUN_ROLLBACK_FAILED:
		return "upkeep rollback RUN to try the undo again (after a change of settings "
		       "with --settings current), or put it right by hand and then upkeep resolve "
		       "RUN --why \"...\"";
	default:
		return NULL;
	}
}

void next_after(const struct next_run *run, struct text *out)
{
	const char *waits = of_state(run->state);

	if (run->next)
		text_adds(out, run->next);
	else if (run->task_held && run->task_next)
		text_adds(out, run->task_next);
	else if (waits)
		text_addf(out, "%s%s", run->look ? "upkeep show RUN, then " : "", waits);
	else if (run->task_next)
		text_adds(out, run->task_next);
	else if (run->task)
		text_addf(out, "upkeep log RUN %s", run->task);
	else if (run->look)
		text_adds(out, "upkeep show RUN");
}
