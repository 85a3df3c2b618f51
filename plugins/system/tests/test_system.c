/* SPDX-License-Identifier: MIT */
/* Against a machine made of files. */
#include <upkeep/plugin.h>
#include <upkeep/testing.h>

#include "tests/unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void put(const char *name, const char *text)
{
	char path[512], *slash;
	snprintf(path, sizeof path, "%s/%s", root, name);
	for (slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = 0;
		mkdir(path, 0755);
	}
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int machine_make(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/upkeep-system-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	put("stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1\ncpu1 1 1\nintr 5\n");
	put("meminfo", "MemTotal: 1000 kB\nMemAvailable: 300 kB\nSwapTotal: 100 kB\n"
		       "SwapFree: 90 kB\nCached: 100 kB\n");
	put("loadavg", "1.50 3.00 2.00 1/100 42\n");
	put("uptime", "90061.25 1000.0\n");
	put("pressure/io", "some avg10=0.00 avg60=9.00 avg300=0 total=1\n"
			   "full avg10=0.00 avg60=1.25 avg300=0 total=1\n");
	put("7/stat", "7 (a) b) R 1 1 1 0 -1 0 0 0 0 0 50 25 0 0 20 0 1 0 100 4096 10 0\n");
	put("self/mountinfo", "20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n");
	put("fstab", "/dev/sda1 / ext4 defaults 0 1\n");
	put("kmsg", "6,1,1,-;all is well\n");
	return 0;
}

static int entry_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int machine_remove(void **state)
{
	(void)state;
	return nftw(root, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static struct upkeep_test *machine_test(void)
{
	char path[128];
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	upkeep_test_setting(t, "proc", root);
	upkeep_test_setting(t, "sys", root);
	snprintf(path, sizeof path, "%s/fstab", root);
	upkeep_test_setting(t, "fstab", path);
	snprintf(path, sizeof path, "%s/kmsg", root);
	upkeep_test_setting(t, "kernel_log", path);
	return t;
}

static void test_health(void **state)
{
	(void)state;
	struct upkeep_test *t = machine_test();
	upkeep_test_set(t, "sample", "1ms");
	upkeep_test_set(t, "disk_crit", "0%");
	upkeep_test_set(t, "inodes_crit", "0%");
	assert_int_equal(upkeep_test_run(t, "health"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_output(t, "memory"), "70.0%");
	assert_string_equal(upkeep_test_output(t, "uptime"), "90061");
	assert_string_equal(upkeep_test_output(t, "processors"), "2");
	assert_string_equal(upkeep_test_cell(t, "processes", 0, "name"), "a) b");
	upkeep_test_set(t, "memory_crit", "60%");
	assert_int_equal(upkeep_test_run(t, "health"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_what(t),
		"memory used is 70.0%, the critical limit is 60.0%");
	upkeep_test_free(t);
}

static void test_readonly(void **state)
{
	(void)state;
	struct upkeep_test *t = machine_test();
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_UNCHANGED);
	put("self/mountinfo", "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 ro,errors=x\n");
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_FAILED);
	put("self/mountinfo", "20 1 8:1 / / ro,relatime - ext4 /dev/sda1 ro\n");
	put("kmsg", "3,5,5,-;EXT4-fs error (device sda1): bad\n");
	put("fs/ext4/sda1/errors_count", "4\n");
	upkeep_test_add(t, "writable", "/srv");
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_output(t, "faults"), "4");
	upkeep_test_free(t);
}

static void test_caches(void **state)
{
	(void)state;
	char path[128], text[8] = "";
	put("sys/vm/drop_caches", "0\n");
	struct upkeep_test *t = machine_test();
	upkeep_test_set(t, "what", "slab");
	assert_int_equal(upkeep_test_plan(t, "drop-caches"), UPKEEP_CHANGED);
	assert_null(upkeep_test_would_undo(t, 0));
	assert_int_equal(upkeep_test_run(t, "drop-caches"), UPKEEP_CHANGED);
	snprintf(path, sizeof path, "%s/sys/vm/drop_caches", root);
	FILE *f = fopen(path, "r");
	assert_non_null(fgets(text, sizeof text, f));
	assert_string_equal(text, "2\n");
	fclose(f);
	upkeep_test_free(t);
}

/* The machine that the test runs on. */
static void test_real(void **state)
{
	(void)state;
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	upkeep_test_set(t, "sample", "100ms");
	assert_int_equal(upkeep_test_run(t, "processes"), UPKEEP_UNCHANGED);
	assert_true(upkeep_test_rows(t, "processes") > 0);
	upkeep_test_clear(t);
	upkeep_test_add(t, "mounts", "/");
	upkeep_test_set(t, "crit", "0%");
	assert_int_equal(upkeep_test_run(t, "mounts"), UPKEEP_UNCHANGED);
	assert_string_equal(upkeep_test_cell(t, "mounts", 0, "mount"), "/");
	upkeep_test_free(t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, machine_make, machine_remove)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_health), TEST(test_readonly),
		TEST(test_caches), TEST(test_real) };
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
