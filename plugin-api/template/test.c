/* Tests of @NAME@, against the host in memory: no upkeep needed. */
#include <upkeep/testing.h>

#include <assert.h>
#include <unistd.h>

int main(void)
{
	struct upkeep_test *t = upkeep_test_new(&upkeep_plugin);
	char path[4096];

	assert(t);
	snprintf(path, sizeof path, "%s/note", upkeep_test_temp_path(t));
	assert(upkeep_test_run(t, "note") == UPKEEP_TEST_WRONG); /* "path" is missing */
	upkeep_test_set(t, "path", path);
	upkeep_test_set(t, "times", "3");

	assert(upkeep_test_plan(t, "note") == UPKEEP_CHANGED);
	assert(upkeep_test_woulds(t) == 1 && access(path, F_OK) < 0);

	assert(upkeep_test_run(t, "note") == UPKEEP_CHANGED);
	assert(strcmp(upkeep_test_output(t, "bytes"), "18") == 0);
	assert(upkeep_test_probe_record(t, "note", 0) == UPKEEP_DONE);
	assert(upkeep_test_run(t, "note") == UPKEEP_UNCHANGED);

	assert(upkeep_test_undo(t, "note") == UPKEEP_CHANGED);
	assert(access(path, F_OK) < 0);
	assert(upkeep_test_undo_record(t, "note", 0) == UPKEEP_UNCHANGED); /* twice */
	upkeep_test_free(t);
	return 0;
}
