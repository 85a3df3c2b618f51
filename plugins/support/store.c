/* SPDX-License-Identifier: MIT */
#include "support/store.h"
#include "support/write.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPY_CHUNK (256 * 1024)

struct store_hash {
	EVP_MD_CTX *md;
};

bool store_name_valid(const char *name)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-";
	size_t size = strlen(name);
	return size > 0 && size <= STORE_NAME_MAX && name[0] != '.' && strspn(name, plain) == size;
}

void store_close(struct store **store)
{
	if (!*store)
		return;
	char *name = (*store)->name, *place = (*store)->place;
	(*store)->ops->close(*store);
	free(name);
	free(place);
	*store = NULL;
}

void store_names_free(struct store_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	free(names->sizes);
	*names = (struct store_names){0};
}

struct store_hash *store_hash_begin(void)
{
	struct store_hash *hash = fault_alloc(sizeof *hash);
	hash->md = EVP_MD_CTX_new();
	if (!hash->md || EVP_DigestInit_ex(hash->md, EVP_sha256(), NULL) != 1)
		abort();
	return hash;
}

void store_hash_add(struct store_hash *hash, const void *bytes, size_t size)
{
	if (EVP_DigestUpdate(hash->md, bytes, size) != 1)
		abort();
}

void store_hash_end(struct store_hash **hash, char text[STORE_HASH_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[STORE_HASH_BYTES];
	if (!*hash)
		return;
	if (EVP_DigestFinal_ex((*hash)->md, bytes, NULL) != 1)
		abort();
	for (size_t i = 0; text && i < sizeof bytes; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	if (text)
		text[2 * sizeof bytes] = 0;
	EVP_MD_CTX_free((*hash)->md);
	free(*hash);
	*hash = NULL;
}

static int copy_chunks(
	int from, int to, uint64_t limit, struct store_hash *hash, char *chunk, uint64_t *size)
{
	for (;;) {
		ssize_t n = read(from, chunk, COPY_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if ((uint64_t)n > limit - *size)
			return -EFBIG;
		if (hash)
			store_hash_add(hash, chunk, (size_t)n);
		int r = write_all(to, chunk, (size_t)n);
		if (r < 0)
			return r;
		*size += (uint64_t)n;
	}
}

int store_copy(int from, int to, uint64_t limit, struct store_hash *hash, uint64_t *ret_size)
{
	char *chunk = fault_alloc(COPY_CHUNK);
	uint64_t size = 0;
	int r = copy_chunks(from, to, limit, hash, chunk, &size);
	free(chunk);
	if (ret_size)
		*ret_size = size;
	return r;
}
