/* SPDX-License-Identifier: MIT */
/* A whole site out of one input: "SITE FILE \n%%%%\n GRAPH FILE", through the pre-scan,
 * libconfig and the model, with the messages printed. */
#include "../cases/catalog.h"

#include "config/config.h"
#include "plan/build.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEPARATOR "\n%%%%\n"
#define SITE_SIZE_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

static void remove_dir(void)
{
	file_remove_tree(AT_FDCWD, dir, NULL);
}

static void store(const char *name, const void *bytes, size_t size)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (file_store(path, bytes, size, 0600, false, NULL) < 0)
		abort();
}

static void build_plans(const struct site *site, struct diagnostics *diagnostics)
{
	struct plan_options options = {.check_only = true};

	for (uint32_t i = 0; i < site->graph_count; i++) {
		struct error CLEANUP_ERROR err = {0};
		struct plan *plan = NULL;
		if (!site->graphs[i].faulty &&
			plan_build(site, &site->graphs[i], &options, &plan, diagnostics, &err) == 0)
			plan_free(plan);
	}
}

static void load(void)
{
	char path[128];
	struct config_options options = {.path = path};
	struct diagnostics diagnostics = {0};
	struct error CLEANUP_ERROR err = {0};
	struct text CLEANUP_TEXT out = {0};
	struct site *site = NULL;

	snprintf(path, sizeof path, "%s/upkeep.conf", dir);
	if (config_load(&options, fake_catalog(), &site, &diagnostics, &err) < 0)
		abort();
	build_plans(site, &diagnostics);
	diagnostics_print(&diagnostics, site, &out);
	/* What libconfig alone refuses is missing in the pre-scan. */
	vec_each(&diagnostics.list, d)
		if (text_starts(d->what, "libconfig: ")) {
			fputs(text_string(&out), stderr);
			abort();
		}
	site_free(site);
	diagnostics_free(&diagnostics);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char site[] =
		"graphs = [ \"g.conf\" ]; locks = [ \"l\" ]; pools = { p = 2; };";
	const uint8_t *cut = size ? memmem(data, size, SEPARATOR, strlen(SEPARATOR)) : NULL;

	if (!dir[0]) {
		snprintf(dir, sizeof dir, "/tmp/upkeep-fuzz-XXXXXX");
		if (!mkdtemp(dir))
			abort();
		atexit(remove_dir);
	}
	if (size > SITE_SIZE_MAX)
		return 0;
	if (cut) {
		store("upkeep.conf", data, (size_t)(cut - data));
		cut += strlen(SEPARATOR);
		store("g.conf", cut, size - (size_t)(cut - data));
	} else {
		store("upkeep.conf", site, sizeof site - 1);
		store("g.conf", data, size);
	}
	load();
	return 0;
}
