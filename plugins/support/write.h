/* Whole writes. */
#ifndef SUPPORT_WRITE_H
#define SUPPORT_WRITE_H

#include <stddef.h>

/* Writes all of it, through EINTR and short writes; 0 or a negative errno. */
int write_all(int fd, const void *bytes, size_t size);

#endif
