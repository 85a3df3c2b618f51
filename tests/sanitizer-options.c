/* SPDX-License-Identifier: MIT */
/*
 * Only in builds with --with-sanitizer, in upkeep itself, because workers start with an
 * environment of their own: a crash of a plugin stays the signal that it was, so that
 * the tests of crashes hold there, too; and as little is kept of what was freed as in the
 * tests (SANITIZER_ENVIRONMENT).
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:"
	       "quarantine_size_mb=16";
}
