/* A directory of the test's own, and a description of all that is in it. */
#ifndef FILES_TESTS_TREE_H
#define FILES_TESTS_TREE_H

#include <stddef.h>
#include <stdint.h>

#include <upkeep/plugin.h>
#include <upkeep/testing.h>

#include "tests/unit.h"

extern char tree_root[4096];

/* cmocka's setup and teardown: a fresh root in $TMPDIR or /var/tmp. */
int tree_make(void **state);
int tree_remove(void **state);

/* ROOT/name; a ring of 16 texts. */
const char *tree_path(const char *name);
void tree_write(const char *name, const char *text);
void tree_write_size(const char *name, size_t size);
void tree_dir(const char *name);
/* Sets the modification time so many days back. */
void tree_age(const char *name, int days);
int tree_has(const char *name);
/* The whole file, to be freed. */
char *tree_read(const char *name, size_t *ret_size);

/* One line for each entry: path, type, mode, owner, mtime (of files), size, hash;
 * sorted; to be freed. */
char *tree_describe(void);

#endif
