/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int error_set(struct error *err, int code, const char *next, const char *format, ...)
{
	int saved = errno;
	char *what = NULL;
	va_list ap;

	if (!err)
		return code;
	va_start(ap, format);
	errno = saved;
	if (vasprintf(&what, format, ap) < 0)
		what = NULL;
	va_end(ap);
	char *copy = next ? strdup(next) : NULL;
	error_clear(err);
	err->what = what;
	err->next = copy;
	errno = saved;
	return code;
}

void error_prefix(struct error *err, const char *format, ...)
{
	char *prefix = NULL, *whole = NULL;
	va_list ap;

	if (!err || !err->what)
		return;
	va_start(ap, format);
	int n = vasprintf(&prefix, format, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (asprintf(&whole, "%s: %s", prefix, err->what) >= 0) {
		free(err->what);
		err->what = whole;
	}
	free(prefix);
}

void error_clear(struct error *err)
{
	free(err->what);
	free(err->next);
	err->what = err->next = NULL;
}

const char *error_what(const struct error *err)
{
	return err && err->what ? err->what : "unknown error";
}
