/* SPDX-License-Identifier: MIT */
#include "backup/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/ledger.h"
#include "backup/manifest.h"
#include "backup/seal.h"
#include "backup/tree.h"
#include "support/cleanup.h"

/* It need not be backed up itself. */
static void mark_as_cache(const char *path)
{
	static const char mark[] = TREE_CACHE_MARK "\n";
	CLEANUP_FREE char *file = fault_format("%s/CACHEDIR.TAG", path);
	CLEANUP_FD int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)!write(fd, mark, sizeof mark - 1);
}

int memory_open(struct memory *memory, const struct settings *settings, const struct store *of,
	struct fault *fault)
{
	CLEANUP_FREE char *path = fault_format("%s/memory", settings->keyring);
	(void)mkdir(settings->keyring, 0700); /* that it failed is told by what follows */
	memory->group = ledger_group(of);
	int r = store_open_local(&memory->store, "memory", path, true, fault);
	if (r == 0)
		mark_as_cache(path);
	return r;
}

void memory_close(struct memory *memory)
{
	store_close(&memory->store);
	free(memory->group);
	*memory = (struct memory){0};
}

/* The id of an object of that kind (NULL: of any) about a backup of that name; the caller frees
 * it.  NULL: it is none. */
static char *id_of(const char *object, const char *name, const char *kind)
{
	const char *mark = strchr(object, '~');
	if (!mark || (kind && strncmp(mark + 1, kind, strlen(kind)) != 0))
		return NULL;
	char *id = fault_format("%.*s", (int)(mark - object), object);
	if (manifest_id_valid(id, name))
		return id;
	free(id);
	return NULL;
}

int memory_list(struct memory *memory, const char *name, const char *kind, struct store_names *ret,
	struct fault *fault)
{
	CLEANUP_NAMES struct store_names names = {0};
	*ret = (struct store_names){0};
	int r = memory->store->ops->list(memory->store, memory->group, false, &names, fault);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		char *id = id_of(names.items[i], name, kind);
		if (!id || (ret->count && strcmp(ret->items[ret->count - 1], id) == 0)) {
			free(id);
			continue;
		}
		ret->items = fault_resize(ret->items, ret->count + 1, sizeof *ret->items);
		ret->items[ret->count++] = id;
	}
	return r;
}

static int put(struct memory *memory, const char *object, int fd, struct fault *fault)
{
	char hash[STORE_HASH_TEXT];
	off_t size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return fault_set(fault, -errno, NULL, "cannot measure \"%s\": %m", object);
	return memory->store->ops->put(
		memory->store, memory->group, object, fd, (uint64_t)size, hash, fault);
}

static int get(
	struct memory *memory, const char *object, int *ret_fd, char ret_hash[STORE_HASH_TEXT])
{
	CLEANUP_FD int fd = seal_memory("remembered", NULL);
	if (fd < 0)
		return fd;
	int r = memory->store->ops->get(
		memory->store, memory->group, object, fd, MANIFEST_BYTES_MAX, NULL, ret_hash, NULL);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

int memory_put_part(struct memory *memory, const char *id, uint32_t pack, int fd)
{
	CLEANUP_FREE char *object = fault_format("%s~" MEMORY_PART "~%05u", id, pack);
	return put(memory, object, fd, NULL);
}

int memory_get_part(struct memory *memory, const char *id, uint32_t pack, int *ret_fd)
{
	char hash[STORE_HASH_TEXT];
	CLEANUP_FREE char *object = fault_format("%s~" MEMORY_PART "~%05u", id, pack);
	return get(memory, object, ret_fd, hash);
}

int memory_get_whole(
	struct memory *memory, const char *id, int *ret_fd, char ret_hash[STORE_HASH_TEXT])
{
	CLEANUP_FREE char *object = fault_format("%s~" MEMORY_WHOLE, id);
	return get(memory, object, ret_fd, ret_hash);
}

int memory_keep(
	struct memory *memory, const char *id, const char *name, int fd, struct fault *fault)
{
	CLEANUP_NAMES struct store_names names = {0};
	CLEANUP_FREE char *object = fault_format("%s~" MEMORY_WHOLE, id);
	int r = put(memory, object, fd, fault);
	if (r == 0)
		r = memory->store->ops->sync(memory->store, memory->group, fault);
	if (r == 0)
		r = memory->store->ops->list(memory->store, memory->group, false, &names, fault);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		CLEANUP_FREE char *of = id_of(names.items[i], name, NULL);
		if (of && strcmp(names.items[i], object) != 0)
			r = memory->store->ops->remove_object(
				memory->store, memory->group, names.items[i], fault);
	}
	return r;
}
