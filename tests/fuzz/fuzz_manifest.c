/* SPDX-License-Identifier: MIT */
/* Lines of a manifest, as they come out of a store after the signature was checked. */
#include <stdint.h>
#include <string.h>

#include "backup/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct manifest manifest = {0};
	const char *line = (const char *)bytes, *end = line + size;
	int r = 0;
	while (r == 0 && line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((stop ? stop : end) - line);
		r = manifest_add_line(&manifest, line, length, NULL);
		line += length + 1;
	}
	if (r == 0)
		manifest_check(&manifest, NULL);
	manifest_free(&manifest);
	return 0;
}
