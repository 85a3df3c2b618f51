/* SPDX-License-Identifier: MIT */
#include "catalog/cache.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "model/describe_bytes.h"

#include <fcntl.h>
#include <string.h>

#define CACHE_MAX (8u << 20)

/* The first line of a cache file: the plugin's file as it was. */
static void add_key(struct text *key, const struct stat *st)
{
	text_addf(key, "%llu %llu %lld %lld.%09ld %lld.%09ld\n", (unsigned long long)st->st_dev,
		(unsigned long long)st->st_ino, (long long)st->st_size,
		(long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec,
		st->st_ctim.tv_nsec);
}

static bool is_ours(int fd, size_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_mode & 022 ||
		st.st_size > (off_t)CACHE_MAX)
		return false;
	*ret_size = (size_t)st.st_size;
	return st.st_uid == geteuid() || st.st_uid == 0;
}

int cache_read(const char *dir, const char *name, const struct stat *plugin, struct arena *arena,
	struct plugin_description *ret)
{
	CLEANUP_TEXT struct text path = {0}, key = {0};
	CLEANUP_ERROR struct error ignored = {0};
	size_t size;

	text_addf(&path, "%s/%s.desc", dir, name);
	CLEANUP_FD int fd =
		open(text_string(&path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || !is_ours(fd, &size))
		return -ENOENT;
	CLEANUP_FREE char *bytes = base_alloc(size + 1);
	add_key(&key, plugin);
	if (file_read(fd, bytes, size) != (ssize_t)size || size < key.size ||
		memcmp(bytes, key.bytes, key.size) != 0)
		return -ENOENT;
	return description_read(bytes + key.size, size - key.size, arena, ret, &ignored) < 0
		? -ENOENT
		: 0;
}

void cache_write(const char *dir, const char *name, const struct stat *plugin,
	const struct text *description)
{
	CLEANUP_TEXT struct text path = {0}, bytes = {0};

	if (file_make_dirs(dir, 0700, NULL) < 0 || !file_is_safe_dir(dir, NULL))
		return;
	text_addf(&path, "%s/%s.desc", dir, name);
	add_key(&bytes, plugin);
	text_add(&bytes, description->bytes, description->size);
	file_store(text_string(&path), bytes.bytes, bytes.size, 0600, false, NULL);
}
