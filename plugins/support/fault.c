/* SPDX-License-Identifier: MIT */
#include "support/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die_without_memory(void)
{
	static const char text[] = "out of memory\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
	(void)ignored;
	_exit(70);
}

void *fault_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	if (!p)
		die_without_memory();
	return p;
}

void *fault_resize(void *array, size_t count, size_t size)
{
	void *p = reallocarray(array, count ? count : 1, size);
	if (!p)
		die_without_memory();
	return p;
}

__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list ap)
{
	char *text = NULL;
	if (vasprintf(&text, format, ap) < 0)
		die_without_memory();
	return text;
}

char *fault_format(const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	char *text = format_text(format, ap);
	va_end(ap);
	return text;
}

int fault_set(struct fault *fault, int code, const char *next, const char *format, ...)
{
	if (!fault)
		return code;
	va_list ap;
	va_start(ap, format);
	char *what = format_text(format, ap);
	va_end(ap);
	fault_clear(fault);
	fault->what = what;
	fault->next = next ? fault_format("%s", next) : NULL;
	return code;
}

void fault_prefix(struct fault *fault, const char *format, ...)
{
	if (!fault)
		return;
	va_list ap;
	va_start(ap, format);
	char *prefix = format_text(format, ap);
	va_end(ap);
	char *whole = fault_format("%s: %s", prefix, fault_what(fault));
	free(prefix);
	free(fault->what);
	fault->what = whole;
}

int32_t fault_report(struct upkeep_ctx *ctx, int code, const struct fault *fault)
{
	int32_t result = UPKEEP_FAILED;
	if (code == -ECANCELED)
		result = UPKEEP_CANCELLED;
	else if (code == -EAGAIN || code == -EBUSY || code == -ENOSPC || code == -ENOMEM)
		result = UPKEEP_FAILED_FOR_NOW;
	return upkeep_fail(ctx, result, fault->next, NULL, "%s", fault_what(fault));
}

const char *fault_what(const struct fault *fault)
{
	return fault && fault->what ? fault->what : "unknown error";
}

void fault_clear(struct fault *fault)
{
	free(fault->what);
	free(fault->next);
	fault->what = fault->next = NULL;
}
