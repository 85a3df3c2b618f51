/* SPDX-License-Identifier: MIT */
#include "backup/progress.h"

#include <unistd.h>

#include "support/cleanup.h"

void progress_begin(struct progress *progress, uint32_t pack)
{
	struct manifest_part *part = &progress->parts[pack % PROGRESS_PARTS];
	if (progress->off || !progress->memory->store ||
		manifest_part_begin(part, progress->writer, progress->head, pack, NULL) < 0)
		progress->off = true;
}

void progress_stored(struct progress *progress, const struct manifest_pack *pack)
{
	struct manifest_part *part = &progress->parts[pack->number % PROGRESS_PARTS];
	CLEANUP_FD int fd = -1;
	if (!progress->off &&
		(manifest_part_end(part, pack, &fd) < 0 ||
			memory_put_part(progress->memory, progress->head->id, pack->number, fd) <
				0))
		progress->off = true;
}

void progress_free(struct progress *progress)
{
	for (size_t i = 0; i < PROGRESS_PARTS; i++)
		if (progress->parts[i].frame)
			manifest_part_abort(&progress->parts[i]);
}
