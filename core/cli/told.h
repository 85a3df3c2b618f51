/*
 * Told: what a watcher has to say to the command that started the run.  It is called in the
 * engine, which is a child; it leaves lines of JSON in a file without a name, which both have.
 */
#ifndef UPKEEP_CLI_TOLD_H
#define UPKEEP_CLI_TOLD_H

#include "base/error.h"

#include <jansson.h>

struct told {
	int fd; /* -1: closed */
};
#define TOLD_CLOSED      \
	{                \
		.fd = -1 \
	}

int told_open(struct told *told, struct error *err);
/* Adds a line and frees it; in the engine. */
void told_put(const struct told *told, json_t *line);
/* All lines, in their order, and takes them out; in the command, when the run is over.
 * -EIO: they are not whole, as where the engine was killed. */
int told_take(const struct told *told, json_t **ret_lines, struct error *err);
/* The same where other text than lines was written to the file; on the heap, NULL: an error. */
char *told_take_text(const struct told *told, struct error *err);
void told_close(struct told *told);
#define CLEANUP_TOLD __attribute__((cleanup(told_close)))

/* A text that need not be UTF-8 as JSON, which has no bytes: others are {"bytes": "hex"}. */
json_t *told_text(const char *text);
/* Such a text for people; on the heap. */
char *told_visible(const json_t *text);
/* Bytes in hexadecimal digits, and back: freed by the caller, NULL where these are none. */
json_t *told_bytes(const void *bytes, size_t size);
void *told_bytes_read(const json_t *hex, size_t *ret_size);

#endif
