/* What the tests of plan_restore share: a site with every key of a task, its plan and its text. */
#ifndef UPKEEP_TESTS_RESTORE_WORDS_H
#define UPKEEP_TESTS_RESTORE_WORDS_H

#include "unit.h"

#include "base/text.h"
#include "plan/restore.h"

struct fixture {
	char dir[64];
	struct site *site;
	struct plan *plan, *again;
	struct text text;
	struct diagnostics diagnostics;
	struct error err;
};

int restore_set_up(void **state);
int restore_tear_down(void **state);
/* Writes a file of the site; loads it. */
void restore_file(const char *dir, const char *name, const char *text);
void restore_load(struct fixture *f);
/* The plan of graph "main" and its text. */
int restore_build(struct fixture *f, const struct plan_options *options);
/* f->again, from a buffer of just that size, so that a byte too far is seen. */
int restore_text(struct fixture *f, const char *text, size_t size);
/* As the oldest texts are; then f->text can be changed. */
void restore_drop_checksum(struct fixture *f);
/* Of f->again. */
const struct plan_detail *restored_detail(const struct fixture *f, const char *name);

#endif
