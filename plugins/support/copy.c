/* SPDX-License-Identifier: MIT */
#include "support/copy.h"

#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "support/cleanup.h"

#define BUFFER_BYTES 262144
#define HOLE_BYTES 4096

static void hash_free(EVP_MD_CTX **hash)
{
	EVP_MD_CTX_free(*hash);
}
#define CLEANUP_HASH __attribute__((cleanup(hash_free)))

static EVP_MD_CTX *hash_new(void)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	if (hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1)
		return hash;
	EVP_MD_CTX_free(hash);
	return NULL;
}

static int hash_end(EVP_MD_CTX *hash, char text[COPY_HASH_TEXT])
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	if (EVP_DigestFinal_ex(hash, bytes, &size) != 1 || size != COPY_HASH_BYTES)
		return -EIO;
	for (unsigned i = 0; i < size; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", bytes[i]);
	return 0;
}

int copy_cancelled(int cancel_fd)
{
	struct pollfd p = {.fd = cancel_fd, .events = POLLIN};
	return cancel_fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLIN | POLLHUP));
}

static ssize_t read_at(int fd, void *buffer, size_t size, uint64_t offset)
{
	ssize_t n;
	do
		n = pread(fd, buffer, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int copy_write_at(int fd, const void *bytes, size_t size, uint64_t offset)
{
	const char *at = bytes;
	while (size > 0) {
		ssize_t n = pwrite(fd, at, size, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static size_t piece(uint64_t length, uint64_t done)
{
	return length - done < BUFFER_BYTES ? (size_t)(length - done) : BUFFER_BYTES;
}

int copy_hash(int fd, uint64_t offset, uint64_t length, char ret_text[COPY_HASH_TEXT])
{
	CLEANUP_FREE char *buffer = malloc(BUFFER_BYTES);
	CLEANUP_HASH EVP_MD_CTX *hash = hash_new();
	uint64_t done = 0;
	if (!buffer || !hash)
		return -ENOMEM;
	while (done < length) {
		ssize_t n = read_at(fd, buffer, piece(length, done), offset + done);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		if (EVP_DigestUpdate(hash, buffer, (size_t)n) != 1)
			return -EIO;
		done += (uint64_t)n;
	}
	if (length != UINT64_MAX && done != length)
		return -EIO;
	return hash_end(hash, ret_text);
}

static int is_zero(const char *bytes, size_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static int write_sparse(int fd, const char *bytes, size_t size, uint64_t offset)
{
	for (size_t at = 0; at < size; at += HOLE_BYTES) {
		size_t n = size - at < HOLE_BYTES ? size - at : HOLE_BYTES;
		if (is_zero(bytes + at, n))
			continue;
		int r = copy_write_at(fd, bytes + at, n, offset + at);
		if (r < 0)
			return r;
	}
	return 0;
}

int copy_bytes(int from_fd, int to_fd, uint64_t length, int cancel_fd,
	char ret_hash[COPY_HASH_TEXT], uint64_t *ret_bytes)
{
	CLEANUP_FREE char *buffer = malloc(BUFFER_BYTES);
	CLEANUP_HASH EVP_MD_CTX *hash = hash_new();
	uint64_t done = 0;
	if (!buffer || !hash)
		return -ENOMEM;
	while (done < length) {
		if (copy_cancelled(cancel_fd))
			return -ECANCELED;
		ssize_t n = read_at(from_fd, buffer, piece(length, done), done);
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		int r = write_sparse(to_fd, buffer, (size_t)n, done);
		if (r < 0)
			return r;
		if (EVP_DigestUpdate(hash, buffer, (size_t)n) != 1)
			return -EIO;
		done += (uint64_t)n;
	}
	if (length != UINT64_MAX && done != length)
		return -EIO;
	if (ftruncate(to_fd, (off_t)done) < 0)
		return -errno;
	*ret_bytes = done;
	return hash_end(hash, ret_hash);
}

static int attribute_copy(int from_fd, int to_fd, const char *name)
{
	ssize_t size = fgetxattr(from_fd, name, NULL, 0);
	if (size < 0)
		return 0;
	CLEANUP_FREE char *value = malloc((size_t)size + 1);
	if (!value)
		return -ENOMEM;
	size = fgetxattr(from_fd, name, value, (size_t)size);
	if (size >= 0 && fsetxattr(to_fd, name, value, (size_t)size, 0) < 0 && errno == ENOSPC)
		return -ENOSPC;
	return 0;
}

static int attributes_copy(int from_fd, int to_fd)
{
	ssize_t size = flistxattr(from_fd, NULL, 0);
	if (size <= 0)
		return 0;
	CLEANUP_FREE char *names = malloc((size_t)size);
	if (!names)
		return -ENOMEM;
	size = flistxattr(from_fd, names, (size_t)size);
	for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		int r = attribute_copy(from_fd, to_fd, name);
		if (r < 0)
			return r;
	}
	return 0;
}

int copy_metadata(int from_fd, int to_fd)
{
	struct stat from, to;
	if (fstat(from_fd, &from) < 0 || fstat(to_fd, &to) < 0)
		return -errno;
	if ((from.st_uid != to.st_uid || from.st_gid != to.st_gid) &&
		fchown(to_fd, from.st_uid, from.st_gid) < 0)
		return -errno;
	int r = attributes_copy(from_fd, to_fd);
	if (r < 0)
		return r;
	if (fchmod(to_fd, from.st_mode & 07777) < 0)
		return -errno;
	struct timespec times[2] = {from.st_atim, from.st_mtim};
	return futimens(to_fd, times) < 0 ? -errno : 0;
}
