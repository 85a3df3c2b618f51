/* SPDX-License-Identifier: MIT */
/* Only in builds with --enable-coverage: _exit and raise write the counters first. */
#include <stdnoreturn.h>

void __gcov_dump(void);
noreturn void __real__exit(int status);
noreturn void __wrap__exit(int status);

int __real_raise(int signal);
int __wrap_raise(int signal);

int __wrap_raise(int signal)
{
	__gcov_dump();
	return __real_raise(signal);
}

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
