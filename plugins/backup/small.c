/* SPDX-License-Identifier: MIT */
/* The small actions: pin, unpin, init. */
#include "backup/actions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "backup/seal.h"
#include "backup/vault.h"
#include "support/cleanup.h"

static int set_pin(
	struct store *store, const char *id, bool pinned, const char *run, struct fault *fault)
{
	if (!pinned) {
		int r = store->ops->remove_object(store, id, VAULT_PIN, fault);
		return r < 0 ? r : store->ops->sync(store, id, fault);
	}
	CLEANUP_FD int fd = seal_memory("pin", fault);
	CLEANUP_FREE char *text = fault_format("pinned by run %s\n", run);
	char hash[STORE_HASH_TEXT];
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return fault_set(fault, -EIO, NULL, "cannot write the pin");
	int r = store->ops->put(store, id, VAULT_PIN, fd, strlen(text), hash, fault);
	return r < 0 ? r : store->ops->sync(store, id, fault);
}

static int32_t change_pin(struct upkeep_ctx *ctx, bool pinned)
{
	const struct pin_args *args = ctx->args;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_STORE struct store *store = NULL;
	CLEANUP_KEYS struct keys *keys = NULL;
	CLEANUP_FREE char *id = NULL;
	int r = vault_enter(ctx, args->store, KEYS_TRUST, &store, &keys, &fault);
	if (r == 0)
		r = vault_choose(keys, store, args->backup, args->name, &id, &fault);
	int has = r == 0 ? store->ops->has(store, id, VAULT_PIN, &fault) : r;
	bool same = has == pinned;
	r = has < 0 ? has : 0;
	if (r == 0 && !same)
		r = set_pin(store, id, pinned, ctx->run_id, &fault);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	upkeep_output_text(ctx, "id", id);
	return same ? UPKEEP_UNCHANGED : UPKEEP_CHANGED;
}

int32_t pin_run(struct upkeep_ctx *ctx)
{
	return change_pin(ctx, true);
}

int32_t unpin_run(struct upkeep_ctx *ctx)
{
	return change_pin(ctx, false);
}

static int open_all_stores(struct upkeep_ctx *ctx, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	int r = 0;
	for (size_t i = 0; r == 0 && i < settings->stores.count; i++) {
		const struct store_setting *s =
			(const void *)((const char *)settings->stores.items +
				i * settings->stores.stride);
		CLEANUP_STORE struct store *store = NULL;
		r = vault_open_store(ctx, s->name, true, &store, fault);
	}
	return r;
}

int32_t init_run(struct upkeep_ctx *ctx)
{
	const struct init_args *args = ctx->args;
	const struct settings *settings = ctx->settings;
	CLEANUP_FAULT struct fault fault = {0};
	CLEANUP_FREE char *fingerprint = NULL;
	struct utsname host;
	bool made = false;
	int r = open_all_stores(ctx, &fault);
	uname(&host);
	CLEANUP_FREE char *user_id = *args->user_id
		? fault_format("%s", args->user_id)
		: fault_format("upkeep backups of %s", host.nodename);
	if (r == 0 && args->create_key)
		r = keys_make(ctx, user_id, &made, &fingerprint, &fault);
	else if (r == 0)
		fingerprint = keys_recorded(settings->keyring);
	if (r < 0)
		return fault_report(ctx, r, &fault);
	if (fingerprint)
		upkeep_output_text(ctx, "fingerprint", fingerprint);
	if (made)
		upkeep_info(ctx,
			"made the key %s; keep a copy of the keyring elsewhere: without it "
			"no backup can be read",
			fingerprint);
	return made ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
}
