/* What a tree is, as text: two trees are the same when their texts are. */
#ifndef BACKUP_TESTS_LOOK_H
#define BACKUP_TESTS_LOOK_H

/* Everything below `dir` (names, types, modes, owners, times, sizes, links between names,
 * bytes, extended attributes with ACLs), sorted; the caller frees it. */
char *look_at(const char *dir);
/* Makes a tree with everything that is hard to bring back below `dir`. */
void look_torture(const char *dir);
/* Writes `size` bytes of text as dir/name. */
void look_write(const char *dir, const char *name, const char *text);
/* Removes a tree. */
void look_remove(const char *dir);

#endif
