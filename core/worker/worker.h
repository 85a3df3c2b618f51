/*
 * Worker: the other side of wire.h.  It is upkeep itself, spawned again: it loads one
 * plugin and calls its actions, one at a time, until its socket ends.
 *
 * HOW IT IS STARTED (main.c hands argv to worker_entry before anything else)
 *	{ "upkeep", "--worker", NULL }
 *		descriptor 3: the socket.  Standard output and error: the log of what the
 *		plugin prints by itself.
 *	{ "upkeep", "--describe-plugin", NAME, PATH, NULL }
 *		descriptor 3: the plugin's file.  Prints its description (see
 *		model/describe_bytes.h) to standard output and ends with 0, or prints the
 *		refusal in the same way and ends with EXIT_PLUGIN.
 */
#ifndef UPKEEP_WORKER_WORKER_H
#define UPKEEP_WORKER_WORKER_H

/* The exit code of the worker's life, or -1 where argv does not ask for a worker. */
int worker_entry(int argc, char *const *argv);
/* Never returns: ends with _exit. */
void worker_main(int socket) __attribute__((noreturn));

#define WORKER_SOCKET 3

#endif
