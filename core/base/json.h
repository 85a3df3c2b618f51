/* JSON of texts from outside: messages, names of files, output.  And JSON written item by item. */
#ifndef UPKEEP_BASE_JSON_H
#define UPKEEP_BASE_JSON_H

#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A string of any bytes: what is not UTF-8, which JSON is, stands in it as \xHH; null for NULL. */
json_t *json_text(const char *text);
json_t *json_textn(const char *bytes, size_t size);

/*
 * Compact JSON, for large texts of which no tree is wanted: each call adds one item to `out`, with
 * the comma before it where there is one before it already.  Keys must be UTF-8.
 */
void json_open(struct text *out, char bracket);
void json_close(struct text *out, char bracket);
void json_add_key(struct text *out, const char *key);
/* False, and nothing is added, where it is not UTF-8. */
bool json_add_string(struct text *out, const char *string);
void json_add_integer(struct text *out, int64_t number);
void json_add_real(struct text *out, double number);    /* finite */
void json_add_word(struct text *out, const char *word); /* true, false, null */

#endif
