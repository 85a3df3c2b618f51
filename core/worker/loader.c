/* SPDX-License-Identifier: MIT */
/*
 * libltdl's own dlopen loader binds lazily, so that an undefined function kills the
 * plugin at its first call, and reports every failure as "file not found".  This one
 * binds at once and keeps what dlerror said.
 */
#include "worker/loader.h"

#include "base/cleanup.h"

#include <dlfcn.h>
#include <errno.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libltdl hands no data to a loader: the one reason for a static here. */
static char reason[1024];

static lt_module open_now(lt_user_data data, const char *file, lt_dladvise advise)
{
	(void)data;
	(void)advise;
	void *module = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!module)
		snprintf(reason, sizeof reason, "%s", dlerror());
	return module;
}

static int add_loader(struct error *err)
{
	static lt_dlvtable loader;
	const lt_dlvtable *plain;

	if (lt_dlinit() != 0 || !(plain = lt_dlloader_find("lt_dlopen")))
		return error_set(err, -ENOSYS, NULL, "libltdl cannot start: %s", lt_dlerror());
	loader = *plain;
	loader.name = "upkeep";
	loader.module_open = open_now;
	loader.dlloader_init = NULL;
	loader.dlloader_exit = NULL;
	loader.priority = LT_DLLOADER_PREPEND;
	if (lt_dlloader_add(&loader) != 0)
		return error_set(err, -ENOSYS, NULL, "libltdl cannot start: %s", lt_dlerror());
	free(lt_dlloader_remove("lt_dlopen")); /* or it would try once more, lazily */
	return 0;
}

/* The linker names the file by its descriptor: say its path instead. */
static const char *reason_without_file(const char *file)
{
	size_t size = strlen(file);

	if (strncmp(reason, file, size) == 0 && strncmp(reason + size, ": ", 2) == 0)
		return reason + size + 2;
	return reason[0] ? reason : "it is not a shared object";
}

int plugin_load(int fd, const char *path, const struct upkeep_plugin **ret, struct error *err)
{
	char file[32];

	snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
	int r = add_loader(err);
	if (r < 0)
		return r;
	lt_dlhandle handle = lt_dlopen(file);
	if (!handle)
		return error_set(err, -EPROTO,
			"build it for this machine with all its symbols (link with "
			"-Wl,-z,defs), and install the libraries that it needs (ldd FILE.so)",
			"plugin %s cannot be loaded: %s", path, reason_without_file(file));
	*ret = lt_dlsym(handle, "upkeep_plugin");
	if (!*ret)
		return error_set(err, -EPROTO,
			"define it with UPKEEP_PLUGIN(...) of upkeep/plugin.h",
			"%s is not a plugin: it has no symbol \"upkeep_plugin\"", path);
	return 0;
}
