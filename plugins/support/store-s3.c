/* SPDX-License-Identifier: MIT */
#include "support/store-s3.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/store-s3-lock.h"
#include "support/write.h"

/* What is larger is uploaded in parts; so much of the rest goes in one request, which is whole
 * or not by itself. */
#define WHOLE_MAX ((uint64_t)64 << 20)
#define PART_SIZE ((uint64_t)16 << 20)
#define HASH_HEADER "x-amz-meta-sha256"
#define AGAIN_MS 1000

struct remote {
	struct store store;
	struct s3_credentials *credentials;
	struct s3 *s3;
	struct s3 *steady;  /* goes on when the task is stopped: for what must not be left */
	char *prefix;       /* of keys: "" or "a/b/" */
	bool unconditional; /* the server does not know if-none-match */
	struct store_s3_lock lock;
};

static struct remote *remote_of(struct store *store)
{
	return (struct remote *)store;
}

static char *key_of(const struct remote *remote, const char *group, const char *name)
{
	return fault_format("%s%s/%s", remote->prefix, group, name);
}

static int failed(const struct remote *remote, int r, struct fault *fault)
{
	if (r < 0)
		fault_prefix(fault, "store \"%s\"", remote->store.name);
	return r;
}

/* ---- put ----------------------------------------------------------------------------- */

static int hash_of(int fd, uint64_t size, char ret[STORE_HASH_TEXT], struct fault *fault)
{
	const size_t room = (size_t)256 << 10;
	CLEANUP_FREE char *buffer = fault_alloc(room);
	struct store_hash *hash = store_hash_begin();
	uint64_t done = 0;
	ssize_t n;
	while ((n = pread(fd, buffer, room, (off_t)done)) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		store_hash_add(hash, buffer, (size_t)n);
		done += (uint64_t)n;
	}
	int r = n < 0 ? -errno : done == size ? 0 : -EIO;
	store_hash_end(&hash, ret);
	return r < 0 ? fault_set(fault, r, NULL, "cannot read what is to be stored: %s",
			       done == size ? strerror(-r) : "it has another size")
		     : 0;
}

struct upload {
	struct remote *remote;
	const char *key;
	int fd;
	uint64_t size;
	struct s3_put put;
	struct s3_part *parts;
	size_t count;
};

static int send_parts(struct upload *upload, const char *id, struct fault *fault)
{
	struct remote *remote = upload->remote;
	uint64_t least = upload->size / S3_PARTS_MAX + 1;
	uint64_t part_size = least > PART_SIZE ? least : PART_SIZE;
	int r = 0;
	for (uint64_t at = 0; r == 0 && at < upload->size; at += part_size) {
		uint64_t left = upload->size - at;
		const struct http_body body = {.fd = upload->fd,
			.offset = at,
			.size = left < part_size ? left : part_size};
		unsigned number = (unsigned)upload->count + 1;
		upload->parts = fault_resize(upload->parts, number, sizeof *upload->parts);
		r = store_s3_lock_keep(&remote->lock, remote->s3, fault);
		if (r == 0)
			r = s3_upload_part(remote->s3, upload->key, id, number, &body, NULL,
				&upload->parts[upload->count], fault);
		upload->count += r == 0;
	}
	return r;
}

/* Nothing of it is visible before the last request; what fails is taken back. */
static int put_parts(struct upload *upload, struct fault *fault)
{
	struct s3 *s3 = upload->remote->s3;
	CLEANUP_FREE char *id = NULL;
	int r = s3_upload_begin(s3, upload->key, &upload->put, &id, fault);
	if (r < 0)
		return r;
	r = send_parts(upload, id, fault);
	if (r == 0)
		r = s3_upload_complete(s3, upload->key, id, upload->parts, upload->count,
			&upload->put, NULL, fault);
	s3_parts_free(upload->parts, upload->count);
	upload->parts = NULL;
	upload->count = 0;
	if (r < 0)
		s3_upload_abort(upload->remote->steady, upload->key, id, NULL);
	return r;
}

static int put_once(struct upload *upload, const char *hash, struct fault *fault)
{
	const struct http_body body = {.fd = upload->fd, .size = upload->size};
	return upload->size > WHOLE_MAX
		? put_parts(upload, fault)
		: s3_put(upload->remote->s3, upload->key, &body, hash, &upload->put, NULL, fault);
}

/* After an answer that was lost: is what is there what was sent?  Who cannot look is the only one
 * that writes in its group. */
static bool is_ours(struct upload *upload, const char *hash)
{
	CLEANUP_OBJECT struct s3_object there = {0};
	int r = s3_head(upload->remote->s3, upload->key, NULL, &there, NULL);
	const char *its = r == 0 ? s3_object_header(&there, HASH_HEADER) : NULL;
	return r == -EACCES || (its && strcmp(its, hash) == 0);
}

/* -EEXIST; 0 also where we may not look: the server is asked to refuse then. */
static int check_new(struct upload *upload, struct fault *fault)
{
	int r = s3_head(upload->remote->s3, upload->key, NULL, NULL, fault);
	if (r == 0)
		return fault_set(fault, -EEXIST, NULL, "there is a \"%s\"", upload->key);
	return r == -ENOENT || r == -EACCES ? 0 : r;
}

/* The condition makes it safe; but Swift refuses it, and Ceph RGW ignores it for parts. */
static int put_new(struct upload *upload, const char *hash, struct fault *fault)
{
	struct remote *remote = upload->remote;
	unsigned before = s3_retries(remote->s3);
	int r = 0;
	upload->put.if_none_match = !remote->unconditional;
	if (remote->unconditional || upload->size > WHOLE_MAX)
		r = check_new(upload, fault);
	if (r == 0)
		r = put_once(upload, hash, fault);
	if (r == -EOPNOTSUPP && !remote->unconditional) {
		remote->unconditional = true;
		return put_new(upload, hash, fault);
	}
	if (r == -EEXIST && s3_retries(remote->s3) != before && is_ours(upload, hash))
		r = 0;
	if (r == 0 && fault)
		fault_clear(fault);
	return r;
}

static int remote_put(struct store *store, const char *group, const char *name, int fd,
	uint64_t size, char ret_hash[STORE_HASH_TEXT], struct fault *fault)
{
	struct remote *remote = remote_of(store);
	CLEANUP_FREE char *key = key_of(remote, group, name);
	int r = hash_of(fd, size, ret_hash, fault);
	if (r == 0)
		r = store_s3_lock_keep(&remote->lock, remote->s3, fault);
	CLEANUP_FREE char *header = fault_format(HASH_HEADER ": %s", r == 0 ? ret_hash : "");
	const char *const headers[] = {header};
	struct upload upload = {.remote = remote,
		.key = key,
		.fd = fd,
		.size = size,
		.put = {.headers = headers, .header_count = 1}};
	if (r == 0)
		r = put_new(&upload, ret_hash, fault);
	return failed(remote, r, fault);
}

/* ---- get ------------------------------------------------------------------------------ */

struct getting {
	int fd;
	struct store_hash *hash;
};

static int take_bytes(void *arg, const void *bytes, size_t size)
{
	struct getting *getting = arg;
	store_hash_add(getting->hash, bytes, size);
	return write_all(getting->fd, bytes, size);
}

static int remote_get(struct store *store, const char *group, const char *name, int fd,
	uint64_t limit, uint64_t *ret_size, char ret_hash[STORE_HASH_TEXT], struct fault *fault)
{
	struct remote *remote = remote_of(store);
	CLEANUP_FREE char *key = key_of(remote, group, name);
	CLEANUP_OBJECT struct s3_object object = {0};
	struct getting getting = {fd, store_hash_begin()};
	int r = store_s3_lock_keep(&remote->lock, remote->s3, fault);
	if (r == 0)
		r = s3_get(remote->s3, key, NULL, limit, take_bytes, &getting, &object, fault);
	store_hash_end(&getting.hash, ret_hash);
	if (ret_size)
		*ret_size = object.size;
	return failed(remote, r, fault);
}

static int remote_has(struct store *store, const char *group, const char *name, struct fault *fault)
{
	struct remote *remote = remote_of(store);
	CLEANUP_FREE char *key = key_of(remote, group, name);
	int r = store_s3_lock_keep(&remote->lock, remote->s3, fault);
	if (r == 0)
		r = s3_head(remote->s3, key, NULL, NULL, fault);
	if (r == -ENOENT && fault)
		fault_clear(fault);
	return r == -ENOENT ? 0 : r == 0 ? 1 : failed(remote, r, fault);
}

/* ---- list ------------------------------------------------------------------------------ */

struct listing {
	size_t skip; /* bytes of the keys that all share */
	bool groups;
	struct store_names *names;
};

static int add_name(void *arg, const struct s3_object *object)
{
	struct listing *listing = arg;
	struct store_names *names = listing->names;
	const char *key = strlen(object->key) > listing->skip ? object->key + listing->skip : "";
	size_t length = strcspn(key, "/");
	CLEANUP_FREE char *name = fault_format("%.*s", (int)length, key);
	if ((key[length] == '/') != listing->groups || !store_name_valid(name))
		return 0;
	names->items = fault_resize(names->items, names->count + 1, sizeof *names->items);
	if (!listing->groups) {
		names->sizes = fault_resize(names->sizes, names->count + 1, sizeof *names->sizes);
		names->sizes[names->count] = object->size;
	}
	names->items[names->count++] = TAKE_PTR(name);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int remote_list(struct store *store, const char *group, bool groups, struct store_names *ret,
	struct fault *fault)
{
	struct remote *remote = remote_of(store);
	CLEANUP_FREE char *prefix =
		fault_format("%s%s%s", remote->prefix, group, *group ? "/" : "");
	struct listing listing = {strlen(prefix), groups, ret};
	*ret = (struct store_names){0};
	int r = store_s3_lock_keep(&remote->lock, remote->s3, fault);
	if (r == 0)
		r = s3_list(remote->s3, prefix, "/", add_name, &listing, fault);
	/* objects come in this order; groups with the slash behind them do not */
	if (r == 0 && groups && ret->count)
		qsort(ret->items, ret->count, sizeof *ret->items, compare_names);
	if (r < 0)
		store_names_free(ret);
	return failed(remote, r, fault);
}

/* ---- remove ----------------------------------------------------------------------------- */

static int delete_names(struct remote *remote, const char *group, const struct store_names *names,
	struct fault *fault)
{
	struct s3_doomed *doomed = fault_alloc((names->count + 1) * sizeof *doomed);
	char **keys = fault_alloc((names->count + 1) * sizeof *keys);
	for (size_t i = 0; i < names->count; i++)
		doomed[i].key = keys[i] = key_of(remote, group, names->items[i]);
	int r = s3_delete_many(remote->s3, doomed, names->count, fault);
	for (size_t i = 0; i < names->count; i++) {
		if (r == 0 && doomed[i].result < 0)
			r = fault_set(fault, doomed[i].result, NULL, "cannot remove \"%s\": %s",
				keys[i], doomed[i].why ? doomed[i].why : "it is not answered for");
		free(doomed[i].why);
		free(keys[i]);
	}
	free(doomed);
	free(keys);
	return r;
}

static int remote_remove(struct store *store, const char *group, struct fault *fault)
{
	struct remote *remote = remote_of(store);
	CLEANUP_NAMES struct store_names names = {0};
	int r = remote_list(store, group, false, &names, fault);
	return r < 0 || !names.count
		? r
		: failed(remote, delete_names(remote, group, &names, fault), fault);
}

static int remote_remove_object(
	struct store *store, const char *group, const char *name, struct fault *fault)
{
	struct remote *remote = remote_of(store);
	CLEANUP_FREE char *key = key_of(remote, group, name);
	int r = store_s3_lock_keep(&remote->lock, remote->s3, fault);
	if (r == 0)
		r = s3_delete(remote->s3, key, NULL, fault);
	return failed(remote, r, fault);
}

/* ---- hold -------------------------------------------------------------------------------- */

struct orphans {
	const char *prefix;
	char **keys, **ids;
	size_t count;
};

/* "20261123T040000Z-.../NAME": a store may have its bucket, or all of it below its prefix,
 * together with others that upload. */
static bool is_of_backup(const char *key)
{
	static const char stamp[] = "ddddddddTddddddZ-";
	for (size_t i = 0; stamp[i]; i++)
		if (stamp[i] == 'd' ? !isdigit((unsigned char)key[i]) : key[i] != stamp[i])
			return false;
	const char *slash = strchr(key, '/');
	return slash && store_name_valid(slash + 1);
}

static int add_orphan(void *arg, const struct s3_upload *upload)
{
	struct orphans *orphans = arg;
	size_t length = strlen(orphans->prefix);
	if (strncmp(upload->key, orphans->prefix, length) != 0 ||
		!is_of_backup(upload->key + length))
		return 0;
	orphans->keys = fault_resize(orphans->keys, orphans->count + 1, sizeof *orphans->keys);
	orphans->ids = fault_resize(orphans->ids, orphans->count + 1, sizeof *orphans->ids);
	orphans->keys[orphans->count] = fault_format("%s", upload->key);
	orphans->ids[orphans->count++] = fault_format("%s", upload->upload);
	return 0;
}

/* What killed tasks began to upload; nobody uploads while the store is held alone. */
static void abort_orphans(struct remote *remote)
{
	struct orphans orphans = {.prefix = remote->prefix};
	s3_uploads(remote->s3, remote->prefix, add_orphan, &orphans, NULL);
	for (size_t i = 0; i < orphans.count; i++) {
		s3_upload_abort(remote->s3, orphans.keys[i], orphans.ids[i], NULL);
		free(orphans.keys[i]);
		free(orphans.ids[i]);
	}
	free(orphans.keys);
	free(orphans.ids);
}

static int remote_hold(struct store *store, bool alone, const char *who, struct fault *fault)
{
	struct remote *remote = remote_of(store);
	store_s3_lock_release(&remote->lock, remote->steady);
	int r = store_s3_lock_take(&remote->lock, remote->s3, alone, who, store->name, fault);
	if (r < 0)
		store_s3_lock_release(&remote->lock, remote->steady);
	else if (alone)
		abort_orphans(remote);
	return r == -EBUSY ? r : failed(remote, r, fault);
}

/* What was answered for is durable; but where the lock was taken away, it may be gone. */
static int remote_sync(struct store *store, const char *group, struct fault *fault)
{
	struct remote *remote = remote_of(store);
	(void)group;
	return failed(remote, store_s3_lock_check(&remote->lock, remote->s3, fault), fault);
}

static int remote_identity(struct store *store, uint64_t *ret_dev, uint64_t *ret_ino)
{
	(void)store;
	(void)ret_dev;
	(void)ret_ino;
	return -ENOENT;
}

static void remote_close(struct store *store)
{
	struct remote *remote = remote_of(store);
	if (remote->steady)
		store_s3_lock_release(&remote->lock, remote->steady);
	s3_close(&remote->steady);
	s3_close(&remote->s3);
	s3_credentials_close(&remote->credentials);
	free(remote->prefix);
	free(remote);
}

static const struct store_ops remote_ops = {
	.put = remote_put,
	.get = remote_get,
	.sync = remote_sync,
	.list = remote_list,
	.remove = remote_remove,
	.remove_object = remote_remove_object,
	.has = remote_has,
	.hold = remote_hold,
	.identity = remote_identity,
	.close = remote_close,
};

/* ---- open --------------------------------------------------------------------------------- */

/* "s3://bucket/a/b": the bucket, and "a/b/". */
static int split_url(const char *url, char **ret_bucket, char **ret_prefix, struct fault *fault)
{
	static const char scheme[] = "s3://";
	const char *bucket = url + strlen(scheme);
	if (strncmp(url, scheme, strlen(scheme)) != 0)
		return fault_set(fault, -EINVAL, "write s3://BUCKET/PREFIX",
			"\"%s\" is no place in a bucket", url);
	size_t length = strcspn(bucket, "/");
	CLEANUP_FREE char *path = fault_format("%s", bucket + length);
	CLEANUP_FREE char *prefix = fault_format("%s", "");
	for (char *save = NULL, *part = strtok_r(path, "/", &save); part;
		part = strtok_r(NULL, "/", &save)) {
		if (!store_name_valid(part))
			return fault_set(fault, -EINVAL, NULL,
				"\"%s\" in \"%s\" may have letters, digits, dot, dash, underscore "
				"and tilde",
				part, url);
		char *longer = fault_format("%s%s/", prefix, part);
		free(prefix);
		prefix = longer;
	}
	*ret_bucket = fault_format("%.*s", (int)length, bucket);
	*ret_prefix = TAKE_PTR(prefix);
	return 0;
}

static int open_clients(struct remote *remote, const char *bucket,
	const struct store_s3_settings *settings, struct fault *fault)
{
	const struct s3_credentials_settings keys = {.access_key = settings->access_key,
		.secret_key = settings->secret_key,
		.session_token = settings->session_token,
		.profile = settings->profile,
		.ca_file = settings->ca_file,
		.cancel_fd = settings->cancel_fd};
	struct s3_settings s3 = {.endpoint = settings->endpoint,
		.region = settings->region,
		.bucket = bucket,
		.attempts = settings->attempts,
		.ca_file = settings->ca_file,
		.cancel_fd = settings->cancel_fd,
		.note = settings->note,
		.note_arg = settings->note_arg};
	int r = s3_credentials_open(&remote->credentials, &keys, fault);
	if (r == 0)
		r = s3_open(&remote->s3, &s3, remote->credentials, fault);
	s3.cancel_fd = -1;
	s3.attempts = 2;
	s3.connect_timeout_ms = 2000;
	s3.stall_timeout_ms = 5000;
	s3.note = NULL;
	return r < 0 ? r : s3_open(&remote->steady, &s3, remote->credentials, fault);
}

static int again_ms(void)
{
	uint16_t random = 0;
	ssize_t n = getrandom(&random, sizeof random, 0);
	return AGAIN_MS + (n > 0 ? random % AGAIN_MS : 0);
}

int store_open_s3(struct store **ret, const char *name, const struct store_s3_settings *settings,
	struct fault *fault)
{
	CLEANUP_FREE char *bucket = NULL;
	struct remote *remote = fault_alloc(sizeof *remote);
	struct store *store = &remote->store;
	*store = (struct store){&remote_ops, fault_format("%s", name),
		fault_format("%s", settings->url), again_ms()};
	int r = split_url(settings->url, &bucket, &remote->prefix, fault);
	if (r == 0)
		r = open_clients(remote, bucket, settings, fault);
	remote->lock.prefix = remote->prefix;
	if (r < 0) {
		failed(remote, r, fault);
		store_close(&store);
		return r;
	}
	*ret = store;
	return 0;
}
