/* Text: a growing, always NUL-terminated string; and small helpers on strings. */
#ifndef UPKEEP_BASE_TEXT_H
#define UPKEEP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	char *bytes; /* NULL while empty and never added to */
	size_t size; /* without the NUL */
	size_t room;
};

void text_add(struct text *text, const char *bytes, size_t size);
void text_adds(struct text *text, const char *string);
void text_addc(struct text *text, char c);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds `string` with control characters (but tab) as \xHH, and everything that
 * is not UTF-8 likewise: for terminals and messages. */
void text_add_visible(struct text *text, const char *bytes, size_t size);
/* The same, but control characters stay as they are. */
void text_add_utf8(struct text *text, const char *bytes, size_t size);
bool text_is_utf8(const char *string);
/* The bytes or "", never NULL. */
const char *text_string(const struct text *text);
/* Hands the bytes to the caller (to be freed); text is empty afterwards. */
char *text_take(struct text *text);
void text_free(struct text *text);
#define CLEANUP_TEXT __attribute__((cleanup(text_free)))

bool text_equal(const char *a, const char *b); /* NULL equals only NULL */
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
/* True where `text` is one of the space-separated `words`. */
bool text_in_words(const char *text, const char *words);
/* Damerau-Levenshtein distance, for "did you mean"; stops at `limit`. */
unsigned text_distance(const char *a, const char *b, unsigned limit);
/* "3 tasks", "1 task": adds the plural s. Result in a buffer of the caller. */
const char *text_count(char *buffer, size_t size, uint64_t n, const char *noun);

#endif
