/*
 * The start helper: upkeep itself, spawned again, which changes the user and the
 * directory and then becomes the program.  Between a change of user and the exec that
 * user can stop the process, and a directory may hang: the engine does not wait for
 * either.
 *	{ "upkeep", "--launch", STATUS_FD, ENV_FD, PARENT, UID, GID, GROUPS, CWD, PATH, ARGV... }
 * GROUPS is a list with commas; UID "" changes no user.  What went wrong is written to
 * STATUS_FD.  The program's environment is read from ENV_FD, each variable with its NUL: the
 * helper itself has none of it, for it begins as root, and LD_PRELOAD is anybody's.
 */
#ifndef UPKEEP_RUN_LAUNCH_H
#define UPKEEP_RUN_LAUNCH_H

/* Never returns where argv asks for the helper; -1 where it does not. */
int launch_entry(int argc, char *const *argv);

#endif
