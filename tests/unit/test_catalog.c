/* SPDX-License-Identifier: MIT */
/* The catalog, with plugins that are built here for the purpose. */
#include "tests/program.h"
#include "tests/unit.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "catalog/catalog.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/upkeep-catalog-XXXXXX";
static char cache[64], program[4096];

static void compile(const char *name, const char *define)
{
	char source[4096], out[128], include[4096];
	const char *top = getenv("top_srcdir");

	snprintf(source, sizeof source, "%s/tests/compat/fixture.c", top ? top : ".");
	snprintf(include, sizeof include, "-I%s/plugin-api", top ? top : ".");
	snprintf(out, sizeof out, "%s/%s.so", dir, name);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("cc", "cc", "-std=gnu17", "-shared", "-fPIC", include, define, "-o", out,
			source, (char *)NULL);
		_exit(127);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	chmod(out, 0755);
}

static struct catalog *make(void)
{
	const char *dirs[] = {dir};
	struct catalog_options options = {.dirs = dirs,
		.dir_count = 1,
		.cache_dir = cache,
		.program = program,
		.describe_ms = 1500};
	struct catalog *catalog;
	CLEANUP_ERROR struct error err = {0};

	if (catalog_new(&options, &catalog, &err) < 0)
		fail_msg("%s", error_what(&err));
	return catalog;
}

static int refuses(const char *name, const char *why)
{
	struct catalog *catalog = make();
	CLEANUP_ERROR struct error err = {0};
	int r = catalog_find(catalog, name, NULL, NULL, &err);

	if (r == 0 || !strstr(error_what(&err), why))
		fail_msg("expected \"%s\", got %d \"%s\"", why, r, error_what(&err));
	assert_non_null(err.next);
	catalog_free(catalog);
	return r;
}

static void test_describes_and_caches(void **state)
{
	const struct plugin_description *plugin;
	CLEANUP_ERROR struct error err = {0};
	const char *path;
	char file[128];
	struct stat first, second;

	(void)state;
	compile("fixture", "-DGOOD");
	struct catalog *catalog = make();
	if (catalog_find(catalog, "fixture", &path, &plugin, &err) < 0)
		fail_msg("%s", error_what(&err));
	assert_string_equal(plugin->actions[0].decl.name, "act");
	assert_string_equal(plugin->actions[0].decl.params[0].name, "n");
	assert_true(text_ends(path, "/fixture.so"));
	assert_string_equal(catalog_names(catalog)[0], "fixture");
	catalog_free(catalog);
	snprintf(file, sizeof file, "%s/fixture.desc", cache);
	assert_int_equal(stat(file, &first), 0);

	/* The second time nothing is spawned. */
	char saved[sizeof program];
	strcpy(saved, program);
	strcpy(program, "/nonexistent");
	catalog = make();
	assert_int_equal(catalog_find(catalog, "fixture", NULL, &plugin, &err), 0);
	catalog_free(catalog);
	/* A cache that others can write is not believed. */
	chmod(file, 0666);
	catalog = make();
	assert_true(catalog_find(catalog, "fixture", NULL, &plugin, &err) < 0);
	catalog_free(catalog);
	strcpy(program, saved);
	/* A changed plugin is described anew. */
	chmod(file, 0600);
	compile("fixture", "-DGOOD");
	catalog = make();
	assert_int_equal(catalog_find(catalog, "fixture", NULL, &plugin, &err), 0);
	assert_int_equal(stat(file, &second), 0);
	assert_true(first.st_ino != second.st_ino);
	catalog_free(catalog);
}

static void test_bad_constructors(void **state)
{
	(void)state;
	compile("crash", "-DCRASH");
	assert_int_equal(refuses("crash", "crashed while it was loaded: signal 11"), -EPROTO);
	compile("quit", "-DQUIT");
	assert_int_equal(refuses("quit", "ended the process that loaded it (exit 3)"), -EPROTO);
	compile("hang", "-DHANG");
	int64_t before_ms = clock_monotonic_ms();
	assert_int_equal(refuses("hang", "did not describe itself within 1500 ms"), -EPROTO);
	assert_true(clock_monotonic_ms() - before_ms < 4000);
}

static void test_missing_and_unsafe(void **state)
{
	CLEANUP_ERROR struct error err = {0};
	char open_dir[64], so[128];

	(void)state;
	assert_int_equal(refuses("fixtur", "plugin \"fixtur\" is not installed"), -ENOENT);
	assert_int_equal(refuses("../fixture", "is not installed"), -ENOENT);
	struct catalog *catalog = make();
	snprintf(open_dir, sizeof open_dir, "%s/open", dir);
	mkdir(open_dir, 0777);
	chmod(open_dir, 0777);
	assert_int_equal(catalog_add_dir(catalog, open_dir, &err), -EPERM);
	assert_int_equal(catalog_add_dir(catalog, "relative", &err), -EINVAL);
	catalog_free(catalog);
	snprintf(so, sizeof so, "%s/fixture.so", dir);
	chmod(so, 0777);
	assert_int_equal(refuses("fixture", "can be changed by others"), -EPROTO);
	chmod(so, 0600);
	if (geteuid() == 0)
		assert_int_equal(refuses("fixture", "cannot be read by the users"), -EPROTO);
}

static int set_up(void **state)
{
	const char *top = getenv("top_builddir");

	(void)state;
	snprintf(program, sizeof program, "%s/core/upkeep", top ? top : ".");
	strcpy(program, program_copy(program));
	setenv("UPKEEP_PLUGIN_DIR", "/nonexistent", 1);
	umask(022);
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return -1;
	snprintf(cache, sizeof cache, "%s/cache", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describes_and_caches),
		cmocka_unit_test(test_bad_constructors),
		cmocka_unit_test(test_missing_and_unsafe),
	};

	return !!cmocka_run_group_tests(tests, set_up, tear_down);
}
