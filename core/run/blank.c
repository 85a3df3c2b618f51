/* SPDX-License-Identifier: MIT */
#include "run/blank.h"

#include <string.h>

#define MARK "***"

void blank_add(struct blank *blank, char *bytes, size_t size)
{
	vec_push(&blank->secrets, ((struct secret_text){bytes, size}));
}

/* The size of the longest secret at `bytes`, 0 for none; *ret_part: one begins there
 * that is longer than what is left. */
static size_t match_at(const struct blank *blank, const char *bytes, size_t size, bool *ret_part)
{
	size_t longest = 0;

	*ret_part = false;
	for (size_t i = 0; i < blank->secrets.count; i++) {
		const struct secret_text *secret = &blank->secrets.items[i];
		size_t n = secret->size < size ? secret->size : size;
		if (memcmp(secret->bytes, bytes, n) != 0)
			continue;
		if (n < secret->size)
			*ret_part = true;
		else if (n > longest)
			longest = n;
	}
	return longest;
}

static size_t blank_scan(
	const struct blank *blank, const char *bytes, size_t size, bool last, struct text *out)
{
	size_t at = 0, clean = 0;

	while (at < size) {
		bool part;
		size_t n = match_at(blank, bytes + at, size - at, &part);
		if (part && !last)
			break;
		if (!n) {
			at++;
			continue;
		}
		text_add(out, bytes + clean, at - clean);
		text_adds(out, MARK);
		at = clean = at + n;
	}
	text_add(out, bytes + clean, at - clean);
	return at;
}

void blank_feed(struct blank *blank, const char *bytes, size_t size, bool last, struct text *out)
{
	if (!blank->secrets.count) {
		text_add(out, bytes, size);
		return;
	}
	text_add(&blank->held, bytes, size);
	size_t used = blank_scan(blank, text_string(&blank->held), blank->held.size, last, out);
	memmove(blank->held.bytes, blank->held.bytes + used, blank->held.size - used);
	blank->held.size -= used;
}

char *blank_text(const struct blank *blank, const char *text)
{
	struct text out = {0};

	if (!text)
		return NULL;
	blank_scan(blank, text, strlen(text), true, &out);
	return text_take(&out);
}

bool blank_finds(const struct blank *blank, const char *bytes, size_t size)
{
	for (size_t i = 0; i < blank->secrets.count; i++)
		if (memmem(bytes, size, blank->secrets.items[i].bytes,
			    blank->secrets.items[i].size))
			return true;
	return false;
}

void blank_free(struct blank *blank)
{
	vec_free(&blank->secrets);
	if (blank->held.bytes)
		explicit_bzero(blank->held.bytes, blank->held.room);
	text_free(&blank->held);
}
