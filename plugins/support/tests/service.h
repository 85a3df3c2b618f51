/* The commands of tests/services, called by test programs. */
#ifndef SUPPORT_TESTS_SERVICE_H
#define SUPPORT_TESTS_SERVICE_H

/* Runs a program, with nothing to read and that descriptor as its output: its exit code, 99 where
 * there is none. */
int service_program(const char *const *argv, int stdout_fd);

/* Runs tests/services/`name` with the arguments (up to a NULL); what it answers becomes variables
 * of the environment.  Its exit code. */
int service_call(const char *name, const char *const *arguments);

/* `start` in the directory, with further arguments (or NULL) behind it: it ends with this process
 * at the latest. */
int service_start(const char *name, const char *dir, const char *const *more);

#endif
