/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 1024

static bool is_user(const struct user *user, const char *name, const char *group)
{
	return text_equal(user->key_name, name) && text_equal(user->key_group, group);
}

static int find_group(const char *name, gid_t *ret, struct error *err)
{
	errno = 0;
	const struct group *group = getgrnam(name);
	if (!group)
		return error_set(
			err, errno ? -errno : -ENOENT, NULL, "there is no group \"%s\"", name);
	*ret = group->gr_gid;
	return 0;
}

static int fill_user(struct engine *engine, struct user *user, struct error *err)
{
	const char *name = user->key_name;

	errno = 0;
	const struct passwd *entry = name ? getpwnam(name) : getpwuid(geteuid());
	if (!entry && name)
		return error_set(
			err, errno ? -errno : -ENOENT, NULL, "there is no user \"%s\"", name);
	user->uid = entry ? entry->pw_uid : geteuid();
	user->gid = name ? entry->pw_gid : getegid();
	user->name = arena_string(&engine->arena, entry ? entry->pw_name : "");
	user->home = arena_string(&engine->arena, entry ? entry->pw_dir : "/");
	user->home_variable = arena_printf(&engine->arena, "HOME=%s", user->home);
	user->user_variable = arena_printf(&engine->arena, "USER=%s", user->name);
	user->logname_variable = arena_printf(&engine->arena, "LOGNAME=%s", user->name);
	int r = user->key_group ? find_group(user->key_group, &user->gid, err) : 0;
	if (r < 0)
		return r;
	int count = GROUPS_MAX;
	user->groups = base_alloc(GROUPS_MAX * sizeof user->groups[0]);
	if (name)
		r = getgrouplist(user->name, user->gid, user->groups, &count);
	else
		r = count = getgroups(GROUPS_MAX, user->groups);
	if (r < 0)
		return error_set(err, -E2BIG, NULL, "cannot list the groups of \"%s\"", user->name);
	user->group_count = (size_t)count;
	user->other = user->uid != geteuid() || user->gid != getegid();
	return 0;
}

const struct user *engine_user(
	struct engine *engine, const struct task_options *options, struct error *err)
{
	vec_each(&engine->users, u)
		if (is_user(*u, options->run_as, options->run_as_group))
			return *u;
	struct user *user = base_alloc(sizeof *user);
	user->key_name = options->run_as;
	user->key_group = options->run_as_group;
	if (fill_user(engine, user, err) < 0) {
		free(user->groups);
		free(user);
		return NULL;
	}
	vec_push(&engine->users, user);
	return user;
}
