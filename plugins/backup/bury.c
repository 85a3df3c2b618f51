/* SPDX-License-Identifier: MIT */
/* Taking backups of a store out of sight and back, and what they need of each other. */
#include "backup/vault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/seal.h"
#include "support/cleanup.h"

#define TIME_MAX 32

/* The object's bytes with a NUL behind them; the caller frees them. */
static int read_text(struct store *store, const char *id, const char *name, uint64_t limit,
	char **ret, char hash[STORE_HASH_TEXT], struct fault *fault)
{
	CLEANUP_FD int fd = seal_memory(name, fault);
	uint64_t size = 0;
	if (fd < 0)
		return fd;
	int r = store->ops->get(store, id, name, fd, limit, &size, hash, fault);
	if (r < 0)
		return r;
	char *text = fault_alloc(size + 1);
	if (pread(fd, text, size, 0) != (ssize_t)size) {
		free(text);
		return fault_set(fault, -EIO, NULL, "cannot read \"%s\" of \"%s\"", name, id);
	}
	*ret = text;
	return 0;
}

int vault_needs(struct store *store, const struct vault_item *item, struct needs *needs,
	struct fault *fault)
{
	CLEANUP_FREE char *text = NULL;
	char hash[STORE_HASH_TEXT];
	if (!*item->needs)
		return 0;
	int r = read_text(store, item->id, VAULT_NEEDS, NEEDS_BYTES_MAX, &text, hash, fault);
	if (r == 0 && strcmp(hash, item->needs) != 0)
		r = fault_set(fault, -EBADMSG, NULL,
			"what backup \"%s\" needs of others is not what was signed", item->id);
	return r < 0 ? r : needs_add(needs, text, item->id, item->name, fault);
}

static int check_there(struct store *store, const char *id, struct fault *fault)
{
	CLEANUP_NAMES struct store_names names = {0};
	int r = store->ops->list(store, id, false, &names, fault);
	return r < 0 || names.count > 0
		? r
		: fault_set(fault, -ENOENT, NULL, "the store \"%s\" has nothing of \"%s\"",
			  store->name, id);
}

int vault_bury(struct store *store, const char *id, int64_t until_s, struct fault *fault)
{
	CLEANUP_FREE char *text = fault_format("%lld\n", (long long)until_s);
	char hash[STORE_HASH_TEXT];
	int r = check_there(store, id, fault);
	if (r < 0 && r != -EACCES)
		return r;
	CLEANUP_FD int fd = seal_memory(VAULT_REMOVED, fault);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return fault_set(fault, -EIO, NULL, "cannot write a mark in memory");
	r = store->ops->put(store, id, VAULT_REMOVED, fd, strlen(text), hash, fault);
	if (r == -EEXIST || r == 0)
		fault_clear(fault);
	return r == -EEXIST ? 0 : r < 0 ? r : store->ops->sync(store, id, fault);
}

int vault_unbury(struct store *store, const char *id, struct fault *fault)
{
	int r = store->ops->has(store, id, VAULT_MANIFEST, fault);
	if (r == 0)
		return fault_set(fault, -ENOENT, NULL,
			"backup \"%s\" is gone from the store \"%s\" for good", id, store->name);
	if (r > 0)
		r = store->ops->remove_object(store, id, VAULT_REMOVED, fault);
	return r < 0 ? r : store->ops->sync(store, id, fault);
}

/* A time that cannot be read never comes. */
int vault_buried(struct store *store, const char *id, int64_t *ret_until_s, struct fault *fault)
{
	CLEANUP_FREE char *text = NULL;
	char hash[STORE_HASH_TEXT], *end = NULL;
	*ret_until_s = INT64_MAX;
	int r = store->ops->has(store, id, VAULT_REMOVED, fault);
	if (r != 1)
		return r;
	r = read_text(store, id, VAULT_REMOVED, TIME_MAX, &text, hash, fault);
	if (r == -EFBIG && fault)
		fault_clear(fault);
	if (!text)
		return r == -EFBIG ? 1 : r;
	long long until = strtoll(text, &end, 10);
	if (end != text && strcmp(end, "\n") == 0)
		*ret_until_s = until;
	return 1;
}
