/* The directories of tasks for what they need while they run: in /tmp, with the run's id in their
 * names, so that those of a run that was killed are found. */
#ifndef UPKEEP_RUN_TEMP_H
#define UPKEEP_RUN_TEMP_H

struct error;

/* A new one (0700); its path is on the heap.  Negative errno. */
int temp_dir_make(const char *run_id, char **ret_path);
/* Removes all that a run has left.  What cannot be removed is told by the first fault. */
int temp_dirs_remove(const char *run_id, struct error *err);

#endif
