/* SPDX-License-Identifier: MIT */
#include "look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backup/extract.h"
#include "support/fault.h"
#include "support/store.h"

struct lines {
	char **items;
	size_t count;
	ino_t inodes[4096]; /* numbered as they come */
	size_t inode_count;
};

static size_t number_of(struct lines *lines, ino_t ino)
{
	for (size_t i = 0; i < lines->inode_count; i++)
		if (lines->inodes[i] == ino)
			return i;
	lines->inodes[lines->inode_count++] = ino;
	return lines->inode_count - 1;
}

static void hash_of(int fd, char hash[STORE_HASH_TEXT])
{
	struct store_hash *h = store_hash_begin();
	char buffer[65536];
	ssize_t n;
	while ((n = read(fd, buffer, sizeof buffer)) > 0)
		store_hash_add(h, buffer, (size_t)n);
	store_hash_end(&h, hash);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void xattrs_of(int fd, char *text, size_t room)
{
	char path[40], names[4096], value[4096];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ssize_t size = listxattr(path, names, sizeof names);
	size_t at = 0, count = 0;
	char *sorted[64] = {0};
	text[0] = 0;
	for (char *name = names; size > 0 && name < names + size && count < 64;
		name += strlen(name) + 1)
		sorted[count++] = name;
	qsort(sorted, count, sizeof *sorted, by_text);
	for (size_t k = 0; k < count; k++) {
		ssize_t n = getxattr(path, sorted[k], value, sizeof value);
		at += (size_t)snprintf(text + at, room - at, " %s=", sorted[k]);
		for (ssize_t i = 0; i < n; i++)
			at += (size_t)snprintf(
				text + at, room - at, "%02x", (unsigned char)value[i]);
	}
}

static void add_line(struct lines *lines, int dir, const char *name, const char *path)
{
	struct stat st;
	char hash[STORE_HASH_TEXT] = "-", link[4097] = "", xattrs[16384];
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		abort();
	xattrs_of(fd, xattrs, sizeof xattrs);
	close(fd);
	if (S_ISLNK(st.st_mode) && readlinkat(dir, name, link, sizeof link - 1) < 0)
		abort();
	int data = S_ISREG(st.st_mode) ? openat(dir, name, O_RDONLY | O_CLOEXEC) : -1;
	off_t hole = data < 0 ? -1 : lseek(data, 0, SEEK_HOLE);
	if (data >= 0 && st.st_size < (64 << 20)) {
		lseek(data, 0, SEEK_SET);
		hash_of(data, hash);
	}
	if (data >= 0)
		close(data);
	lines->items = fault_resize(lines->items, lines->count + 1, sizeof *lines->items);
	lines->items[lines->count++] = fault_format(
		"%s mode=%o own=%u:%u mtime=%lld.%09ld size=%lld hole=%lld rdev=%x:%x links=%u "
		"inode=%zu link=%s sha=%s%s",
		path, st.st_mode, st.st_uid, st.st_gid, (long long)st.st_mtim.tv_sec,
		st.st_mtim.tv_nsec, S_ISDIR(st.st_mode) ? 0LL : (long long)st.st_size,
		(long long)hole, major(st.st_rdev), minor(st.st_rdev),
		S_ISDIR(st.st_mode) ? 0 : (unsigned)st.st_nlink, number_of(lines, st.st_ino), link,
		hash, xattrs);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void look_below(struct lines *lines, int dir, const char *path)
{
	struct dirent **names;
	int count = scandirat(dir, ".", &names, NULL, by_name);
	for (int i = 0; i < count; i++) {
		const char *name = names[i]->d_name;
		char *own = fault_format("%s/%s", path, name);
		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			add_line(lines, dir, name, own);
			int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (fd >= 0) {
				look_below(lines, fd, own);
				close(fd);
			}
		}
		free(own);
		free(names[i]);
	}
	free(names);
}

char *look_at(const char *dir)
{
	struct lines *lines = fault_alloc(sizeof *lines);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (fd < 0 || !out)
		abort();
	add_line(lines, fd, ".", "");
	look_below(lines, fd, "");
	close(fd);
	for (size_t i = 0; i < lines->count; i++) {
		fprintf(out, "%s\n", lines->items[i]);
		free(lines->items[i]);
	}
	fclose(out);
	free(lines->items);
	free(lines);
	return text;
}

void look_write(const char *dir, const char *name, const char *text)
{
	char *path = fault_format("%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0)
		abort();
	fclose(f);
	free(path);
}

void look_remove(const char *dir)
{
	extract_remove(AT_FDCWD, dir);
}

/* ---- the torture tree ---- */

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	perror(what);
	abort();
}

static void make_deep(int top)
{
	char name[201];
	memset(name, 'd', 200);
	name[200] = 0;
	int dir = dup(top);
	for (int i = 0; i < 25; i++) { /* 5,000 bytes of path */
		check(mkdirat(dir, name, 0755), "mkdirat");
		int next = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		check(next, "openat");
		close(dir);
		dir = next;
	}
	int fd = openat(dir, "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	check(fd < 0 ? -1 : (int)write(fd, "deep\n", 5), "write");
	close(fd);
	close(dir);
}

static void set_time(int dir, const char *name, time_t s, long ns)
{
	struct timespec times[2] = {{s, ns}, {s, ns}};
	check(utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW), "utimensat");
}

static void make_sparse(int dir)
{
	int fd = openat(dir, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	check(fd < 0 || pwrite(fd, "here", 4, 1 << 20) < 0 || pwrite(fd, "there", 5, 9ll << 30) < 0
			? -1
			: ftruncate(fd, 10ll << 30),
		"sparse");
	close(fd);
	fd = openat(dir, "hole", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	check(ftruncate(fd, 3 << 20), "hole");
	close(fd);
}

static void make_large(int dir)
{
	int fd = openat(dir, "large", O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	unsigned char *bytes = fault_alloc(40 << 20);
	uint64_t state = 1;
	for (size_t i = 0; i < 40 << 20; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (unsigned char)(state >> 56);
	}
	check(fd < 0 || write(fd, bytes, 40 << 20) != 40 << 20 ? -1 : 0, "large");
	free(bytes);
	close(fd);
}

static void make_named(int dir)
{
	char name[256];
	memset(name, 'n', 255);
	name[255] = 0;
	close(openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(openat(dir, "not\xff\xfeutf8", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(openat(dir, "\xc3\xa4 \n\"\\ name", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	check(symlinkat("no\xff/where", dir, "dangling"), "symlinkat");
	memset(name, 's', 250);
	name[250] = 0;
	check(symlinkat(name, dir, "long-link"), "symlinkat");
}

static void make_special(int dir)
{
	check(mkfifoat(dir, "fifo", 0620), "mkfifoat");
	/* without the privilege the rest is tested all the same */
	if (mknodat(dir, "null", S_IFCHR | 0666, makedev(1, 3)) == 0)
		check(fchownat(dir, "null", 3, 4, 0), "fchownat");
	(void)!mknodat(dir, "block", S_IFBLK | 0600, makedev(7, 200));
	check(linkat(dir, "fifo", dir, "fifo-again", 0), "linkat");
}

static void make_attributes(int dir)
{
	int fd = openat(dir, "attributes", O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	/* version 2; user::rw- user:1000:rw- group::r-- mask::rw- other::--- */
	static const unsigned char acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 6, 0,
		0xe8, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 6, 0, 255, 255, 255, 255, 32,
		0, 0, 0, 255, 255, 255, 255};
	check(fsetxattr(fd, "user.plain", "value", 5, 0), "fsetxattr");
	check(fsetxattr(fd, "user.bytes\xc3\xa4", "a\0b\n\xff", 5, 0), "fsetxattr");
	check(fsetxattr(fd, "user.empty", "", 0, 0), "fsetxattr");
	check(fsetxattr(fd, "system.posix_acl_access", acl, sizeof acl, 0), "acl");
	close(fd);
	check(mkdirat(dir, "defaults", 0770), "mkdirat");
	fd = openat(dir, "defaults", O_RDONLY | O_CLOEXEC);
	check(fsetxattr(fd, "system.posix_acl_default", acl, sizeof acl, 0), "default acl");
	close(fd);
}

void look_torture(const char *path)
{
	check(mkdir(path, 0751), "mkdir");
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_deep(dir);
	make_sparse(dir);
	make_large(dir);
	make_named(dir);
	make_special(dir);
	make_attributes(dir);
	look_write(path, "setuid", "x");
	look_write(path, "one", "linked\n");
	check(mkdirat(dir, "zz", 0700), "mkdirat");
	check(linkat(dir, "one", dir, "zz/two", 0), "linkat");
	check(linkat(dir, "one", dir, "three", 0), "linkat");
	if (geteuid() == 0)
		check(fchownat(dir, "setuid", 12345678, 4000000000u, 0), "chown");
	check(fchmodat(dir, "setuid", 06711, 0), "chmod");
	check(mkdirat(dir, "sticky", 0700), "mkdirat");
	check(fchmodat(dir, "sticky", 03777, 0), "chmod");
	set_time(dir, "one", -86400 * 365, 123456789);
	set_time(dir, "dangling", 1, 999999999);
	set_time(dir, "zz", 4102444800, 1);
	set_time(dir, "sticky", -1, 500000000);
	close(dir);
}
