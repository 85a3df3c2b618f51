/* SPDX-License-Identifier: MIT */
/* Descriptions of plugins: what passes must be decodable and are written as what was read. */
#include "model/describe_bytes.h"
#include "worker/decode.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct plugin_description *plugin)
{
	struct arena arena = {0};
	CLEANUP_ERROR struct error err = {0};
	struct arguments arguments;

	for (size_t i = 0; i < plugin->action_count; i++) {
		const struct upkeep_action *decl = &plugin->actions[i].decl;
		struct value empty = {.kind = VALUE_GROUP};
		arguments_decode(decl->params, decl->param_count, decl->params_size, &empty, &arena,
			&arguments, &err);
	}
	arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	CLEANUP_ERROR struct error err = {0};
	struct plugin_description plugin, again;

	if (description_read((const char *)data, size, &arena, &plugin, &err) == 0) {
		use(&plugin);
		CLEANUP_TEXT struct text bytes = {0};
		description_write(&plugin, &bytes);
		if (description_read(bytes.bytes, bytes.size, &arena, &again, &err) < 0)
			abort();
	}
	arena_free(&arena);
	return 0;
}
