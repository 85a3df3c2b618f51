/* A site of its own for each test program: a store, a keyring, a key. */
#ifndef BACKUP_TESTS_SITE_H
#define BACKUP_TESTS_SITE_H

#include <upkeep/testing.h>

extern char site_dir[64]; /* holds "store", "keyring" and whatever tests make */
extern char *site_key;    /* the fingerprint */

/* For the group of tests. */
int site_setup(void **state);
int site_teardown(void **state);

/* A host with the settings of the site. */
struct upkeep_test *site_open(void);
/* Shows what the last call said where its result is another one. */
void site_expect(struct upkeep_test *t, int32_t got, int32_t wanted);
/* The caller frees the path. */
char *site_below(const char *name);
/* Backs `path` up; the caller frees the id. */
char *site_create(struct upkeep_test *t, const char *name, const char *path);
/* Agents of the killed come to the test where it is their subreaper: it ends them. */
void site_end_orphans(void);
/* Two texts of look_at; shows the first line in which they differ. */
void site_expect_same(const char *before, const char *after);

#endif
