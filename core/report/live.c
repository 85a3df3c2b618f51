/* SPDX-License-Identifier: MIT */
#include "report/human.h"
#include "report/inside.h"
#include "report/table.h"

#include <string.h>
#include <sys/ioctl.h>

#define LINES_MAX 12

/* The cursor is never hidden, so that nothing is to be put back when the process is
 * killed; one write draws all, so that nothing flickers. */
void live_erase(struct report *report, struct text *out)
{
	for (; report->live_lines; report->live_lines--)
		text_adds(out, "\033[1A\033[2K");
}

static size_t terminal_width(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* As many characters as fit into `width` columns. */
static void line_fit(struct text *out, const char *line, size_t width)
{
	size_t columns = 0;

	for (; *line; line++) {
		if (((unsigned char)*line & 0xc0) != 0x80 && columns++ + 1 >= width)
			break;
		text_addc(out, *line);
	}
	text_addc(out, '\n');
}

static void amount_add(struct text *line, uint64_t amount, const char *unit)
{
	char buffer[HUMAN_SIZE];

	if (text_equal(unit, "bytes"))
		text_adds(line, human_bytes(buffer, amount));
	else
		text_addf(line, "%llu %s", (unsigned long long)amount, unit ? unit : "");
}

static void progress_add(struct text *line, const struct report_state *state, int64_t ran_ms)
{
	char buffer[HUMAN_SIZE];

	if (!state->done && !state->total)
		return;
	text_adds(line, "  ");
	if (state->total)
		text_addf(line, "%3.0f %%  ", 100 * (double)state->done / (double)state->total);
	amount_add(line, state->done, state->unit);
	if (ran_ms < 500 || !state->done)
		return;
	text_adds(line, "  ");
	amount_add(line, state->done * 1000 / (uint64_t)ran_ms, state->unit);
	text_adds(line, "/s");
	if (state->total > state->done)
		text_addf(line, "  %s left",
			human_duration(buffer,
				(int64_t)((double)ran_ms * (double)(state->total - state->done) /
					(double)state->done)));
}

static void task_draw(struct report *report, uint32_t task, size_t width, struct text *out)
{
	CLEANUP_TEXT struct text line = {0};
	const struct report_state *state = &report->tasks[task];
	int64_t ran_ms = report->now_ms - state->begun_ms;
	int64_t left_ms = state->confirm_until_ms - report->now_ms;
	char buffer[HUMAN_SIZE];

	if (state->confirm_until_ms) {
		text_addf(&line, "  %s  waits for its confirmation, %s left",
			report->options.names[task],
			human_duration(buffer, left_ms > 0 ? left_ms : 0));
		line_fit(out, text_string(&line), width);
		return;
	}
	text_addf(&line, "  %s  %s", report->options.names[task],
		human_duration(buffer, ran_ms > 0 ? ran_ms : 0));
	progress_add(&line, state, ran_ms);
	line_fit(out, text_string(&line), width);
}

void live_draw(struct report *report, struct text *out)
{
	CLEANUP_TEXT struct text head = {0};
	size_t width = terminal_width(report->options.fd), shown = 0;

	text_addf(&head, "%u of %u done, %zu running", report->finished, report->options.task_count,
		report->running.count);
	line_fit(out, text_string(&head), width);
	for (; shown < report->running.count && shown < LINES_MAX; shown++)
		task_draw(report, report->running.items[shown], width, out);
	report->live_lines = (unsigned)shown + 1;
}
