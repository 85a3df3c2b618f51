/* SPDX-License-Identifier: MIT */
#include "backup/vault.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/note.h"
#include "backup/seal.h"
#include "support/cleanup.h"

#define HOLD_SPARE_MS 500 /* to say why it was given up */
#define SIGNATURE_MAX (64u << 10)

/* Sleeps a little; false when the wait must end. */
static bool wait_longer(struct upkeep_ctx *ctx, struct store *store, int *code, struct fault *fault)
{
	struct pollfd fd = {.fd = ctx->host->cancel_fd(ctx), .events = POLLIN};
	if (poll(&fd, 1, store->again_ms) > 0)
		*code = fault_set(fault, -ECANCELED, NULL,
			"stopped while waiting for the store \"%s\"", store->name);
	else
		return ctx->host->deadline(ctx) > HOLD_SPARE_MS + store->again_ms;
	return false;
}

int vault_hold(struct upkeep_ctx *ctx, struct store *store, bool alone, struct fault *fault)
{
	CLEANUP_FREE char *who = fault_format("task \"%s\" of run %s", ctx->task, ctx->run_id);
	CLEANUP_FREE char *told = NULL;
	for (;;) {
		int r = store->ops->hold(store, alone, who, fault);
		if (r != -EBUSY)
			return r;
		if (!told || strcmp(told, fault_what(fault)) != 0) {
			free(told);
			told = fault_format("%s", fault_what(fault));
			upkeep_info(ctx, "waiting: %s", told);
		}
		if (!wait_longer(ctx, store, &r, fault))
			return r;
		fault_clear(fault);
	}
}

int vault_enter(struct upkeep_ctx *ctx, const char *name, unsigned needs, struct store **ret_store,
	struct keys **ret_keys, struct fault *fault)
{
	int r = vault_open_store(ctx, name, false, ret_store, fault);
	if (r == 0)
		r = vault_hold(ctx, *ret_store, false, fault);
	return r < 0 ? r : keys_open(ret_keys, ctx, needs, fault);
}

char *vault_summary(const struct vault_item *item)
{
	json_t *object =
		json_pack("{si, ss, ss, ss, ss, sI, sI, sI, sI, sI}", "format", MANIFEST_FORMAT,
			"id", item->id, "name", item->name, "label", item->label ? item->label : "",
			"host", item->host, "created_s", (json_int_t)item->created_s, "entries",
			(json_int_t)item->entries, "bytes", (json_int_t)item->bytes, "stored",
			(json_int_t)item->stored, "problems", (json_int_t)item->problems);
	if (object && *item->plain)
		json_object_set_new(object, "plain", json_string(item->plain));
	if (object && *item->needs)
		json_object_set_new(object, "needs", json_string(item->needs));
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text;
}

static char *copy_member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return fault_format("%s", text ? text : "");
}

static void copy_hash(const json_t *object, const char *key, char hash[STORE_HASH_TEXT])
{
	const char *text = json_string_value(json_object_get(object, key));
	snprintf(hash, STORE_HASH_TEXT, "%s", text ? text : "");
}

static int read_summary(
	const char *text, const char *id, struct vault_item *item, struct fault *fault)
{
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *own = json_string_value(json_object_get(object, "id"));
	/* what else is signed with a manifest, such as a note about it, has no format */
	if (!own || strcmp(own, id) != 0 || !json_object_get(object, "format")) {
		json_decref(object);
		return fault_set(fault, -EBADMSG, NULL,
			"the signature of \"%s\" was made for another backup", id);
	}
	item->name = copy_member(object, "name");
	item->label = copy_member(object, "label");
	item->host = copy_member(object, "host");
	item->created_s = json_integer_value(json_object_get(object, "created_s"));
	item->entries = (uint64_t)json_integer_value(json_object_get(object, "entries"));
	item->bytes = (uint64_t)json_integer_value(json_object_get(object, "bytes"));
	item->stored = (uint64_t)json_integer_value(json_object_get(object, "stored"));
	item->problems = (uint64_t)json_integer_value(json_object_get(object, "problems"));
	copy_hash(object, "plain", item->plain);
	copy_hash(object, "needs", item->needs);
	json_decref(object);
	return 0;
}

/* Reads and checks; *ret_fd (in memory) is what was checked, and the caller's. */
static int check_signature(struct keys *keys, struct store *store, const char *id,
	struct vault_item *item, int *ret_fd, struct fault *fault)
{
	CLEANUP_FD int sealed = seal_memory("manifest", fault);
	CLEANUP_FD int signature = sealed < 0 ? -1 : seal_memory("signature", fault);
	CLEANUP_FREE char *summary = NULL;
	char hash[STORE_HASH_TEXT];
	if (signature < 0)
		return -ENOMEM;
	int r = store->ops->get(
		store, id, VAULT_MANIFEST, sealed, MANIFEST_BYTES_MAX, NULL, item->manifest, fault);
	if (r == 0)
		r = store->ops->get(
			store, id, VAULT_SIGNATURE, signature, SIGNATURE_MAX, NULL, hash, fault);
	if (r == 0)
		r = keys_verify(
			keys, KEYS_TRUST, sealed, signature, &summary, &item->signer, fault);
	if (r == 0)
		r = read_summary(summary, id, item, fault);
	if (r == 0 && ret_fd)
		*ret_fd = TAKE_FD(sealed);
	return r;
}

void vault_free_item(struct vault_item *item)
{
	free(item->id);
	free(item->name);
	free(item->label);
	free(item->host);
	free(item->signer);
	free(item->why);
}

void vault_free(struct vault_items *items)
{
	for (size_t i = 0; i < items->count; i++)
		vault_free_item(&items->items[i]);
	free(items->items);
	*items = (struct vault_items){0};
}

static int compare_items(const void *a, const void *b)
{
	const struct vault_item *x = a, *y = b;
	if (x->created_s != y->created_s)
		return x->created_s < y->created_s ? 1 : -1;
	return strcmp(y->id, x->id);
}

int vault_has(struct store *store, const char *id, struct fault *fault)
{
	int r = strlen(id) <= VAULT_ID_MAX ? store->ops->has(store, id, VAULT_MANIFEST, fault) : 0;
	int removed = r == 1 ? store->ops->has(store, id, VAULT_REMOVED, fault) : 0;
	return removed < 0 ? removed : removed ? 0 : r;
}

/* Says nothing of the backup: another time it may be read. */
static bool is_of_store(int r)
{
	return r == -EAGAIN || r == -EACCES || r == -ECANCELED || r == -ESTALE;
}

static int look(
	struct keys *keys, struct store *store, const char *id, struct vault_item *ret, int *ret_fd)
{
	CLEANUP_FAULT struct fault why = {0};
	*ret = (struct vault_item){.id = fault_format("%s", id)};
	int r = check_signature(keys, store, id, ret, ret_fd, &why);
	if (r < 0)
		ret->why = fault_format("%s", fault_what(&why));
	return is_of_store(r) ? r : 0;
}

int vault_look(struct keys *keys, struct store *store, const char *id, struct vault_item *ret)
{
	return look(keys, store, id, ret, NULL);
}

int vault_notes(
	struct upkeep_ctx *ctx, struct store *store, struct store_names *ret, struct fault *fault)
{
	const struct settings *settings = ctx->settings;
	CLEANUP_STORE struct store *ledger = NULL;
	CLEANUP_FREE char *group = ledger_group(store);
	int r = ledger_open(&ledger, settings->keyring, false, fault);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0; /* nothing was ever verified here */
	return r < 0 ? r : ledger->ops->list(ledger, group, false, ret, fault);
}

/* With what the site's ledger (`notes`) and notes in the store say of it. */
static int look_marked(struct keys *keys, struct store *store, const char *id,
	const struct store_names *notes, struct vault_item *ret)
{
	CLEANUP_FD int sealed = -1;
	int r = look(keys, store, id, ret, &sealed);
	ret->mark = ledger_find(notes, id, ret->manifest);
	if (!ret->why)
		ret->mark = note_newest(keys, store, id, sealed, ret->mark);
	return r;
}

int vault_examine(struct keys *keys, struct store *store, const char *id, struct vault_item *ret)
{
	CLEANUP_NAMES struct store_names notes = {0};
	vault_notes(keys_ctx(keys), store, &notes, NULL);
	return look_marked(keys, store, id, &notes, ret);
}

static int add_item(struct keys *keys, struct store *store, const char *id,
	const struct store_names *notes, struct vault_items *items, struct fault *fault)
{
	int pinned = store->ops->has(store, id, VAULT_PIN, fault);
	if (pinned < 0)
		return pinned;
	struct vault_item item;
	int r = look_marked(keys, store, id, notes, &item);
	item.pinned = pinned;
	items->items = fault_resize(items->items, items->count + 1, sizeof item);
	items->items[items->count++] = item;
	return r < 0 ? fault_set(fault, r, NULL, "backup \"%s\": %s", id, item.why) : 0;
}

int vault_list(struct keys *keys, struct store *store, const char *name, struct vault_items *ret,
	struct fault *fault)
{
	CLEANUP_NAMES struct store_names groups = {0};
	CLEANUP_NAMES struct store_names notes = {0};
	*ret = (struct vault_items){0};
	int r = store->ops->list(store, "", true, &groups, fault);
	if (r == 0)
		r = vault_notes(keys_ctx(keys), store, &notes, fault);
	for (size_t i = 0; r == 0 && i < groups.count; i++) {
		int has = vault_has(store, groups.items[i], fault);
		r = has == 1 ? add_item(keys, store, groups.items[i], &notes, ret, fault) : has;
		if (has != 1 || r < 0)
			continue;
		struct vault_item *last = &ret->items[ret->count - 1];
		if (name && *name && !last->why && last->name && strcmp(last->name, name) != 0) {
			vault_free_item(last);
			ret->count--;
		}
	}
	if (ret->count)
		qsort(ret->items, ret->count, sizeof *ret->items, compare_items);
	return r;
}

static int open_manifest(struct keys *keys, int sealed, struct manifest *ret, struct fault *fault)
{
	struct seal_job job;
	CLEANUP_FD int plain = -1;
	uint64_t size;
	int r = seal_open_start(&job, keys, sealed, MANIFEST_BYTES_MAX, fault);
	if (r == 0)
		r = seal_finish(&job, &plain, &size, fault);
	return r < 0 ? r : manifest_read(ret, plain, fault);
}

int vault_load(struct keys *keys, struct store *store, const char *id, struct manifest *ret,
	char *ret_hash, struct fault *fault)
{
	struct vault_item item = {0};
	int sealed = -1;
	int r = !store_name_valid(id) ? fault_set(fault, -EINVAL, NULL, "\"%s\" is no id", id)
				      : check_signature(keys, store, id, &item, &sealed, fault);
	if (ret_hash)
		memcpy(ret_hash, item.manifest, sizeof item.manifest);
	vault_free_item(&item);
	if (r == 0)
		r = open_manifest(keys, sealed, ret, fault);
	if (r == 0 && strcmp(ret->id, id) != 0)
		r = fault_set(fault, -EBADMSG, NULL, "its manifest is of \"%s\"", ret->id);
	if (r < 0)
		fault_prefix(fault, "backup \"%s\"", id);
	return r;
}

/* *ret_id stays NULL where there is no backup of that id with a good signature. */
static int choose_if_good(
	struct keys *keys, struct store *store, const char *id, char **ret_id, struct fault *fault)
{
	struct vault_item item;
	int r = vault_has(store, id, fault);
	if (r <= 0)
		return r;
	r = vault_look(keys, store, id, &item);
	if (r < 0)
		fault_set(fault, r, NULL, "backup \"%s\": %s", id, item.why);
	else if (!item.why)
		*ret_id = fault_format("%s", id);
	vault_free_item(&item);
	return r;
}

/* Ids begin with the time that is signed with them: the newest is the last that sorts. */
static int choose_latest(struct keys *keys, struct store *store, const char *name, char **ret_id,
	struct fault *fault)
{
	CLEANUP_NAMES struct store_names groups = {0};
	int r = store->ops->list(store, "", true, &groups, fault);
	for (size_t i = groups.count; r == 0 && i > 0; i--) {
		const char *id = groups.items[i - 1];
		if (*name && !manifest_id_valid(id, name))
			continue;
		r = choose_if_good(keys, store, id, ret_id, fault);
		if (*ret_id)
			return 0;
	}
	return r < 0 ? r
		     : fault_set(fault, -ENOENT, "backup.list shows what there is",
			       "the store \"%s\" has no backup%s%s with a good signature",
			       store->name, *name ? " of " : "", name);
}

int vault_choose(struct keys *keys, struct store *store, const char *which, const char *name,
	char **ret_id, struct fault *fault)
{
	if (strcmp(which, "latest") == 0)
		return choose_latest(keys, store, name ? name : "", ret_id, fault);
	*ret_id = fault_format("%s", which);
	int has = store_name_valid(which) ? vault_has(store, which, fault) : 0;
	if (has != 0)
		return has < 0 ? has : 0;
	return fault_set(fault, -ENOENT, "backup.list shows what there is",
		"the store \"%s\" has no backup \"%s\"", store->name, which);
}
