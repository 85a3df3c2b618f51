/* SPDX-License-Identifier: MIT */
#include "run/temp.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define PLACE "/tmp"
#define PREFIX "upkeep-"

int temp_dir_make(const char *run_id, char **ret_path)
{
	CLEANUP_TEXT struct text path = {0};

	text_addf(&path, PLACE "/" PREFIX "%s-XXXXXX", run_id);
	if (!mkdtemp(path.bytes))
		return -errno;
	*ret_path = text_take(&path);
	return 0;
}

/* Whoever makes one of such a name by hand loses it: links are not followed, mounts not crossed. */
int temp_dirs_remove(const char *run_id, struct error *err)
{
	CLEANUP_TEXT struct text prefix = {0};
	int first = 0;
	DIR *dir = opendir(PLACE);

	if (!dir)
		return error_set(err, -errno, NULL, "cannot read " PLACE ": %m");
	text_addf(&prefix, PREFIX "%s-", run_id);
	for (struct dirent *e; (e = readdir(dir));) {
		if (!text_starts(e->d_name, text_string(&prefix)))
			continue;
		int r = file_remove_tree(dirfd(dir), e->d_name, first ? NULL : err);
		first = first ? first : r;
	}
	closedir(dir);
	return first;
}
