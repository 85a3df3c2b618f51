/* SPDX-License-Identifier: MIT */
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "look.h"
#include "site.h"
#include "support/fault.h"

char site_dir[64];
char *site_key;

struct upkeep_test *site_open(void)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	assert_non_null(t);
	char *store = fault_format("%s/store", site_dir),
	     *keyring = fault_format("%s/keyring", site_dir);
	upkeep_test_setting(t, "stores[0].name", "local");
	upkeep_test_setting(t, "stores[0].path", store);
	upkeep_test_setting(t, "keyring", keyring);
	free(store);
	free(keyring);
	return t;
}

void site_expect(struct upkeep_test *t, int32_t got, int32_t wanted)
{
	if (got != wanted)
		fprintf(stderr, "got %d: %s (%s)\n%s", got, upkeep_test_what(t), upkeep_test_why(t),
			upkeep_test_log(t));
	assert_int_equal(got, wanted);
}

char *site_below(const char *name)
{
	return fault_format("%s/%s", site_dir, name);
}

char *site_create(struct upkeep_test *t, const char *name, const char *path)
{
	upkeep_test_clear(t);
	upkeep_test_set(t, "name", name);
	upkeep_test_add(t, "paths", path);
	site_expect(t, upkeep_test_run(t, "create"), UPKEEP_CHANGED);
	return fault_format("%s", upkeep_test_output(t, "id"));
}

int site_setup(void **state)
{
	(void)state;
	snprintf(site_dir, sizeof site_dir, "/tmp/upkeep-backup-XXXXXX");
	if (!mkdtemp(site_dir))
		return -1;
	struct upkeep_test *t = site_open();
	upkeep_test_set(t, "create_key", "true");
	site_expect(t, upkeep_test_run(t, "init"), UPKEEP_CHANGED);
	site_key = fault_format("%s", upkeep_test_output(t, "fingerprint"));
	site_expect(t, upkeep_test_run(t, "init"), UPKEEP_UNCHANGED);
	upkeep_test_free(t);
	return 0;
}

int site_teardown(void **state)
{
	(void)state;
	look_remove(site_dir);
	free(site_key);
	return 0;
}

/* The first line in which they differ, so that a failure can be read. */
void site_expect_same(const char *before, const char *after)
{
	size_t line = 0;
	for (size_t i = 0; before[i] && before[i] == after[i]; i++)
		if (before[i] == '\n')
			line = i + 1;
	if (strcmp(before, after) != 0)
		fail_msg("before: %.*s\nafter:  %.*s", (int)strcspn(before + line, "\n"),
			before + line, (int)strcspn(after + line, "\n"), after + line);
}

void site_end_orphans(void)
{
	char path[64];
	int pid;
	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	FILE *f = fopen(path, "r");
	while (f && fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	if (f)
		fclose(f);
	while (waitpid(-1, NULL, 0) > 0)
		;
}
