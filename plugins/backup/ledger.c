/* SPDX-License-Identifier: MIT */
#include "backup/ledger.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backup/seal.h"
#include "support/cleanup.h"

int ledger_note(struct store *store, const char *id, const char *result, int64_t now_s,
	const char *run_id, struct fault *fault)
{
	json_t *object = json_pack("{ss, ss, sI, ss}", "id", id, "result", result, "when_s",
		(json_int_t)now_s, "run", run_id ? run_id : "");
	CLEANUP_FREE char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	CLEANUP_FREE char *name = fault_format("%s~%lld~%s", id, (long long)now_s, result);
	CLEANUP_FD int fd = seal_memory("note", fault);
	if (!text || fd < 0)
		return -ENOMEM;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return fault_set(fault, -EIO, NULL, "cannot write a note");
	char hash[STORE_HASH_TEXT];
	struct fault own = { 0 };
	int r = store->ops->put(store, LEDGER_GROUP, name, fd, strlen(text), hash, &own);
	if (r < 0 && r != -EEXIST)
		fault_set(fault, r, own.next, "%s", fault_what(&own));
	fault_clear(&own);
	if (r < 0)
		return r == -EEXIST ? 0 : r;
	return store->ops->sync(store, LEDGER_GROUP, fault);
}

static bool is_about(const char *note, const char *id)
{
	size_t size = strlen(id);
	return strncmp(note, id, size) == 0 && note[size] == '~';
}

struct ledger_mark ledger_find(const struct store_names *notes, const char *id)
{
	struct ledger_mark mark = { 0 };
	for (size_t i = 0; i < notes->count; i++) {
		if (!is_about(notes->items[i], id))
			continue;
		char *end;
		long long when = strtoll(notes->items[i] + strlen(id) + 1, &end, 10);
		if (*end != '~' || strlen(end + 1) >= sizeof mark.result || when < mark.when_s)
			continue;
		mark.when_s = when;
		memcpy(mark.result, end + 1, strlen(end + 1) + 1);
	}
	return mark;
}

void ledger_forget(struct store *store, const struct store_names *notes, const char *id)
{
	for (size_t i = 0; i < notes->count; i++)
		if (is_about(notes->items[i], id))
			store->ops->remove_object(store, LEDGER_GROUP, notes->items[i], NULL);
}
