/* Our children, found in /proc: not all kernels list them. */
#ifndef UPKEEP_RUN_CHILDREN_H
#define UPKEEP_RUN_CHILDREN_H

#include <sys/types.h>

void children_each(void (*found)(void *data, pid_t pid), void *data);

#endif
