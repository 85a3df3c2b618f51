/*
 * The start helper: upkeep itself, spawned again, which changes the user and the
 * directory and then becomes the program.  Between a change of user and the exec that
 * user can stop the process, and a directory may hang: the engine does not wait for
 * either.
 *	{ "upkeep", "--launch", STATUS_FD, PARENT, UID, GID, GROUPS, CWD, PATH, ARGV... }
 * GROUPS is a list with commas; UID "" changes no user.  What went wrong is written to
 * STATUS_FD.
 */
#ifndef UPKEEP_RUN_LAUNCH_H
#define UPKEEP_RUN_LAUNCH_H

/* Never returns where argv asks for the helper; -1 where it does not. */
int launch_entry(int argc, char *const *argv);

#endif
