/* SPDX-License-Identifier: MIT */
#include "backup/note.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "backup/seal.h"
#include "backup/vault.h"
#include "support/cleanup.h"

#define PREFIX "verified~"
#define LOOKED_AT_MAX 8 /* of one backup: each costs a call of gpg */
#define NOTE_BYTES_MAX (64u << 10)

static bool is_note(const char *object)
{
	return strncmp(object, PREFIX, strlen(PREFIX)) == 0;
}

static int64_t time_of(const char *object)
{
	return strtoll(object + strlen(PREFIX), NULL, 10);
}

static char *make_text(const char *id, const char *result, int64_t now_s, const char *run_id)
{
	struct utsname host;
	uname(&host);
	json_t *object = json_pack("{ss, ss, sI, ss, ss}", "verified", result, "id", id, "when_s",
		(json_int_t)now_s, "host", host.nodename, "run", run_id ? run_id : "");
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text;
}

/* What this key said before. */
static void remove_older(
	struct store *store, const char *id, const char *own, struct store_names *names)
{
	const char *key = strrchr(own, '~');
	for (size_t i = 0; i < names->count; i++) {
		const char *object = names->items[i], *end = strrchr(object, '~');
		if (is_note(object) && strcmp(end, key) == 0 && strcmp(object, own) != 0)
			store->ops->remove_object(store, id, object, NULL);
	}
}

static int put_signature(
	struct store *store, const char *id, const char *object, int fd, struct fault *fault)
{
	CLEANUP_NAMES struct store_names names = {0};
	char hash[STORE_HASH_TEXT];
	off_t size = lseek(fd, 0, SEEK_END);
	int r = store->ops->put(store, id, object, fd, (uint64_t)size, hash, fault);
	if (r == -EEXIST) {
		fault_clear(fault); /* it was noted in this second */
		return 0;
	}
	if (r == 0)
		r = store->ops->sync(store, id, fault);
	if (r == 0 && store->ops->list(store, id, false, &names, NULL) == 0)
		remove_older(store, id, object, &names);
	return r;
}

int note_put(struct keys *keys, struct store *store, const char *id, const char *result,
	int64_t now_s, const char *run_id, struct fault *fault)
{
	CLEANUP_FD int sealed = seal_memory("manifest", fault);
	CLEANUP_FD int signature = -1;
	char hash[STORE_HASH_TEXT];
	if (!keys_signer(keys))
		return fault_set(fault, -ENOKEY, "set sign_key to the site's own key",
			"there is no key to sign it with");
	CLEANUP_FREE char *text = make_text(id, result, now_s, run_id);
	CLEANUP_FREE char *object =
		fault_format(PREFIX "%lld~%.16s", (long long)now_s, keys_signer(keys));
	if (sealed < 0 || !text)
		return -ENOMEM;
	int r = store->ops->get(
		store, id, VAULT_MANIFEST, sealed, MANIFEST_BYTES_MAX, NULL, hash, fault);
	if (r == 0)
		r = keys_sign(keys, sealed, text, &signature, fault);
	return r < 0 ? r : put_signature(store, id, object, signature, fault);
}

static bool read_text(const char *text, const char *id, struct ledger_mark *mark)
{
	json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *own = json_string_value(json_object_get(object, "id"));
	const char *result = json_string_value(json_object_get(object, "verified"));
	const char *host = json_string_value(json_object_get(object, "host"));
	const json_t *when = json_object_get(object, "when_s");
	bool good = own && strcmp(own, id) == 0 && result && ledger_result_valid(result) &&
		json_is_integer(when);
	if (good) {
		mark->when_s = json_integer_value(when);
		snprintf(mark->result, sizeof mark->result, "%s", result);
		snprintf(mark->host, sizeof mark->host, "%s", host ? host : "");
	}
	json_decref(object);
	return good;
}

/* What cannot be believed says nothing. */
static bool read_note(struct keys *keys, struct store *store, const char *id, const char *object,
	int sealed, struct ledger_mark *mark)
{
	CLEANUP_FAULT struct fault why = {0};
	CLEANUP_FD int signature = seal_memory("note", NULL);
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *signer = NULL;
	char hash[STORE_HASH_TEXT];
	if (signature < 0 ||
		store->ops->get(store, id, object, signature, NOTE_BYTES_MAX, NULL, hash, &why) < 0)
		return false;
	if (keys_verify(keys, KEYS_VERIFIERS, sealed, signature, &text, &signer, &why) == 0 &&
		read_text(text, id, mark))
		return true;
	upkeep_info(keys_ctx(keys), "the note \"%s\" of backup \"%s\" is not believed: %s", object,
		id, fault_what(&why));
	return false;
}

struct ledger_mark note_newest(
	struct keys *keys, struct store *store, const char *id, int sealed, struct ledger_mark mark)
{
	CLEANUP_NAMES struct store_names names = {0};
	int looked_at = 0;
	if (store->ops->list(store, id, false, &names, NULL) < 0)
		return mark;
	for (size_t i = names.count; i > 0 && looked_at < LOOKED_AT_MAX; i--) {
		const char *object = names.items[i - 1];
		struct ledger_mark other = {0};
		if (!is_note(object) || time_of(object) <= mark.when_s)
			continue;
		looked_at++;
		if (read_note(keys, store, id, object, sealed, &other) &&
			other.when_s > mark.when_s)
			return other;
	}
	return mark;
}
