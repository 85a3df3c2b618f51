/* SPDX-License-Identifier: MIT */
/* Two sites on one store, with a GnuPG directory each: a host that seals and stores and cannot
 * read, and the site that can; and what each believes of what the other verified. */
#include "tests/unit.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "look.h"
#include "site.h"
#include "support/fault.h"

static char *host_key, *host_file, *site_file; /* the fingerprint; files with public keys */
static char *tree;

static void run_gpg(const char *keyring, const char *a, const char *b, const char *c, const char *d)
{
	char *home = site_below(keyring);
	int status = -1;
	pid_t pid = fork();
	if (pid == 0) {
		execl("/usr/bin/gpg", "gpg", "--homedir", home, "--batch", "-q", "--no-autostart",
			a, b, c, d, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	free(home);
}

/* The host: it has its own key, and of the site's only the public one. */
static struct upkeep_test *host_open(void)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	char *store = site_below("store"), *keyring = site_below("host-keyring");
	assert_non_null(t);
	upkeep_test_setting(t, "stores[0].name", "local");
	upkeep_test_setting(t, "stores[0].path", store);
	upkeep_test_setting(t, "keyring", keyring);
	if (host_key)
		upkeep_test_setting_add(t, "recipients", site_key);
	free(store);
	free(keyring);
	return t;
}

/* The site believes what the host signed. */
static struct upkeep_test *reader_open(void)
{
	struct upkeep_test *t = site_open();
	upkeep_test_setting_add(t, "trusted", site_key);
	upkeep_test_setting_add(t, "trusted", host_key);
	upkeep_test_setting_add(t, "public_keys", host_file);
	return t;
}

/* The newest backup's level in a listing of the name; `by` is told whether somebody else says so.
 */
static const char *level_of(struct upkeep_test *t, const char *name, const char *id, bool *by)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", name);
	size_t before = upkeep_test_rows(t, "backups");
	site_expect(t, upkeep_test_run(t, "list"), UPKEEP_UNCHANGED);
	for (size_t i = before; i < upkeep_test_rows(t, "backups"); i++) {
		if (strcmp(upkeep_test_cell(t, "backups", i, "backup"), id) != 0)
			continue;
		if (by)
			*by = *upkeep_test_cell(t, "backups", i, "verified_by") != 0;
		return upkeep_test_cell(t, "backups", i, "level");
	}
	fail_msg("there is no backup \"%s\"", id);
	return "";
}

static void verify(struct upkeep_test *t, const char *id, int32_t wanted)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "backup", id);
	site_expect(t, upkeep_test_run(t, "verify"), wanted);
}

static int setup(void **state)
{
	if (site_setup(state) < 0)
		return -1;
	struct upkeep_test *t = host_open();
	upkeep_test_set(t, "create_key", "true");
	site_expect(t, upkeep_test_run(t, "init"), UPKEEP_CHANGED);
	host_key = fault_format("%s", upkeep_test_output(t, "fingerprint"));
	upkeep_test_free(t);
	host_file = site_below("host.asc");
	site_file = site_below("site.asc");
	run_gpg("host-keyring", "--export", "-o", host_file, host_key);
	run_gpg("keyring", "--export", "-o", site_file, site_key);
	run_gpg("host-keyring", "--import", site_file, NULL, NULL);
	tree = site_below("tree");
	mkdir(tree, 0755);
	look_write(tree, "one", "first\n");
	look_write(tree, "two", "second\n");
	clock_advance(CLOCK_SETTLE_MS);
	return 0;
}

static int teardown(void **state)
{
	free(host_key), free(host_file), free(site_file), free(tree);
	return site_teardown(state);
}

static void test_a_host_stores_what_it_cannot_read(void **state)
{
	(void)state;
	struct upkeep_test *host = host_open();
	static const char *const reading[] = {"verify", "restore", "find"};
	char *first = site_create(host, "host", tree), *last = site_create(host, "host", tree);
	assert_string_equal(upkeep_test_output(host, "unchanged"), "3");
	for (size_t i = 0; i < UPKEEP_COUNT(reading); i++) {
		upkeep_test_clear(host);
		upkeep_test_set(host, "name", "host");
		if (i == 2)
			upkeep_test_set(host, "pattern", "one");
		site_expect(host, upkeep_test_run(host, reading[i]), UPKEEP_FAILED);
		assert_non_null(strstr(upkeep_test_what(host), "no secret key of a recipient"));
		assert_non_null(strstr(upkeep_test_what(host), "sealed to the key "));
		assert_non_null(strstr(upkeep_test_next(host), "where the secret key is"));
	}
	/* that says nothing against the backup */
	assert_string_equal(level_of(host, "host", last, NULL), "");
	struct upkeep_test *site = reader_open();
	verify(site, first, UPKEEP_UNCHANGED);
	verify(site, last, UPKEEP_UNCHANGED);
	char *target = site_below("target"), *there = fault_format("%s%s", target, tree);
	upkeep_test_set(site, "target", target);
	site_expect(site, upkeep_test_run(site, "restore"), UPKEEP_CHANGED);
	char *before = look_at(tree), *after = look_at(there);
	site_expect_same(before, after);
	char *texts[] = {first, last, target, there, before, after};
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
	upkeep_test_free(host);
	upkeep_test_free(site);
}

/* It can only build upon what it remembers, and upon that only while the store vouches for it. */
static void test_a_host_that_remembers_nothing_stores_all(void **state)
{
	(void)state;
	struct upkeep_test *host = host_open();
	char *memory = site_below("host-keyring/memory");
	free(site_create(host, "forgot", tree));
	look_remove(memory);
	free(site_create(host, "forgot", tree));
	assert_string_equal(upkeep_test_output(host, "unchanged"), "0");
	assert_non_null(strstr(upkeep_test_log(host), "is not built upon: "));
	assert_non_null(strstr(upkeep_test_log(host), "no secret key of a recipient"));
	char *id = site_create(host, "forgot", tree);
	assert_string_equal(upkeep_test_output(host, "unchanged"), "3");
	char *signature = fault_format("%s/store/%s/manifest.sig", site_dir, id);
	assert_int_equal(truncate(signature, 20), 0);
	free(id);
	id = site_create(host, "forgot", tree);
	assert_string_equal(upkeep_test_output(host, "unchanged"), "0");
	free(memory), free(signature), free(id);
	upkeep_test_free(host);
}

static void test_what_one_site_verified_others_see(void **state)
{
	(void)state;
	struct upkeep_test *host = host_open(), *site = reader_open();
	bool by = true;
	char *id = site_create(host, "seen", tree), *ledger = site_below("keyring/ledger");
	verify(site, id, UPKEEP_UNCHANGED);
	assert_string_equal(level_of(site, "seen", id, &by), "full");
	assert_false(by);
	/* a host that was not told whom to believe does not */
	assert_string_equal(level_of(host, "seen", id, NULL), "");
	upkeep_test_free(host);
	host = host_open();
	upkeep_test_setting_add(host, "verifiers", site_key);
	assert_string_equal(level_of(host, "seen", id, &by), "full");
	assert_true(by);
	/* nor is it lost with the site's own state, and prune goes by it */
	look_remove(ledger);
	assert_string_equal(level_of(site, "seen", id, &by), "full");
	assert_true(by);
	clock_advance(1100);
	free(site_create(host, "seen", tree));
	char *last = site_create(host, "seen", tree);
	verify(site, last, UPKEEP_UNCHANGED);
	upkeep_test_free(host);
	host = host_open();
	upkeep_test_setting_add(host, "verifiers", site_key);
	upkeep_test_set(host, "name", "seen");
	upkeep_test_set(host, "keep_within", "1s");
	clock_advance(1100);
	site_expect(host, upkeep_test_run(host, "prune"), UPKEEP_CHANGED);
	assert_string_equal(level_of(host, "seen", last, NULL), "full");
	/* what fails is told too */
	char *manifest = fault_format("%s/store/%s/needs", site_dir, last);
	assert_int_equal(unlink(manifest), 0);
	clock_advance(1100);
	verify(site, last, UPKEEP_FAILED);
	assert_string_equal(level_of(host, "seen", last, &by), "failed");
	assert_true(by);
	free(id), free(ledger), free(last), free(manifest);
	upkeep_test_free(host);
	upkeep_test_free(site);
}

/* The note of a backup; the caller frees the path. */
static char *find_note(const char *id)
{
	char *group = fault_format("%s/store/%s", site_dir, id), *path = NULL;
	DIR *dir = opendir(group);
	for (struct dirent *e; (e = readdir(dir));)
		if (strncmp(e->d_name, "verified~", 9) == 0) {
			assert_null(path); /* older ones are gone */
			path = fault_format("%s/%s", group, e->d_name);
		}
	closedir(dir);
	assert_non_null(path);
	free(group);
	return path;
}

static void test_forged_notes_are_not_believed(void **state)
{
	(void)state;
	struct upkeep_test *host = host_open(), *site = reader_open();
	char *ledger = site_below("keyring/ledger");
	char *good = site_create(host, "forged", tree), *bad = site_create(host, "forged", tree);
	verify(site, good, UPKEEP_UNCHANGED);
	clock_advance(1100);
	verify(site, good, UPKEEP_UNCHANGED);
	/* that of another backup; one that is no signature; the manifest's own signature */
	char *note = find_note(good), *group = fault_format("%s/store/%s", site_dir, bad);
	char *copies[3];
	for (int i = 0; i < 3; i++)
		copies[i] = fault_format(
			"%s/verified~%lld~%.16s", group, (long long)time(NULL) + 100 * i, site_key);
	char *signature = fault_format("%s/manifest.sig", group);
	assert_int_equal(link(note, copies[0]), 0);
	look_write(group, strrchr(copies[1], '/') + 1, "{\"verified\": \"full\"}");
	assert_int_equal(link(signature, copies[2]), 0);
	look_remove(ledger);
	assert_string_equal(level_of(site, "forged", bad, NULL), "");
	assert_string_equal(level_of(site, "forged", good, NULL), "full");
	/* nor is a note a signature of the manifest */
	assert_int_equal(unlink(signature) + link(copies[0], signature), 0);
	assert_string_equal(level_of(site, "forged", bad, NULL), "not trusted");
	/* the host's word is believed for what it stores, not that it is good */
	upkeep_test_free(host);
	char *none = host_key;
	host_key = NULL; /* sealed to itself: it can verify */
	host = host_open();
	host_key = none;
	char *own = site_create(host, "own", tree);
	verify(host, own, UPKEEP_UNCHANGED);
	assert_string_equal(level_of(host, "own", own, NULL), "full");
	free(note);
	note = find_note(own);
	assert_string_equal(level_of(site, "own", own, NULL), "");
	char *texts[] = {
		ledger, good, bad, note, group, signature, own, copies[0], copies[1], copies[2]};
	for (size_t i = 0; i < UPKEEP_COUNT(texts); i++)
		free(texts[i]);
	upkeep_test_free(host);
	upkeep_test_free(site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_host_stores_what_it_cannot_read),
		cmocka_unit_test(test_a_host_that_remembers_nothing_stores_all),
		cmocka_unit_test(test_what_one_site_verified_others_see),
		cmocka_unit_test(test_forged_notes_are_not_believed),
	};
	return !!cmocka_run_group_tests(tests, setup, teardown);
}
