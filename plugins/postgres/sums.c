/* SPDX-License-Identifier: MIT */
#include "postgres/sums.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "support/fault.h"

#define HASH_BYTES 32

void sums_begin(struct sums *sums)
{
	if (!sums->hash)
		sums->hash = EVP_MD_CTX_new();
	EVP_DigestInit_ex(sums->hash, EVP_sha256(), NULL);
}

void sums_add(struct sums *sums, const void *bytes, size_t size)
{
	EVP_DigestUpdate(sums->hash, bytes, size);
}

static void add_text(struct sums *sums, const char *text, size_t size)
{
	if (sums->size + size + 1 > sums->room) {
		sums->room = 2 * (sums->room + size + 1);
		sums->text = fault_resize(sums->text, sums->room, 1);
	}
	memcpy(sums->text + sums->size, text, size);
	sums->size += size;
	sums->text[sums->size] = 0;
}

void sums_end(struct sums *sums, const char *name)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	char hex[2 * HASH_BYTES + 1];
	EVP_DigestFinal_ex(sums->hash, hash, NULL);
	for (size_t i = 0; i < HASH_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	add_text(sums, hex, 2 * HASH_BYTES);
	add_text(sums, "  ", 2);
	add_text(sums, name, strlen(name));
	add_text(sums, "\n", 1);
}

char *sums_differ(const struct sums *sums, const char *text, size_t size)
{
	const char *ours = sums->text ? sums->text : "";
	size_t line = 0, common = size < sums->size ? size : sums->size;
	for (size_t i = 0; i < common && ours[i] == text[i]; i++) {
		if (i + 1 == sums->size && i + 1 == size)
			return NULL;
		if (ours[i] == '\n')
			line = i + 1;
	}
	const char *name = strchr(ours + line, ' ');
	return fault_format(
		"%.*s", name ? (int)strcspn(name + 2, "\n") : 10, name ? name + 2 : "SHA256SUMS");
}

void sums_free(struct sums *sums)
{
	EVP_MD_CTX_free(sums->hash);
	free(sums->text);
	*sums = (struct sums){0};
}
