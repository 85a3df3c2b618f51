/* Children of a process, found in /proc: not all kernels list them. */
#ifndef UPKEEP_RUN_CHILDREN_H
#define UPKEEP_RUN_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What /proc/PID/`name` says, up to `size` - 1 bytes and a NUL; 0 where there is no such process.
 */
ssize_t process_read(pid_t pid, const char *name, char *text, size_t size);
/* `found` for each that `parent` has now. */
void children_each(pid_t parent, void (*found)(void *data, pid_t pid), void *data);
/* Is "NAME=VALUE" in its environment, as it was at its exec? */
bool child_has_variable(pid_t pid, const char *variable);
/* While it executes another program it has no environment, for a moment; then nobody knows whose
 * it is. */
bool process_is_between_programs(pid_t pid);
/* The variable that begins with `prefix` ("NAME=VAL"), copied into text[size]. */
bool process_find_variable(pid_t pid, const char *prefix, char *text, size_t size);
/* `found` for each process that /proc shows. */
void processes_each(void (*found)(void *data, pid_t pid), void *data);

/* "PID (NAME)", in the buffer. */
enum { PROCESS_NAME_SIZE = 40 };
const char *process_name(pid_t pid, char buffer[PROCESS_NAME_SIZE]);
/* How long SIGKILL may take to end a process before it counts as one that cannot be killed:
 * 10 s, or $UPKEEP_PATIENCE_MS (for tests). */
int64_t process_patience_ms(void);

#endif
