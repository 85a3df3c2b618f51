/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(struct text *text, size_t more)
{
	size_t need = text->size + more + 1;

	if (need <= text->room)
		return;
	size_t room = text->room ? text->room : 64;
	while (room < need)
		room *= 2;
	text->bytes = base_resize(text->bytes, room, 1);
	text->room = room;
}

void text_add(struct text *text, const char *bytes, size_t size)
{
	reserve(text, size);
	if (size)
		memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	text->bytes[text->size] = 0;
}

void text_adds(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

void text_addc(struct text *text, char c)
{
	text_add(text, &c, 1);
}

void text_addf(struct text *text, const char *format, ...)
{
	va_list ap, again;

	va_start(ap, format);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n >= 0) {
		reserve(text, (size_t)n);
		vsnprintf(text->bytes + text->size, (size_t)n + 1, format, again);
		text->size += (size_t)n;
	}
	va_end(again);
}

/* Bytes of the UTF-8 sequence at `s`, or 0 where it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *s, size_t size)
{
	size_t n = s[0] < 0x80                ? 1
		: s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		: s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		: s[0] >= 0xf0 && s[0] < 0xf5 ? 4
					      : 0;

	if (!n || n > size)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

bool text_is_utf8(const char *string)
{
	size_t size = strlen(string), n = 1;

	for (; size && n; string += n, size -= n)
		n = utf8_length((const unsigned char *)string, size);
	return n > 0;
}

static bool is_control(const unsigned char *s, size_t n)
{
	return (s[0] < 0x20 && s[0] != '\t') || s[0] == 0x7f ||
		(n == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

static void add_escaped(struct text *text, const char *bytes, size_t size, bool controls)
{
	const unsigned char *s = (const unsigned char *)bytes;

	for (size_t i = 0; i < size;) {
		size_t n = utf8_length(s + i, size - i);
		if (n && !(controls && is_control(s + i, n))) {
			text_add(text, bytes + i, n);
			i += n;
		} else {
			text_addf(text, "\\x%02x", s[i++]);
		}
	}
}

void text_add_visible(struct text *text, const char *bytes, size_t size)
{
	add_escaped(text, bytes, size, true);
}

void text_add_utf8(struct text *text, const char *bytes, size_t size)
{
	add_escaped(text, bytes, size, false);
}

const char *text_string(const struct text *text)
{
	return text->bytes ? text->bytes : "";
}

char *text_take(struct text *text)
{
	char *bytes = text->bytes ? text->bytes : base_string("");

	*text = (struct text){0};
	return bytes;
}

void text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){0};
}

bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
	size_t n = strlen(text), k = strlen(suffix);

	return n >= k && strcmp(text + n - k, suffix) == 0;
}

bool text_in_words(const char *text, const char *words)
{
	size_t n = strlen(text);

	for (const char *w = words; n && (w = strstr(w, text)); w += n)
		if ((w == words || w[-1] == ' ') && (w[n] == ' ' || w[n] == 0))
			return true;
	return false;
}

unsigned text_distance(const char *a, const char *b, unsigned limit)
{
	enum { LONGEST = 63 };
	unsigned rows[3][LONGEST + 1];
	size_t m = strlen(a), n = strlen(b);

	if (m > LONGEST || n > LONGEST || (m > n ? m - n : n - m) > limit)
		return limit + 1;
	for (size_t j = 0; j <= n; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= m; i++) {
		unsigned *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return rows[m % 3][n] > limit ? limit + 1 : rows[m % 3][n];
}

const char *text_count(char *buffer, size_t size, uint64_t n, const char *noun)
{
	snprintf(buffer, size, "%llu %s%s", (unsigned long long)n, noun, n == 1 ? "" : "s");
	return buffer;
}
