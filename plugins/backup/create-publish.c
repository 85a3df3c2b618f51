/* SPDX-License-Identifier: MIT */
/* The manifest, and with it the backup. */
#include "backup/create.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cleanup.h"

int create_end_manifest(struct create *create, int *ret_fd, struct fault *fault)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < create->tree.problem_count; i++) {
		const struct tree_problem *p = &create->tree.problems[i];
		r = manifest_put_problem(create->writer, p->path, p->kind, p->why);
	}
	for (uint32_t i = 0; r == 0 && i < create->packer.count; i++)
		r = manifest_put_pack(create->writer, &create->packer.packs[i]);
	if (r < 0)
		return fault_set(fault, r, NULL, "cannot write the manifest: %s", strerror(-r));
	return manifest_end(&create->writer, ret_fd, fault);
}

static int put_text(struct create *create, const char *name, const char *text,
	char ret_hash[STORE_HASH_TEXT], struct fault *fault)
{
	CLEANUP_FD int fd = seal_memory(name, fault);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return fault_set(fault, -EIO, NULL, "cannot write \"%s\" in memory", name);
	return create->store->ops->put(
		create->store, create->item.id, name, fd, strlen(text), ret_hash, fault);
}

static int hash_memory(int fd, char hash[STORE_HASH_TEXT], struct fault *fault)
{
	struct store_hash *h = store_hash_begin();
	char bytes[65536];
	off_t at = 0;
	ssize_t n;
	while ((n = pread(fd, bytes, sizeof bytes, at)) > 0) {
		store_hash_add(h, bytes, (size_t)n);
		at += n;
	}
	store_hash_end(&h, hash);
	return n < 0 ? fault_set(fault, -errno, NULL, "cannot read a file in memory: %m") : 0;
}

/* What the backup needs of others; the summary has its hash. */
static int put_needs(struct create *create, struct fault *fault)
{
	if (create->reuse.borrowed_count == 0)
		return 0;
	CLEANUP_FREE char *text = needs_text(create->reuse.borrowed, create->reuse.borrowed_count);
	return put_text(create, VAULT_NEEDS, text, create->item.needs, fault);
}

/* Signature first, manifest last. */
int create_publish(struct create *create, int plain, struct fault *fault)
{
	struct store *store = create->store;
	struct seal_job job;
	CLEANUP_FD int sealed = -1;
	CLEANUP_FD int signature = -1;
	char hash[STORE_HASH_TEXT];
	uint64_t size = 0;
	create->item.problems = create->tree.problem_count;
	int r = hash_memory(plain, create->item.plain, fault);
	if (r == 0)
		r = put_needs(create, fault);
	if (r < 0) {
		close(plain);
		return r;
	}
	r = seal_start(&job, create->keys, plain, fault);
	if (r == 0)
		r = seal_finish(&job, &sealed, &size, fault);
	if (r < 0)
		return r;
	create->item.stored += size;
	CLEANUP_FREE char *summary = vault_summary(&create->item);
	r = keys_sign(create->keys, sealed, summary, &signature, fault);
	off_t signature_size = r == 0 ? lseek(signature, 0, SEEK_END) : 0;
	if (r == 0)
		r = store->ops->put(store, create->item.id, VAULT_SIGNATURE, signature,
			(uint64_t)signature_size, hash, fault);
	if (r == 0 && create->args->pin)
		r = put_text(create, VAULT_PIN, "pinned when it was made\n", hash, fault);
	if (r == 0)
		r = store->ops->sync(store, create->item.id, fault);
	if (r == 0)
		r = store->ops->put(
			store, create->item.id, VAULT_MANIFEST, sealed, size, hash, fault);
	return r < 0 ? r : store->ops->sync(store, create->item.id, fault);
}
