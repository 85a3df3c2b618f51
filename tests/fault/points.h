/*
 * Crash points: a run is killed, or its disk fails, at one call; it is recovered; the site is
 * then as it was before the run, or as it is after it, and the exit code says which.
 *
 *	test_points.c    which points there are; choosing and sharing them out
 *	points_site.c    the site of a lane: tree, configuration, scenarios; what it looks like
 *	points_try.c     one point: run, recover, and what must hold then
 *	points_notes.c   what was undone, by the journal and by those who undid it
 *	points_plugin.c  a plugin that notes its undo; inject.c is what kills
 */
#ifndef UPKEEP_TESTS_POINTS_H
#define UPKEEP_TESTS_POINTS_H

#include "inject.h"

#include "base/text.h"
#include "base/vec.h"
#include "journal/journal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* One graph, and what its run may come to. */
struct scenario {
	const char *name;
	const char *graph; /* its tasks; @T: the tree, @W: beside it, @E: their environment */
	const char *keys;  /* of the graph; NULL: none */
	bool fresh;        /* no journal is there yet */
	bool pivots;       /* 12 where the pivot has succeeded */
	bool taken_back;   /* its run succeeds undisturbed; what is struck is the rollback */
};
extern const struct scenario scenarios[];
extern const size_t scenario_count;

/* Where one process of the harness works; everything below `dir`. */
struct lane {
	char dir[64];
	time_t today_s; /* its midnight, which stays */
	struct inject_page *page;
	const struct scenario *scenario;
	char *before, *after; /* what the tree looks like; the same where the run fails */
	int code, again_code; /* of an undisturbed run, and of one after it */
	uint64_t calls[INJECT_ROLES], disk_calls[INJECT_ROLES]; /* of what is struck */
};

/* A strike in one command. */
struct strike {
	uint32_t how, role, victims;
	uint64_t at; /* 0: none */
};
struct point {
	uint32_t scenario;
	struct strike run, recover; /* the second in the recovery from the first */
};
#define POINT_SIZE 128u
void point_print(const struct point *point, char text[static POINT_SIZE]);
bool point_parse(const char *text, struct point *ret);

/* points_site.c */
bool lane_open(struct lane *lane, unsigned number);
void lane_close(struct lane *lane);
/* Tree and state as before the first run; journal and catalog are there unless `fresh`. */
void lane_reset(struct lane *lane);
/* Makes the state directory that lane_reset copies, then says how an undisturbed run ends. */
bool lane_prepare(struct lane *lane, const struct scenario *scenario);
/* Names, kinds, modes, contents, and times of what is old; to be freed. */
char *lane_look(const struct lane *lane);

/* points_try.c */
/* upkeep COMMAND...; returns its exit code, 256 + N for a signal, -1: it does not end. */
int upkeep_command(struct lane *lane, const struct strike *strike, struct text *output,
	const char *const *words);
enum outcome { OUTCOME_WRONG, OUTCOME_NOT_REACHED, OUTCOME_BEFORE, OUTCOME_AFTER, OUTCOME_PARTIAL };
/* Tries it; `why` says what does not hold, or what was struck. */
enum outcome point_try(
	struct lane *lane, const struct point *point, bool run_again, struct text *why);

/* points_notes.c */
struct ended { /* an undo whose end is journaled */
	char run[RUN_ID_SIZE];
	uint32_t task;
	char name[64];
	uint64_t record; /* 0: the rollback of the task */
};
struct notes {
	VEC(struct ended) ended;
	size_t size; /* of the notes file, bytes */
	char last_id[RUN_ID_SIZE];
	bool found; /* there is a run at all */
	enum run_state state;
	int exit_code;
	uint32_t runs;
};
void notes_read(const struct lane *lane, struct notes *notes);
void notes_free(struct notes *notes);
/* What was undone since `before` although its end was journaled then. */
bool notes_check(const struct lane *lane, const struct notes *before, struct text *why);
bool notes_settled(const struct notes *notes);

#endif
