/* SPDX-License-Identifier: MIT */
/* Messages between engine and worker: the first byte chooses the reader's side. */
#include "model/tree.h"
#include "wire/wire.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every field as its reader would; what is read twice must be the same. */
static void read_all(const struct wire_in *in)
{
	struct arena arena = {0};
	volatile size_t sum = 0;
	size_t count;
	struct value value;

	for (enum wire_tag tag = 1; tag < WIRE_FILES; tag++)
		if (wire_has(in, tag) && tag >= WIRE_NAME && tag < WIRE_DATA)
			sum += strlen(wire_get_text(in, tag));
		else if (tag < WIRE_NAME)
			sum += (size_t)wire_get_number(in, tag);
	for (enum wire_tag tag = WIRE_FILES; tag < WIRE_TYPES; tag++) {
		const char **texts = wire_get_texts(in, tag, &arena, &count);
		for (size_t i = 0; i < count; i++)
			sum += strlen(texts[i]);
	}
	for (size_t i = 0; i < wire_get_count(in, WIRE_TYPES); i++)
		sum += (size_t)wire_get_item(in, WIRE_TYPES, i);
	for (enum wire_tag tag = WIRE_SETTINGS; tag < WIRE_TAGS; tag++)
		if (wire_get_value(in, tag, &arena, &value) == 0) {
			struct text again = {0};
			tree_write(&again, &value);
			if (again.size != in->fields[tag].size ||
				memcmp(again.bytes, in->fields[tag].bytes, again.size) != 0)
				abort();
			text_free(&again);
		}
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct wire_in in;

	if (size &&
		wire_parse(data + 1, size - 1, data[0] & 1 ? WIRE_WORKER : WIRE_ENGINE, &in) == 0)
		read_all(&in);
	return 0;
}
