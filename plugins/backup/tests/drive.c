/* SPDX-License-Identifier: MIT */
/* drive DIR ACTION NAME=VALUE...: runs one action with store and keyring in DIR; for the
 * bench.  A value that begins with "[" is a list of one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <upkeep/testing.h>

#include "support/fault.h"

static void set_argument(struct upkeep_test *t, char *word)
{
	char *value = strchr(word, '=');
	if (!value)
		return;
	*value++ = 0;
	if (value[0] == '[')
		upkeep_test_add(t, word, value + 1);
	else
		upkeep_test_set(t, word, value);
}

int main(int argc, char **argv)
{
	struct upkeep_test *t = argc < 3 ? NULL : upkeep_test_new(&upkeep_plugin);
	if (!t)
		return 64;
	char *store = fault_format("%s/store", argv[1]);
	char *keyring = fault_format("%s/keyring", argv[1]);
	upkeep_test_setting(t, "stores[0].name", "local");
	upkeep_test_setting(t, "stores[0].path", store);
	upkeep_test_setting(t, "keyring", keyring);
	for (int i = 3; i < argc; i++)
		set_argument(t, argv[i]);
	int32_t r = upkeep_test_run(t, argv[2]);
	if (r < 0)
		fprintf(stderr, "%s\n%s", upkeep_test_what(t), upkeep_test_log(t));
	upkeep_test_free(t);
	free(store);
	free(keyring);
	return r < 0;
}
