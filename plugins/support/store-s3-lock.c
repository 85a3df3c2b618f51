/* SPDX-License-Identifier: MIT */
#include "support/store-s3-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "support/cleanup.h"
#include "support/moment.h"

#define LOCKS ".locks/"
#define ALONE "alone~"
#define SHARED "shared~"
#define STALE_S (6 * 3600)
#define ENDED "{\"ended\": true}"
#define REFRESH_S (5 * 60)
#define TEXT_MAX ((uint64_t)4096)

/* Time that goes on while the machine sleeps: others' clocks do. */
static int64_t now_s(void)
{
	struct timespec now = {0};
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* ---- who a holder is ------------------------------------------------------------ */

static char *read_line(const char *path)
{
	char text[64];
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	return fault_format("%.*s", (int)strcspn(text, "\n"), text);
}

/* Process numbers mean something only among the processes that see each other. */
static long long pid_space(void)
{
	struct stat st;
	return stat("/proc/self/ns/pid", &st) == 0 ? (long long)st.st_ino : 0;
}

/* The time of its start, in ticks since the boot; 0: there is no such process. */
static long long started(long long pid)
{
	char text[1024];
	unsigned long long ticks = 0;
	CLEANUP_FREE char *path = fault_format("/proc/%lld/stat", pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	/* the 22nd field; the name, the second one, may hold blanks and parentheses */
	char *at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, "%llu", &ticks) == 1 ? (long long)ticks : 0;
}

static char *lock_text(const char *who)
{
	struct utsname host = {0};
	CLEANUP_FREE char *boot = read_line("/proc/sys/kernel/random/boot_id");
	CLEANUP_FREE char *machine = read_line("/etc/machine-id");
	long long pid = getpid();
	uname(&host);
	json_t *object = json_pack("{ss, ss, ss, ss, sI, sI, sI, sI}", "who", who, "host",
		host.nodename, "machine", machine, "boot", boot, "pid_space",
		(json_int_t)pid_space(), "pid", (json_int_t)pid, "started",
		(json_int_t)started(pid), "since_s", (json_int_t)time(NULL));
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text ? text : fault_format("{}");
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* True where it ran on this machine and does no longer; what cannot be known is alive. */
static bool is_dead(const json_t *holder)
{
	struct utsname host = {0};
	CLEANUP_FREE char *boot = read_line("/proc/sys/kernel/random/boot_id");
	CLEANUP_FREE char *machine = read_line("/etc/machine-id");
	uname(&host);
	if (!*boot || !*text_of(holder, "boot"))
		return false;
	if (strcmp(boot, text_of(holder, "boot")) == 0)
		return number_of(holder, "pid_space") == pid_space() &&
			number_of(holder, "started") != started(number_of(holder, "pid"));
	return *machine && strcmp(machine, text_of(holder, "machine")) == 0 &&
		strcmp(host.nodename, text_of(holder, "host")) == 0;
}

/* ---- others ---------------------------------------------------------------------- */

struct others {
	const struct store_s3_lock *lock;
	char **keys;
	int64_t *modified_s;
	size_t count;
};

static int add_other(void *arg, const struct s3_object *object)
{
	struct others *others = arg;
	if (others->lock->key && strcmp(object->key, others->lock->key) == 0)
		return 0;
	size_t room = others->count + 1;
	others->keys = fault_resize(others->keys, room, sizeof *others->keys);
	others->modified_s = fault_resize(others->modified_s, room, sizeof *others->modified_s);
	others->keys[others->count] = fault_format("%s", object->key);
	others->modified_s[others->count++] = object->modified_s;
	return 0;
}

static void others_free(struct others *others)
{
	for (size_t i = 0; i < others->count; i++)
		free(others->keys[i]);
	free(others->keys);
	free(others->modified_s);
}

struct text {
	char bytes[TEXT_MAX + 1];
	size_t size;
};

static int add_text(void *arg, const void *bytes, size_t size)
{
	struct text *text = arg;
	if (size > TEXT_MAX - text->size)
		return -EFBIG;
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	return 0;
}

static int busy(struct s3 *s3, const char *key, const json_t *holder, int64_t modified_s,
	const char *store, struct fault *fault)
{
	const char *who = text_of(holder, "who"), *host = text_of(holder, "host");
	const char *place = s3_place(s3);
	char last[32], until[32];
	moment_format(modified_s, last);
	moment_format(modified_s ? modified_s + STALE_S : 0, until);
	CLEANUP_FREE char *next = fault_format(
		"try again when it has ended; if it is dead, remove the object %.*s/%s%s; without "
		"a further sign of life it counts until %s",
		(int)strcspn(place, " "), place, key, place + strcspn(place, " "),
		modified_s ? until : "it is removed");
	return fault_set(fault, -EBUSY, next,
		"the store \"%s\" is held by %s%s%s (process %lld), last sign of life %s, counts "
		"until %s",
		store, *who ? who : "something that cannot be read", *host ? " on " : "", host,
		number_of(holder, "pid"), modified_s ? last : "unknown",
		modified_s ? until : "it is removed");
}

/* 0 where the other lock no longer counts; it is gone then. */
static int judge(
	struct s3 *s3, const char *key, int64_t modified_s, const char *store, struct fault *fault)
{
	struct text text = {0};
	int r = s3_get(s3, key, NULL, TEXT_MAX, add_text, &text, NULL, fault);
	if (r == -ENOENT)
		return 0;
	if (r < 0 && r != -EACCES && r != -EFBIG)
		return r;
	json_t *holder = json_loadb(text.bytes, text.size, 0, NULL);
	int64_t age_s = time(NULL) - s3_clock_ahead_s(s3) - modified_s;
	bool over = (modified_s && age_s > STALE_S) || is_dead(holder) ||
		strcmp(text.bytes, ENDED) == 0;
	r = over ? s3_delete(s3, key, NULL, fault)
		 : busy(s3, key, holder, modified_s, store, fault);
	json_decref(holder);
	return r;
}

/* -EBUSY where there is another lock that does not go together with ours. */
static int look(const struct store_s3_lock *lock, struct s3 *s3, bool alone, const char *store,
	struct fault *fault)
{
	struct others others = {.lock = lock};
	CLEANUP_FREE char *prefix = fault_format("%s" LOCKS "%s", lock->prefix, alone ? "" : ALONE);
	int r = s3_list(s3, prefix, NULL, add_other, &others, fault);
	for (size_t i = 0; r == 0 && i < others.count; i++)
		r = judge(s3, others.keys[i], others.modified_s[i], store, fault);
	others_free(&others);
	return r;
}

/* ---- our own --------------------------------------------------------------------- */

static int put_lock(struct store_s3_lock *lock, struct s3 *s3, struct fault *fault)
{
	const struct http_body body = {.bytes = lock->text, .size = strlen(lock->text)};
	int r = s3_put(s3, lock->key, &body, NULL, NULL, NULL, fault);
	if (r == 0)
		lock->refreshed_s = now_s();
	return r;
}

static void forget(struct store_s3_lock *lock)
{
	free(lock->key);
	free(lock->text);
	lock->key = lock->text = NULL;
}

static char *lock_key(const char *prefix, bool alone)
{
	uint64_t random = 0;
	if (getrandom(&random, sizeof random, 0) < 0)
		random = (uint64_t)getpid();
	return fault_format(
		"%s" LOCKS "%s%016llx", prefix, alone ? ALONE : SHARED, (unsigned long long)random);
}

int store_s3_lock_take(struct store_s3_lock *lock, struct s3 *s3, bool alone, const char *who,
	const char *store, struct fault *fault)
{
	int r = look(lock, s3, alone, store, fault);
	bool blind = r == -EACCES && !alone;
	if (r < 0 && !blind)
		return r;
	lock->key = lock_key(lock->prefix, alone);
	lock->text = lock_text(who);
	r = put_lock(lock, s3, fault);
	if (r == -EACCES && !alone) {
		forget(lock);
		fault_clear(fault);
		return 0;
	}
	if (r == 0 && !blind)
		r = look(lock, s3, alone, store, fault);
	if (r == 0 && blind)
		fault_clear(fault);
	return r;
}

int store_s3_lock_check(const struct store_s3_lock *lock, struct s3 *s3, struct fault *fault)
{
	if (!lock->key)
		return 0;
	int r = s3_head(s3, lock->key, NULL, NULL, fault);
	if (r == -ENOENT)
		return fault_set(fault, -ESTALE, "run it again",
			"the lock \"%s\" (%s) was taken away: this task was held to be dead",
			lock->key, s3_place(s3));
	if (r == -EACCES && fault)
		fault_clear(fault);
	return r == -EACCES ? 0 : r;
}

int store_s3_lock_keep(struct store_s3_lock *lock, struct s3 *s3, struct fault *fault)
{
	if (!lock->key || now_s() - lock->refreshed_s < REFRESH_S)
		return 0;
	int r = store_s3_lock_check(lock, s3, fault);
	return r == 0 ? put_lock(lock, s3, fault) : r;
}

void store_s3_lock_release(struct store_s3_lock *lock, struct s3 *s3)
{
	const struct http_body ended = {.bytes = ENDED, .size = strlen(ENDED)};
	if (lock->key && s3_delete(s3, lock->key, NULL, NULL) == -EACCES)
		s3_put(s3, lock->key, &ended, NULL, NULL, NULL, NULL);
	forget(lock);
}
