/* SPDX-License-Identifier: MIT */
#include "backup/packer.h"

#include <stdlib.h>
#include <unistd.h>

#include "support/cleanup.h"

static int store_pack(struct packer *packer, size_t slot, struct fault *fault)
{
	struct manifest_pack *pack = &packer->packs[packer->job_packs[slot]];
	CLEANUP_FREE char *name = fault_format("%05u.pack", packer->job_packs[slot]);
	CLEANUP_FD int fd = -1;
	int r = seal_finish(&packer->jobs[slot], &fd, &pack->size, fault);
	if (r < 0)
		return r;
	packer->stored += pack->size;
	r = packer->store->ops->put(
		packer->store, packer->id, name, fd, pack->size, pack->sha256, fault);
	if (r == 0)
		progress_stored(packer->progress, pack);
	return r;
}

static int seal_pack(struct packer *packer, struct fault *fault)
{
	uint32_t number = packer->count - 1;
	size_t slot = number % PACKER_SEALING;
	int fd = -1;
	packer->packs = fault_resize(packer->packs, packer->count, sizeof *packer->packs);
	packer->packs[number] = (struct manifest_pack){.number = number};
	int r = pack_end(&packer->pack, &fd, &packer->packs[number].plain, fault);
	if (r == 0 && seal_busy(&packer->jobs[slot]))
		r = store_pack(packer, slot, fault);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	packer->job_packs[slot] = number;
	return seal_start(&packer->jobs[slot], packer->keys, fd, fault);
}

int packer_make_room(struct packer *packer, uint64_t size, struct fault *fault)
{
	if (packer->pack && pack_input(packer->pack) + size > PACK_INPUT_MAX) {
		int r = seal_pack(packer, fault);
		if (r < 0)
			return r;
	}
	if (packer->pack)
		return 0;
	progress_begin(packer->progress, packer->count++);
	return pack_begin(&packer->pack, fault);
}

int packer_end(struct packer *packer, struct fault *fault)
{
	int r = packer->pack ? seal_pack(packer, fault) : 0;
	for (uint32_t i = 0; r == 0 && i < PACKER_SEALING; i++) {
		size_t slot = (packer->count + i) % PACKER_SEALING;
		if (seal_busy(&packer->jobs[slot]))
			r = store_pack(packer, slot, fault);
	}
	return r;
}

void packer_free(struct packer *packer)
{
	for (size_t i = 0; i < PACKER_SEALING; i++)
		if (seal_busy(&packer->jobs[i]))
			seal_abort(&packer->jobs[i]);
	pack_abort(&packer->pack);
	free(packer->packs);
}
