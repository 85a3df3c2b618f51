/* SPDX-License-Identifier: MIT */
#include "pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/cleanup.h"
#include "support/copy.h"

#define BUFFER_BYTES 262144

/* What one direction needs. */
struct pack {
	struct archive *archive;
	EVP_MD_CTX *hash;
	char *buffer;
	uint64_t bytes;
};

const char *pack_suffix(const char *format)
{
	return strcmp(format, "gzip") == 0 ? ".gz" : ".zst";
}

int pack_is_packed(const char *name)
{
	static const char *const endings[] = {
		".gz", ".zst", ".xz", ".bz2", ".lz4", ".lzma", ".lzo", ".zip", ".Z", ".7z", ".br"};
	size_t n = strlen(name);
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		size_t k = strlen(endings[i]);
		if (n > k && strcmp(name + n - k, endings[i]) == 0)
			return 1;
	}
	return 0;
}

static void pack_free(struct pack *p)
{
	archive_free(p->archive);
	EVP_MD_CTX_free(p->hash);
	free(p->buffer);
}
#define CLEANUP_PACK __attribute__((cleanup(pack_free)))

static int pack_init(struct pack *p, struct archive *archive)
{
	*p = (struct pack){
		.archive = archive, .hash = EVP_MD_CTX_new(), .buffer = malloc(BUFFER_BYTES)};
	if (!p->archive || !p->hash || !p->buffer)
		return -ENOMEM;
	return EVP_DigestInit_ex(p->hash, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

static int pack_take(struct pack *p, size_t size)
{
	p->bytes += size;
	return EVP_DigestUpdate(p->hash, p->buffer, size) == 1 ? 0 : -EIO;
}

static int pack_end(struct pack *p, char ret_hash[65], uint64_t *ret_bytes)
{
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	if (EVP_DigestFinal_ex(p->hash, bytes, &size) != 1)
		return -EIO;
	for (unsigned i = 0; i < 32; i++)
		snprintf(ret_hash + 2 * (size_t)i, 3, "%02x", bytes[i]);
	*ret_bytes = p->bytes;
	return 0;
}

static int archive_code(struct archive *a, int otherwise)
{
	int code = archive_errno(a);
	return code > 0 && code < 4096 ? -code : otherwise;
}

static int level_set(struct archive *a, int level)
{
	char text[16];
	if (level == 0)
		return 0;
	snprintf(text, sizeof text, "%d", level);
	return archive_write_set_filter_option(a, NULL, "compression-level", text) == ARCHIVE_OK
		? 0
		: -EINVAL;
}

static int writer_open(struct archive *a, int to_fd, const char *format, int level)
{
	int r = strcmp(format, "gzip") == 0 ? archive_write_add_filter_gzip(a)
					    : archive_write_add_filter_zstd(a);
	if (r != ARCHIVE_OK || archive_write_set_format_raw(a) != ARCHIVE_OK)
		return -ENOSYS;
	archive_write_set_bytes_per_block(a, BUFFER_BYTES);
	archive_write_set_bytes_in_last_block(a, 1);
	r = level_set(a, level);
	if (r < 0)
		return r;
	return archive_write_open_fd(a, to_fd) == ARCHIVE_OK ? 0 : archive_code(a, -EIO);
}

static int header_write(struct archive *a)
{
	struct archive_entry *entry = archive_entry_new();
	if (!entry)
		return -ENOMEM;
	archive_entry_set_pathname(entry, "data");
	archive_entry_set_filetype(entry, AE_IFREG);
	int r = archive_write_header(a, entry);
	archive_entry_free(entry);
	return r == ARCHIVE_OK ? 0 : archive_code(a, -EIO);
}

static int data_pack(struct pack *p, int from_fd, int cancel_fd)
{
	for (;;) {
		if (copy_cancelled(cancel_fd))
			return -ECANCELED;
		ssize_t n = pread(from_fd, p->buffer, BUFFER_BYTES, (off_t)p->bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (archive_write_data(p->archive, p->buffer, (size_t)n) != n)
			return archive_code(p->archive, -EIO);
		int r = pack_take(p, (size_t)n);
		if (r < 0)
			return r;
	}
}

int pack_write(int from_fd, int to_fd, const char *format, int level, int cancel_fd,
	char ret_hash[65], uint64_t *ret_bytes)
{
	CLEANUP_PACK struct pack p;
	int r = pack_init(&p, archive_write_new());
	if (r == 0)
		r = writer_open(p.archive, to_fd, format, level);
	if (r == 0)
		r = header_write(p.archive);
	if (r == 0)
		r = data_pack(&p, from_fd, cancel_fd);
	if (r == 0 && archive_write_close(p.archive) != ARCHIVE_OK)
		r = archive_code(p.archive, -EIO);
	return r < 0 ? r : pack_end(&p, ret_hash, ret_bytes);
}

static int reader_open(struct archive *a, int from_fd)
{
	struct archive_entry *entry;
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_format_raw(a);
	archive_read_support_format_empty(a);
	if (lseek(from_fd, 0, SEEK_SET) < 0)
		return -errno;
	if (archive_read_open_fd(a, from_fd, BUFFER_BYTES) != ARCHIVE_OK)
		return archive_code(a, -EBADMSG);
	int r = archive_read_next_header(a, &entry);
	return r == ARCHIVE_OK || r == ARCHIVE_EOF ? 0 : -EBADMSG;
}

static int data_unpack(struct pack *p, int to_fd, int cancel_fd)
{
	for (;;) {
		if (copy_cancelled(cancel_fd))
			return -ECANCELED;
		ssize_t n = archive_read_data(p->archive, p->buffer, BUFFER_BYTES);
		if (n == 0)
			return 0;
		if (n < 0)
			return -EBADMSG;
		int r = to_fd < 0 ? 0 : copy_write_at(to_fd, p->buffer, (size_t)n, p->bytes);
		if (r == 0)
			r = pack_take(p, (size_t)n);
		if (r < 0)
			return r;
	}
}

int pack_read(int from_fd, int to_fd, int cancel_fd, char ret_hash[65], uint64_t *ret_bytes)
{
	CLEANUP_PACK struct pack p;
	int r = pack_init(&p, archive_read_new());
	if (r == 0)
		r = reader_open(p.archive, from_fd);
	if (r == 0)
		r = data_unpack(&p, to_fd, cancel_fd);
	return r < 0 ? r : pack_end(&p, ret_hash, ret_bytes);
}
