/* Ownership by attribute: what a scope owns is freed when it is left. */
#ifndef UPKEEP_BASE_CLEANUP_H
#define UPKEEP_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}
/* errno survives, so that a message made from it stays right. */
static inline void cleanup_fd(int *fd)
{
	int saved = errno;
	if (*fd >= 0)
		close(*fd);
	errno = saved;
}
static inline void cleanup_file(FILE **f)
{
	int saved = errno;
	if (*f)
		fclose(*f);
	errno = saved;
}
static inline void cleanup_dir(DIR **d)
{
	int saved = errno;
	if (*d)
		closedir(*d);
	errno = saved;
}

/* A large buffer that is written before it is read: hardened builds clear all others. */
#define UNFILLED __attribute__((uninitialized))

#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))
#define CLEANUP_FD __attribute__((cleanup(cleanup_fd)))
#define CLEANUP_FILE __attribute__((cleanup(cleanup_file)))
#define CLEANUP_DIR __attribute__((cleanup(cleanup_dir)))

/* Hands over what a cleanup variable owns. */
#define TAKE_PTR(p)                        \
	({                                 \
		__typeof__(p) take_ = (p); \
		(p) = NULL;                \
		take_;                     \
	})
#define TAKE_FD(fd)               \
	({                        \
		int take_ = (fd); \
		(fd) = -1;        \
		take_;            \
	})

#endif
