/* SPDX-License-Identifier: MIT */
#include "backup/metadata.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ACL_ACCESS "system.posix_acl_access"
#define ACL_DEFAULT "system.posix_acl_default"
#define ACL_VERSION 2
/* the kernel's own limit of a list and of a value */
#define XATTR_BYTES_MAX 65536

/* The kernel's form of an ACL, little-endian. */
struct acl_item {
	uint16_t tag, perm;
	uint32_t id;
};
struct acl_map {
	uint16_t tag;
	int archive;
};
static const struct acl_map acl_tags[] = {
	{0x01, ARCHIVE_ENTRY_ACL_USER_OBJ},
	{0x02, ARCHIVE_ENTRY_ACL_USER},
	{0x04, ARCHIVE_ENTRY_ACL_GROUP_OBJ},
	{0x08, ARCHIVE_ENTRY_ACL_GROUP},
	{0x10, ARCHIVE_ENTRY_ACL_MASK},
	{0x20, ARCHIVE_ENTRY_ACL_OTHER},
};

/* The magic link leads to the inode itself, whatever it is, also for O_PATH. */
static void proc_path(int fd, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

static void read_acl(struct archive_entry *entry, int type, const char *value, size_t size)
{
	for (size_t at = 4; at + sizeof(struct acl_item) <= size; at += sizeof(struct acl_item)) {
		struct acl_item item;
		memcpy(&item, value + at, sizeof item);
		for (size_t i = 0; i < sizeof acl_tags / sizeof *acl_tags; i++)
			if (le16toh(item.tag) == acl_tags[i].tag)
				archive_entry_acl_add_entry(entry, type, le16toh(item.perm),
					acl_tags[i].archive, (int)le32toh(item.id), NULL);
	}
}

static void read_xattr(const char *path, const char *name, char *value, struct archive_entry *entry)
{
	ssize_t size = getxattr(path, name, value, XATTR_BYTES_MAX);
	if (size < 0)
		return;
	if (strcmp(name, ACL_ACCESS) == 0)
		read_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, value, (size_t)size);
	else if (strcmp(name, ACL_DEFAULT) == 0)
		read_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, value, (size_t)size);
	else
		archive_entry_xattr_add_entry(entry, name, value, (size_t)size);
}

static void read_xattrs(int fd, struct archive_entry *entry)
{
	char path[32], none[1];
	proc_path(fd, path);
	ssize_t size = listxattr(path, none, 0);
	if (size <= 0 || size > XATTR_BYTES_MAX)
		return;
	char *names = fault_alloc(XATTR_BYTES_MAX + 1), *value = fault_alloc(XATTR_BYTES_MAX);
	size = listxattr(path, names, XATTR_BYTES_MAX);
	for (char *name = names; name < names + size; name += strlen(name) + 1)
		read_xattr(path, name, value, entry);
	free(names);
	free(value);
}

void metadata_read(int fd, const struct stat *st, struct archive_entry *entry)
{
	archive_entry_set_mode(entry, st->st_mode);
	archive_entry_set_uid(entry, st->st_uid);
	archive_entry_set_gid(entry, st->st_gid);
	archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		archive_entry_set_rdev(entry, st->st_rdev);
	read_xattrs(fd, entry);
}

static bool write_item(char *value, size_t *size, int tag, int perm, int id)
{
	struct acl_item item = {0};
	for (size_t i = 0; i < sizeof acl_tags / sizeof *acl_tags; i++)
		if (acl_tags[i].archive == tag)
			item.tag = htole16(acl_tags[i].tag);
	bool named = tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;
	item.perm = htole16((uint16_t)(perm & 7));
	item.id = htole32(named ? (uint32_t)id : UINT32_MAX);
	if (!item.tag || *size + sizeof item > XATTR_BYTES_MAX)
		return false;
	memcpy(value + *size, &item, sizeof item);
	*size += sizeof item;
	return true;
}

/* The kernel wants the items by tag. */
static int compare_items(const void *a, const void *b)
{
	const struct acl_item *x = a, *y = b;
	if (x->tag != y->tag)
		return le16toh(x->tag) < le16toh(y->tag) ? -1 : 1;
	return le32toh(x->id) < le32toh(y->id) ? -1 : le32toh(x->id) > le32toh(y->id);
}

static int apply_acl(const char *path, struct archive_entry *entry, int type, const char *name)
{
	int count = archive_entry_acl_reset(entry, type);
	if (count <= (type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS ? 3 : 0))
		return 0;
	char *value = fault_alloc(XATTR_BYTES_MAX);
	uint32_t version = htole32(ACL_VERSION);
	size_t size = sizeof version;
	int found, perm, tag, id;
	const char *who;
	bool fits = true;
	memcpy(value, &version, sizeof version);
	while (archive_entry_acl_next(entry, type, &found, &perm, &tag, &id, &who) == ARCHIVE_OK)
		fits = write_item(value, &size, tag, perm, id) && fits;
	qsort(value + sizeof version, (size - sizeof version) / sizeof(struct acl_item),
		sizeof(struct acl_item), compare_items);
	int r = !fits ? -E2BIG : setxattr(path, name, value, size, 0) < 0 ? -errno : 0;
	free(value);
	return r;
}

static int hex_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* libarchive writes a name's unusual bytes, and every %, as %XX, and in this form of
 * attribute does not take that back. */
static void decode_name(const char *from, char *to, size_t room)
{
	size_t at = 0;
	for (; *from && at + 1 < room; from++) {
		int high = *from == '%' ? hex_of(from[1]) : -1;
		int low = high >= 0 ? hex_of(from[2]) : -1;
		to[at++] = low >= 0 ? (char)(high << 4 | low) : *from;
		from += low >= 0 ? 2 : 0;
	}
	to[at] = 0;
}

static int apply_xattrs(const char *path, struct archive_entry *entry)
{
	const char *name;
	const void *value;
	size_t size;
	int r = 0;
	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
		char own[XATTR_NAME_MAX + 2];
		decode_name(name, own, sizeof own);
		if (setxattr(path, own, value, size, 0) < 0 && r == 0)
			r = -errno;
	}
	return r;
}

static int apply_mode(const char *path, struct archive_entry *entry)
{
	if (archive_entry_filetype(entry) == AE_IFLNK)
		return 0;
	return chmod(path, archive_entry_perm(entry)) < 0 ? -errno : 0;
}

static int apply_owner(int fd, struct archive_entry *entry)
{
	uid_t uid = (uid_t)archive_entry_uid(entry);
	gid_t gid = (gid_t)archive_entry_gid(entry);
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int apply_times(int fd, const char *path, struct archive_entry *entry)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_NOW},
		{.tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)}};
	if (utimensat(fd, "", times, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	/* kernels before 5.8 know no empty path here */
	return utimensat(AT_FDCWD, path, times, 0) < 0 ? -errno : 0;
}

int metadata_apply(int fd, struct archive_entry *entry, const char **ret_what)
{
	static const char *const names[] = {
		"owner", "mode", "extended attributes", "ACL", "default ACL", "times"};
	char path[32];
	proc_path(fd, path);
	int results[6];
	results[0] = apply_owner(fd, entry);
	results[1] = apply_mode(path, entry);
	results[2] = apply_xattrs(path, entry);
	results[3] = apply_acl(path, entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ACL_ACCESS);
	results[4] = apply_acl(path, entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, ACL_DEFAULT);
	results[5] = apply_times(fd, path, entry);
	for (size_t i = 0; i < 6; i++)
		if (results[i] < 0) {
			*ret_what = names[i];
			return results[i];
		}
	return 0;
}
