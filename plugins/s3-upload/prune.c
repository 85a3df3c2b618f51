/* SPDX-License-Identifier: MIT */
/* Objects that are older than told and that no rule keeps. */
#include "s3-upload/actions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3-upload/place.h"
#include "support/cleanup.h"
#include "support/sigv4.h"

struct aged {
	char *key, *etag;
	uint64_t size;
	int64_t modified_s;
};

struct prune {
	struct place place;
	const struct prune_args *args;
	char *prefix;
	struct aged *items; /* the newest first; from `kept` on they go */
	size_t count, room, kept;
	int64_t undated; /* stay too */
	char *store;     /* a key that shows that backups lie there */
	int64_t removed;
	uint64_t freed;
};

/* ".../20261123T000000Z-NAME-RANDOM/OBJECT" is of a backup, ".locks/..." of a store of them. */
static bool is_of_store(const char *key)
{
	for (const char *part = key; part; part = strchr(part, '/')) {
		part += *part == '/';
		size_t digits = strspn(part, "0123456789");
		if (strncmp(part, ".locks/", 7) == 0)
			return true;
		if (digits == 8 && part[8] == 'T' && strspn(part + 9, "0123456789") == 6 &&
			strncmp(part + 15, "Z-", 2) == 0 && strchr(part, '/'))
			return true;
	}
	return false;
}

static int add_object(void *arg, const struct s3_object *object)
{
	struct prune *prune = arg;
	if (is_of_store(object->key)) {
		prune->store = fault_format("%s", object->key);
		return -EPERM;
	}
	if (!object->modified_s) {
		CLEANUP_FREE char *url = place_url(&prune->place, object->key);
		upkeep_warn(prune->place.ctx,
			"the server does not say when %s was written: it is left", url);
		prune->undated++;
		return 0;
	}
	if (prune->count == prune->room) {
		prune->room = prune->room ? prune->room * 2 : 64;
		prune->items = fault_resize(prune->items, prune->room, sizeof *prune->items);
	}
	prune->items[prune->count++] = (struct aged){fault_format("%s", object->key),
		fault_format("%s", object->etag ? object->etag : ""), object->size,
		object->modified_s};
	return 0;
}

static int by_age(const void *a, const void *b)
{
	const struct aged *x = a, *y = b;
	if (x->modified_s != y->modified_s)
		return x->modified_s < y->modified_s ? 1 : -1;
	return strcmp(x->key, y->key);
}

static int refuse_store(struct prune *prune, struct fault *fault)
{
	CLEANUP_FREE char *url = place_url(&prune->place, prune->store);
	return fault_set(fault, -EPERM,
		"let backup.prune remove backups; name another part by `below`",
		"nothing is removed: backups lie there (%s)", url);
}

static int choose(struct prune *prune, struct upkeep_ctx *ctx, struct fault *fault)
{
	prune->args = ctx->args;
	int r = place_open(&prune->place, ctx, fault);
	if (r < 0)
		return r;
	prune->prefix = place_key(&prune->place, prune->args->below);
	r = s3_list(prune->place.s3, prune->prefix, NULL, add_object, prune, fault);
	if (prune->store)
		return refuse_store(prune, fault);
	if (r < 0)
		return r;
	int64_t now_s = time(NULL) - s3_clock_ahead_s(prune->place.s3);
	if (prune->count)
		qsort(prune->items, prune->count, sizeof *prune->items, by_age);
	while (prune->kept < prune->count &&
		(prune->kept < (size_t)prune->args->keep ||
			(now_s - prune->items[prune->kept].modified_s) * 1000 <
				prune->args->older_than_ms))
		prune->kept++;
	return 0;
}

static void prune_free(struct prune *prune)
{
	for (size_t i = 0; i < prune->count; i++) {
		free(prune->items[i].key);
		free(prune->items[i].etag);
	}
	free(prune->items);
	free(prune->prefix);
	free(prune->store);
	place_close(&prune->place);
}

/* ---- what was shown is what is done ---- */

static void hash_doomed(const struct prune *prune, char ret[SIGV4_HASH_TEXT])
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	for (size_t i = prune->kept; f && i < prune->count; i++)
		fprintf(f, "%s %s\n", prune->items[i].etag, prune->items[i].key);
	if (f)
		fclose(f);
	sigv4_hash(text ? text : "", size, ret);
	free(text);
}

int32_t prune_plan(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct prune prune = {0};
	char token[SIGV4_HASH_TEXT];
	int r = choose(&prune, ctx, &fault);
	for (size_t i = prune.kept; r == 0 && i < prune.count; i++) {
		CLEANUP_FREE char *url = place_url(&prune.place, prune.items[i].key);
		upkeep_would(ctx, NULL, "delete %s", url);
	}
	hash_doomed(&prune, token);
	if (r == 0)
		ctx->host->token_put(ctx, token, strlen(token));
	int32_t result = prune.count > prune.kept ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
	prune_free(&prune);
	return r < 0 ? fault_report(ctx, r, &fault) : result;
}

static int check_token(const struct prune *prune, struct upkeep_ctx *ctx, struct fault *fault)
{
	const void *token;
	char now[SIGV4_HASH_TEXT];
	int64_t size = ctx->host->token_get(ctx, &token);
	if (size < 0)
		return 0;
	hash_doomed(prune, now);
	if ((size_t)size == strlen(now) && memcmp(token, now, (size_t)size) == 0)
		return 0;
	return fault_set(fault, -ESTALE, "make the plan anew",
		"other objects would be deleted than those of the plan");
}

/* ---- deleting ---- */

static void show(struct prune *prune, const struct aged *object, const char *result)
{
	char size[24], modified[24];
	snprintf(size, sizeof size, "%llu", (unsigned long long)object->size);
	snprintf(modified, sizeof modified, "%lld", (long long)object->modified_s);
	struct upkeep_cell cells[] = {
		{"key", object->key + strlen(prune->place.prefix), UPKEEP_STRING, 0},
		{"size", size, UPKEEP_SIZE, 0}, {"modified", modified, UPKEEP_TIME, 0},
		{"result", result, UPKEEP_STRING, 0}};
	upkeep_row(prune->place.ctx, "objects", cells);
}

/* It may have been written anew since it was listed. */
static int look_again(struct prune *prune, const struct aged *object, struct fault *fault)
{
	CLEANUP_OBJECT struct s3_object now = {0};
	int r = s3_head(prune->place.s3, object->key, NULL, &now, fault);
	if (r == 0 && strcmp(now.etag ? now.etag : "", object->etag) != 0)
		return fault_set(fault, -ESTALE, NULL, "it is another object now, and stays");
	return r;
}

static int delete_one(struct prune *prune, const struct aged *object, struct fault *fault)
{
	int r = look_again(prune, object, fault);
	if (r == 0)
		r = s3_delete(prune->place.s3, object->key, NULL, fault);
	if (r == -ENOENT)
		fault_clear(fault);
	if (r == 0 || r == -ENOENT) {
		prune->removed += r == 0;
		prune->freed += r == 0 ? object->size : 0;
		show(prune, object, r == 0 ? "deleted" : "was gone");
		return 0;
	}
	show(prune, object, fault_what(fault));
	return r;
}

/* One that cannot be deleted does not keep the others. */
static int delete_all(struct prune *prune, struct fault *fault)
{
	int r = 0;
	for (size_t i = prune->count; r != -ECANCELED && i > prune->kept; i--) {
		CLEANUP_FAULT struct fault own = {0};
		const struct aged *object = &prune->items[i - 1];
		int one = delete_one(prune, object, &own);
		if (one < 0 && one != -ESTALE && (r == 0 || one == -ECANCELED))
			r = fault_set(fault, one, own.next, "%s", fault_what(&own));
	}
	return r;
}

int32_t prune_run(struct upkeep_ctx *ctx)
{
	CLEANUP_FAULT struct fault fault = {0};
	struct prune prune = {0};
	int r = choose(&prune, ctx, &fault);
	if (r == 0)
		r = check_token(&prune, ctx, &fault);
	if (r == 0)
		r = delete_all(&prune, &fault);
	CLEANUP_FREE char *freed = fault_format("%llu", (unsigned long long)prune.freed);
	upkeep_output_int(ctx, "removed", prune.removed);
	upkeep_output_int(ctx, "kept", (int64_t)prune.kept + prune.undated);
	upkeep_output_text(ctx, "freed", freed);
	int32_t result = prune.removed ? UPKEEP_CHANGED : UPKEEP_UNCHANGED;
	prune_free(&prune);
	return r < 0 ? fault_report(ctx, r, &fault) : result;
}
