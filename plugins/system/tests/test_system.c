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
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
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
	put("meminfo",
		"MemTotal: 1000 kB\nMemAvailable: 300 kB\nSwapTotal: 100 kB\n"
		"SwapFree: 90 kB\nCached: 100 kB\n");
	put("loadavg", "1.50 3.00 2.00 1/100 42\n");
	put("uptime", "90061.25 1000.0\n");
	put("pressure/io",
		"some avg10=0.00 avg60=9.00 avg300=0 total=1\n"
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
	assert_string_equal(
		upkeep_test_what(t), "memory used is 70.0%, the critical limit is 60.0%");
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

static int program(const char *path, const char *a, const char *b, const char *c, const char *d)
{
	const char *const argv[] = {path, a, b, c, d, NULL};
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* A device mounted for writing is left out; one that fsck cannot check is a fault, and so is
 * one with errors. */
static void test_devices(void **state)
{
	char image[128];
	(void)state;
	if (access("/sbin/mkfs.ext2", X_OK) < 0 || access("/sbin/debugfs", X_OK) < 0)
		skip();
	struct upkeep_test *t = machine_test();
	upkeep_test_add(t, "devices", "/dev/sda1");
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_UNCHANGED);
	assert_int_equal(upkeep_test_warnings(t), 1);
	assert_non_null(strstr(upkeep_test_log(t), "/dev/sda1 is mounted for writing"));
	upkeep_test_clear(t);
	put("image", "");
	snprintf(image, sizeof image, "%s/image", root);
	upkeep_test_add(t, "devices", image);
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_cell(t, "faults", 0, "fault"), "fsck could not check it");
	assert_int_equal(truncate(image, 1 << 20), 0);
	assert_int_equal(program("/sbin/mkfs.ext2", "-q", "-F", image, NULL), 0);
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_UNCHANGED);
	assert_int_equal(program("/sbin/debugfs", "-w", "-R", "clri <11>", image), 0);
	assert_int_equal(program("/sbin/debugfs", "-w", "-R", "ssv state 0", image), 0);
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_cell(t, "faults", 1, "fault"), "fsck found errors");
	upkeep_test_free(t);
}

/* Each way in which a file system shows that it is not writable, by itself. */
static void test_readonly_signs(void **state)
{
	(void)state;
	struct upkeep_test *t = machine_test();
	put("self/mountinfo", "20 1 8:1 / / ro,relatime - ext4 /dev/sda1 rw\n");
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_why(t), "fstab wants it writable"));
	put("fstab", "/dev/sda1 / ext4 ro 0 1\n");
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_UNCHANGED);
	upkeep_test_add(t, "writable", "/srv");
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_why(t), "/srv: it lies on a read-only file system"));
	put("self/mountinfo",
		"20 1 8:1 / / ro - ext4 /dev/sda1 rw\n21 20 8:2 / /srv rw - ext4 /dev/b rw\n");
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_UNCHANGED);
	upkeep_test_clear(t);
	put("kmsg", "3,5,5,-;EXT4-fs error (device sda1): bad\n6,6,6,-;I/O error, only a notice\n");
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_output(t, "faults"), "1");
	upkeep_test_set(t, "kernel_log", "false");
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_UNCHANGED);
	put("self/mountinfo", "nonsense\n");
	assert_int_equal(upkeep_test_run(t, "readonly-check"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "self/mountinfo\""));
	upkeep_test_free(t);
}

/* A file system whose server is dead: statvfs never comes back. */
static int hanging;
int __real_statvfs(const char *path, struct statvfs *ret);
int __wrap_statvfs(const char *path, struct statvfs *ret);
int __wrap_statvfs(const char *path, struct statvfs *ret)
{
	while (hanging && strcmp(path, "/dead") == 0)
		usleep(10000);
	return __real_statvfs(path, ret);
}

static void test_dead_mount(void **state)
{
	struct timespec begin, end;
	(void)state;
	hanging = 1;
	struct upkeep_test *t = machine_test();
	upkeep_test_add(t, "mounts", "/dead");
	upkeep_test_add(t, "mounts", "/");
	upkeep_test_set(t, "mount_timeout", "200ms");
	upkeep_test_set(t, "crit", "0%");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	assert_int_equal(upkeep_test_run(t, "mounts"), UPKEEP_FAILED);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_in_range(
		(end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000, 190,
		5000);
	assert_non_null(strstr(upkeep_test_what(t), "mount /dead does not answer"));
	assert_int_equal(upkeep_test_rows(t, "mounts"), 1); /* the others are there */
	assert_string_equal(upkeep_test_output(t, "state"), "critical");
	hanging = 0;
	usleep(50000); /* the thread that asked ends */
	upkeep_test_clear(t);
	upkeep_test_add(t, "mounts", "/not/there");
	assert_int_equal(upkeep_test_run(t, "mounts"), UPKEEP_FAILED);
	assert_non_null(strstr(upkeep_test_what(t), "No such file"));
	upkeep_test_free(t);
}

/* What cannot be read is said, by name; nothing is made up. */
static void test_missing_figures(void **state)
{
	static const char *const files[] = {
		"stat", "meminfo", "loadavg", "uptime", "self/mountinfo"};
	static const char *const said[] = {
		"the processes in", "/meminfo\"", "/loadavg\"", "/uptime\"", "/self/mountinfo\""};
	char path[128];
	for (size_t i = 0; i < UPKEEP_COUNT(files); i++) {
		if (i)
			machine_make(state);
		struct upkeep_test *t = machine_test();
		upkeep_test_set(t, "sample", "1ms");
		snprintf(path, sizeof path, "%s/%s", root, files[i]);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(upkeep_test_run(t, "health"), UPKEEP_FAILED);
		if (!strstr(upkeep_test_what(t), said[i]))
			fail_msg("without %s: %s", files[i], upkeep_test_what(t));
		upkeep_test_free(t);
		if (i + 1 < UPKEEP_COUNT(files))
			machine_remove(state);
	}
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
	assert_int_equal(unlink(path), 0);
	assert_int_equal(upkeep_test_run(t, "drop-caches"), UPKEEP_FAILED);
	assert_string_equal(upkeep_test_next(t), "run the task as root");
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
	const struct CMUnitTest tests[] = {TEST(test_health), TEST(test_readonly),
		TEST(test_readonly_signs), TEST(test_devices), TEST(test_dead_mount),
		TEST(test_missing_figures), TEST(test_caches), TEST(test_real)};
	return !!cmocka_run_group_tests(tests, NULL, NULL);
}
