/* SPDX-License-Identifier: MIT */
/*
 * Admission and the fake host, compiled with the header of a later minor: what they make of a
 * plugin of 1.0, of today, and of their own age.
 *	later-host FILE.so older|same    runs "act" and its undo; prints the output "later"
 */
#include "testing/fake.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static int32_t later(struct upkeep_ctx *ctx)
{
	(void)ctx;
	return 99;
}

static int fault(const char *what)
{
	printf("fault: %s\n", what);
	return 1;
}

static int check_tables(struct admitted *admitted, bool older)
{
	const struct upkeep_action *first = admitted_action(admitted, "first");
	const struct upkeep_action *act = admitted_action(admitted, "act");
	size_t stride = older ? 88 : sizeof(struct upkeep_param);

	if (!first || !act || act->param_count != 2 || act->output_count != 2)
		return fault("an action or its tables are lost");
	if (admitted->plugin.param_stride != stride)
		return fault("the plugin is not of the age that was said");
	if (strcmp(act->params[1].name, "text") != 0 || strcmp(act->outputs[1].name, "later") != 0 ||
		act->changes != UPKEEP_CHANGES_RECORDED || first->changes != UPKEEP_CHANGES_UNKNOWN)
		return fault("a second element is damaged");
	for (size_t i = 0; i < 2; i++)
		if (act->params[i].later[0] || act->params[i].later[1] || act->outputs[i].later[0])
			return fault("a field that the author did not know is not 0");
	return first->later || act->later || admitted->plugin.later
		? fault("a callback that the author did not know is not NULL") : 0;
}

int main(int argc, char **argv)
{
	void *handle = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
	const struct upkeep_plugin *plugin = handle ? dlsym(handle, "upkeep_plugin") : NULL;
	struct upkeep_test *test = plugin ? upkeep_test_new(plugin) : NULL;

	if (!test)
		return fault("the plugin was refused");
	if (check_tables(&test->admitted, strcmp(argv[2], "older") == 0))
		return 1;
	struct upkeep_host host = fake_host;
	host.later = later;
	test->ctx.host = &host;
	test->ctx.later = 99;
	if (upkeep_test_run(test, "act") != UPKEEP_CHANGED)
		return fault("it did not run");
	if (upkeep_test_rows(test, "table") != 1 || !upkeep_test_cell(test, "table", 0, "b") ||
		upkeep_test_record(test, 0)->later != 0)
		return fault("what it passed is damaged");
	printf("later=%s\n", upkeep_test_output(test, "later"));
	if (upkeep_test_undo(test, "act") != UPKEEP_CHANGED)
		return fault("it was not undone");
	upkeep_test_free(test);
	return 0;
}
