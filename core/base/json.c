/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include "base/cleanup.h"

#include <string.h>

json_t *json_textn(const char *bytes, size_t size)
{
	CLEANUP_TEXT struct text text = {0};

	text_add_utf8(&text, bytes, size);
	return json_stringn(text_string(&text), text.size);
}

json_t *json_text(const char *text)
{
	return text ? json_textn(text, strlen(text)) : json_null();
}

static void add_comma(struct text *out)
{
	if (out->size && !strchr("{[:,", out->bytes[out->size - 1]))
		text_addc(out, ',');
}

void json_open(struct text *out, char bracket)
{
	add_comma(out);
	text_addc(out, bracket);
}

void json_close(struct text *out, char bracket)
{
	text_addc(out, bracket);
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

static void add_quoted(struct text *out, const char *s)
{
	text_addc(out, '"');
	while (*s) {
		const char *end = s;
		while (is_plain(*end))
			end++;
		text_add(out, s, (size_t)(end - s));
		s = end;
		if (*s)
			text_addf(out, "\\u%04x", *s++);
	}
	text_addc(out, '"');
}

void json_add_key(struct text *out, const char *key)
{
	add_comma(out);
	add_quoted(out, key);
	text_addc(out, ':');
}

bool json_add_string(struct text *out, const char *string)
{
	if (!text_is_utf8(string))
		return false;
	add_comma(out);
	add_quoted(out, string);
	return true;
}

void json_add_integer(struct text *out, int64_t number)
{
	char digits[20], *first = digits + sizeof digits;
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do
		*--first = (char)('0' + rest % 10);
	while (rest /= 10);
	if (number < 0)
		*--first = '-';
	add_comma(out);
	text_add(out, first, (size_t)(digits + sizeof digits - first));
}

/* By jansson, whose point is one in every locale. */
void json_add_real(struct text *out, double number)
{
	json_t *real = json_real(number);
	CLEANUP_FREE char *digits = json_dumps(real, JSON_ENCODE_ANY);

	json_add_word(out, digits);
	json_decref(real);
}

void json_add_word(struct text *out, const char *word)
{
	add_comma(out);
	text_adds(out, word);
}
