/* SPDX-License-Identifier: MIT */
#include "backup/ledger.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/seal.h"
#include "support/cleanup.h"

#define HASH_PART 32 /* digits of the manifest's hash in a name */

int ledger_open(struct store **ret, const char *keyring, bool make, struct fault *fault)
{
	CLEANUP_FREE char *path = fault_format("%s/ledger", keyring);
	if (make)
		(void)mkdir(keyring, 0700); /* that it failed is told by what follows */
	else if (access(path, F_OK) < 0)
		return -errno;
	return store_open_local(ret, "ledger", path, make, fault);
}

char *ledger_group(const struct store *store)
{
	char hash[STORE_HASH_TEXT];
	if (store_name_valid(store->name))
		return fault_format("%s", store->name);
	struct store_hash *h = store_hash_begin();
	store_hash_add(h, store->name, strlen(store->name));
	store_hash_end(&h, hash);
	return fault_format("%s", hash);
}

static int put_note(struct store *ledger, const char *group, const char *name, const char *text,
	struct fault *fault)
{
	char hash[STORE_HASH_TEXT];
	CLEANUP_FD int fd = seal_memory("note", fault);
	if (fd < 0)
		return fd;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return fault_set(fault, -EIO, NULL, "cannot write a note");
	int r = ledger->ops->put(ledger, group, name, fd, strlen(text), hash, fault);
	if (r == -EEXIST && fault)
		fault_clear(fault); /* it was noted in this second */
	return r == -EEXIST ? 0 : r;
}

int ledger_note(struct store *ledger, const char *group, const char *id, const char *result,
	const char *manifest, int64_t now_s, const char *run_id, struct fault *fault)
{
	json_t *object = json_pack("{ss, ss, ss, sI, ss}", "id", id, "result", result, "manifest",
		manifest, "when_s", (json_int_t)now_s, "run", run_id ? run_id : "");
	CLEANUP_FREE char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	CLEANUP_FREE char *name =
		fault_format("%s~%lld~%s~%.*s", id, (long long)now_s, result, HASH_PART, manifest);
	int r = text ? put_note(ledger, group, name, text, fault) : -ENOMEM;
	return r < 0 ? r : ledger->ops->sync(ledger, group, fault);
}

static bool is_about(const char *note, const char *id)
{
	size_t size = strlen(id);
	return strncmp(note, id, size) == 0 && note[size] == '~';
}

static const char *const results[] = {"failed", "full", "hash"};

bool ledger_result_valid(const char *result)
{
	for (size_t i = 0; i < UPKEEP_COUNT(results); i++)
		if (strcmp(result, results[i]) == 0)
			return true;
	return false;
}

/* "RESULT~HASH": a good one must be of this manifest; what failed, failed. */
static const char *result_of(const char *text, const char *manifest)
{
	for (size_t i = 0; i < UPKEEP_COUNT(results); i++) {
		size_t size = strlen(results[i]);
		if (strncmp(text, results[i], size) != 0 || text[size] != '~')
			continue;
		const char *part = text + size + 1;
		if (i == 0)
			return results[i];
		return strlen(part) == HASH_PART && strncmp(part, manifest, HASH_PART) == 0
			? results[i]
			: NULL;
	}
	return NULL;
}

struct ledger_mark ledger_find(
	const struct store_names *notes, const char *id, const char *manifest)
{
	struct ledger_mark mark = {0};
	for (size_t i = 0; i < notes->count; i++) {
		if (!is_about(notes->items[i], id))
			continue;
		char *end;
		long long when = strtoll(notes->items[i] + strlen(id) + 1, &end, 10);
		const char *result = *end == '~' ? result_of(end + 1, manifest) : NULL;
		if (!result || when < mark.when_s)
			continue;
		mark.when_s = when;
		snprintf(mark.result, sizeof mark.result, "%s", result);
	}
	return mark;
}

void ledger_forget(
	struct store *ledger, const char *group, const struct store_names *notes, const char *id)
{
	for (size_t i = 0; i < notes->count; i++)
		if (is_about(notes->items[i], id))
			ledger->ops->remove_object(ledger, group, notes->items[i], NULL);
}
