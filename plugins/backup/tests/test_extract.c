/* SPDX-License-Identifier: MIT */
/* Hostile archives: tar streams made by libarchive, read by libarchive, given to the
 * extractor; whatever they say, nothing outside its directory changes. */
#include "tests/unit.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/extract.h"
#include "look.h"

/* An entry of a hostile archive; `link` is what a symbolic or hard link names. */
struct item {
	const char *path;
	mode_t type; /* 0: a hard link */
	const char *link, *bytes;
	int refused; /* the errno with which the extractor must refuse it; 0: it makes it */
};

static char base[64];

static int make_base(void **state)
{
	(void)state;
	snprintf(base, sizeof base, "/tmp/upkeep-extract-XXXXXX");
	return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
	(void)state;
	look_remove(base);
	return 0;
}

static void write_item(struct archive *tar, const struct item *item)
{
	struct archive_entry *entry = archive_entry_new();
	size_t size = item->bytes ? strlen(item->bytes) : 0;
	archive_entry_set_pathname(entry, item->path);
	archive_entry_set_filetype(entry, item->type ? item->type : AE_IFREG);
	archive_entry_set_perm(entry, 04777);
	archive_entry_set_mtime(entry, 1, 0);
	if (item->type == AE_IFCHR)
		archive_entry_set_rdev(entry, 0x103);
	if (item->type == AE_IFLNK)
		archive_entry_set_symlink(entry, item->link);
	else if (item->type == 0)
		archive_entry_set_hardlink(entry, item->link);
	else
		archive_entry_set_size(entry, (la_int64_t)size);
	assert_int_equal(archive_write_header(tar, entry), ARCHIVE_OK);
	if (size)
		assert_int_equal(archive_write_data(tar, item->bytes, size), size);
	archive_entry_free(entry);
}

static size_t make_tar(const struct item *items, size_t count, char *buffer, size_t room)
{
	size_t used = 0;
	struct archive *tar = archive_write_new();
	archive_write_set_format_pax(tar);
	assert_int_equal(archive_write_open_memory(tar, buffer, room, &used), ARCHIVE_OK);
	for (size_t i = 0; i < count; i++)
		write_item(tar, &items[i]);
	assert_int_equal(archive_write_close(tar), ARCHIVE_OK);
	archive_write_free(tar);
	return used;
}

static int extract_one(struct extract *extract, struct archive *tar, struct archive_entry *entry,
	struct fault *fault)
{
	const void *bytes;
	size_t size;
	la_int64_t offset;
	char *path = fault_format("%s", archive_entry_pathname(entry));
	/* libarchive ends the names of directories with a slash; users give plain ones */
	if (archive_entry_filetype(entry) == AE_IFDIR && path[strlen(path) - 1] == '/')
		path[strlen(path) - 1] = 0;
	int r = extract_begin(extract, path, archive_entry_hardlink(entry), entry, fault);
	free(path);
	bool file = r == 0 && archive_entry_filetype(entry) == AE_IFREG &&
		!archive_entry_hardlink(entry);
	while (r == 0 && file && archive_read_data_block(tar, &bytes, &size, &offset) == ARCHIVE_OK)
		r = extract_bytes(extract, bytes, size, (uint64_t)offset, fault);
	return r < 0 || !file ? r
			      : extract_end(extract, (uint64_t)archive_entry_size(entry), fault);
}

/* Gives every entry to the extractor, also after one was refused. */
static void extract_tar(struct extract *extract, const char *buffer, size_t size,
	const struct item *items, size_t count)
{
	struct archive *tar = archive_read_new();
	struct archive_entry *entry;
	archive_read_support_format_tar(tar);
	assert_int_equal(archive_read_open_memory(tar, buffer, size), ARCHIVE_OK);
	for (size_t i = 0; i < count; i++) {
		CLEANUP_FAULT struct fault fault = {0};
		assert_int_equal(archive_read_next_header(tar, &entry), ARCHIVE_OK);
		int r = extract_one(extract, tar, entry, &fault);
		if (r != -items[i].refused)
			fail_msg("\"%s\": %d (%s), not %d", items[i].path, r, fault_what(&fault),
				-items[i].refused);
	}
	archive_read_free(tar);
}

static char *text_of(const char *dir, const char *name)
{
	CLEANUP_FAULT struct fault fault = {0};
	char *path = fault_format("%s/%s", dir, name), *text = fault_alloc(4096);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!read(fd, text, 4095);
	close(fd);
	free(path);
	return text;
}

/* base/outside has what must not change, and base/outside/stage is where all must stay. */
static void run_hostile(
	const struct item *items, size_t count, uint64_t entries_max, uint64_t bytes_max)
{
	static char buffer[1 << 20];
	CLEANUP_FAULT struct fault fault = {0};
	struct extract *extract;
	char *outside = fault_format("%s/outside", base), *stage = fault_format("%s/stage", base);
	assert_int_equal(mkdir(outside, 0755), 0);
	assert_int_equal(mkdir(stage, 0700), 0);
	look_write(outside, "victim", "as it was\n");
	char *before = look_at(outside);
	size_t size = make_tar(items, count, buffer, sizeof buffer);
	int root = open(stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	extract_open(&extract, root, entries_max, bytes_max);
	extract_tar(extract, buffer, size, items, count);
	extract_finish(extract, &fault);
	extract_close(&extract);
	close(root);
	char *after = look_at(outside);
	assert_string_equal(before, after);
	look_remove(outside);
	free(before);
	free(after);
	free(outside);
	free(stage);
}

/* `outside` is in `link` as ../outside, from the staging directory. */
static void expect_hostile(const struct item *items, size_t count)
{
	run_hostile(items, count, 100, 1000);
	char *stage = fault_format("%s/stage", base);
	look_remove(stage);
	free(stage);
}

static void test_names_that_lead_out(void **state)
{
	(void)state;
	const struct item items[] = {
		{"../outside/new", AE_IFREG, NULL, "x", EPERM},
		{"a/../../outside/new", AE_IFREG, NULL, "x", EPERM},
		{"..", AE_IFDIR, NULL, NULL, EPERM},
		{"/tmp/upkeep-absolute", AE_IFREG, NULL, "x", EPERM},
		{"./here", AE_IFREG, NULL, "x", EPERM},
		{"a//b", AE_IFREG, NULL, "x", EPERM},
		{"missing/file", AE_IFREG, NULL, "x", ENOENT},
		{"fine", AE_IFREG, NULL, "x", 0},
	};
	expect_hostile(items, UPKEEP_COUNT(items));
	assert_int_not_equal(access("/tmp/upkeep-absolute", F_OK), 0);
}

static void test_writing_through_links(void **state)
{
	(void)state;
	char *absolute = fault_format("%s/outside", base);
	const struct item items[] = {
		{"out", AE_IFLNK, "../outside", NULL, 0},
		{"out/new", AE_IFREG, NULL, "x", ELOOP},
		{"out/deep", AE_IFDIR, NULL, NULL, ELOOP},
		{"out/victim", AE_IFREG, NULL, "x", ELOOP},
		{"out", AE_IFDIR, NULL, NULL, EEXIST},
		{"out/new", AE_IFREG, NULL, "x", ELOOP},
		{"whole", AE_IFLNK, absolute, NULL, 0},
		{"whole/new", AE_IFREG, NULL, "x", ELOOP},
		{"file", AE_IFLNK, "../outside/victim", NULL, 0},
		{"file", AE_IFREG, NULL, "x", EEXIST},
		{"file", 0, "out", NULL, EEXIST},
		{"inner", AE_IFDIR, NULL, NULL, 0},
		{"back", AE_IFLNK, "inner", NULL, 0},
		{"back/new", AE_IFREG, NULL, "x", ELOOP},
	};
	expect_hostile(items, UPKEEP_COUNT(items));
	free(absolute);
}

static void test_hard_links_that_lead_out(void **state)
{
	(void)state;
	const struct item items[] = {
		{"out", AE_IFLNK, "../outside", NULL, 0},
		{"victim", AE_IFLNK, "../outside/victim", NULL, 0},
		{"a", 0, "../outside/victim", NULL, EPERM},
		{"b", 0, "/etc/passwd", NULL, EPERM},
		{"c", 0, "out/victim", NULL, ELOOP},
		{"d", 0, "nowhere", NULL, ENOENT},
		/* a name of the link, not of what it points to */
		{"e", 0, "victim", NULL, 0},
		{"e", AE_IFREG, NULL, "x", EEXIST},
	};
	expect_hostile(items, UPKEEP_COUNT(items));
}

static void test_nothing_is_overwritten(void **state)
{
	(void)state;
	const struct item items[] = {
		{"one", AE_IFREG, NULL, "first", 0},
		{"one", AE_IFREG, NULL, "second", EEXIST},
		{"one", AE_IFDIR, NULL, NULL, EEXIST},
		{"one", AE_IFIFO, NULL, NULL, EEXIST},
		{"one/below", AE_IFREG, NULL, "x", ENOTDIR},
		{"fifo", AE_IFIFO, NULL, NULL, 0},
		{"fifo", AE_IFREG, NULL, "x", EEXIST},
	};
	run_hostile(items, UPKEEP_COUNT(items), 100, 1000);
	char *stage = fault_format("%s/stage", base), *text = text_of(stage, "one");
	assert_string_equal(text, "first");
	look_remove(stage);
	free(stage);
	free(text);
}

/* Devices need the privilege; who restores as another user gets none. */
static void test_devices_need_the_privilege(void **state)
{
	(void)state;
	const struct item as_root[] = {{"null", AE_IFCHR, NULL, NULL, 0}};
	const struct item as_user[] = {{"null", AE_IFCHR, NULL, NULL, EPERM}};
	if (geteuid() != 0) {
		expect_hostile(as_user, 1);
		return;
	}
	expect_hostile(as_root, 1);
	assert_int_equal(chmod(base, 0777), 0);
	assert_int_equal(seteuid(65534), 0);
	run_hostile(as_user, 1, 100, 1000);
	assert_int_equal(seteuid(0), 0);
	char *stage = fault_format("%s/stage", base);
	look_remove(stage);
	free(stage);
}

static void test_more_bytes_than_said(void **state)
{
	(void)state;
	const struct item items[] = {
		{"fits", AE_IFREG, NULL, "0123456789", 0},
		{"bomb", AE_IFREG, NULL, "0123456789a", EFBIG},
		{"last", AE_IFREG, NULL, "0123456789", 0},
		{"none", AE_IFREG, NULL, "x", EFBIG},
	};
	run_hostile(items, UPKEEP_COUNT(items), 100, 20);
	char *stage = fault_format("%s/stage", base), *text = text_of(stage, "bomb");
	assert_string_equal(text, "");
	look_remove(stage);
	free(stage);
	free(text);
}

/* A million entries where a thousand were promised. */
static void test_more_entries_than_said(void **state)
{
	(void)state;
	struct extract *extract;
	char *stage = fault_format("%s/stage", base);
	assert_int_equal(mkdir(stage, 0700), 0);
	int root = open(stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC), made = 0;
	struct archive_entry *entry = archive_entry_new();
	archive_entry_set_filetype(entry, AE_IFDIR);
	archive_entry_set_perm(entry, 0700);
	extract_open(&extract, root, 1000, 1000);
	for (int i = 0; i < 1000000; i++) {
		char name[16];
		CLEANUP_FAULT struct fault fault = {0};
		snprintf(name, sizeof name, "%d", i);
		int r = extract_begin(extract, name, NULL, entry, &fault);
		made += r == 0;
		if (r < 0)
			assert_int_equal(r, -EFBIG);
	}
	assert_int_equal(made, 1000);
	struct stat st;
	assert_int_equal(fstat(root, &st), 0);
	assert_int_equal(st.st_nlink, 1002);
	extract_close(&extract);
	archive_entry_free(entry);
	close(root);
	look_remove(stage);
	free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_that_lead_out),
		cmocka_unit_test(test_writing_through_links),
		cmocka_unit_test(test_hard_links_that_lead_out),
		cmocka_unit_test(test_nothing_is_overwritten),
		cmocka_unit_test(test_devices_need_the_privilege),
		cmocka_unit_test(test_more_bytes_than_said),
		cmocka_unit_test(test_more_entries_than_said),
	};
	return !!cmocka_run_group_tests(tests, make_base, remove_base);
}
