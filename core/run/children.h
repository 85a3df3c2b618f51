/* Children of a process, found in /proc: not all kernels list them. */
#ifndef UPKEEP_RUN_CHILDREN_H
#define UPKEEP_RUN_CHILDREN_H

#include <stdbool.h>
#include <sys/types.h>

void children_each(pid_t parent, void (*found)(void *data, pid_t pid), void *data);
/* Is "NAME=VALUE" in its environment, as it was at its exec? */
bool child_has_variable(pid_t pid, const char *variable);

#endif
