/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include "base/text.h"

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
