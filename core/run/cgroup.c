/* SPDX-License-Identifier: MIT */
#include "run/cgroup.h"

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define LEFT "left"

const char *cgroup_mounts_path = "/proc/self/mountinfo";
const char *cgroup_own_path = "/proc/self/cgroup";

/* The mount point of the hierarchy `type` (with `controller` among its options),
 * and our own group in it: "/sys/fs/cgroup/pids" + "/user.slice". */
static char *find_mount(const char *type, const char *controller)
{
	CLEANUP_FILE FILE *mounts = fopen(cgroup_mounts_path, "re");
	char line[4096], *found = NULL;

	while (mounts && !found && fgets(line, sizeof line, mounts)) {
		char root[1024], point[1024], kind[64], options[512];
		char *dash = strstr(line, " - ");
		if (!dash || sscanf(line, "%*s %*s %*s %1023s %1023s", root, point) != 2 ||
			sscanf(dash, " - %63s %*s %511s", kind, options) != 2)
			continue;
		for (char *c = options; *c; c++)
			*c = *c == ',' ? ' ' : *c;
		if (strcmp(kind, type) == 0 && strcmp(root, "/") == 0 &&
			(!controller || text_in_words(controller, options)))
			found = base_string(point);
	}
	return found;
}

static char *find_own(const char *controller)
{
	CLEANUP_FILE FILE *groups = fopen(cgroup_own_path, "re");
	char line[4096];

	while (groups && fgets(line, sizeof line, groups)) {
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = 0;
		path[strcspn(path, "\n")] = 0;
		for (char *c = ++list; *c; c++)
			*c = *c == ',' ? ' ' : *c;
		if (controller ? text_in_words(controller, list) : !*list)
			return base_string(strcmp(path, "/") == 0 ? "" : path);
	}
	return NULL;
}

/* MOUNT/OWN, or NULL. */
static char *own_path(const char *type, const char *controller)
{
	CLEANUP_FREE char *mount = find_mount(type, controller);
	CLEANUP_FREE char *own = mount ? find_own(controller) : NULL;
	struct text path = {0};

	if (!own)
		return NULL;
	text_addf(&path, "%s%s", mount, own);
	return text_take(&path);
}

/* Makes MOUNT/OWN/NAME and returns its path, or NULL. */
static char *make_group(const char *type, const char *controller, const char *name)
{
	CLEANUP_FREE char *own = own_path(type, controller);
	CLEANUP_TEXT struct text path = {0};

	if (!own)
		return NULL;
	text_addf(&path, "%s/%s", own, name);
	if (mkdir(text_string(&path), 0755) < 0 && errno != EEXIST)
		return NULL;
	return text_take(&path);
}

void cgroups_open(struct cgroups *cgroups, const char *run_id)
{
	CLEANUP_TEXT struct text name = {0};

	*cgroups = (struct cgroups){.dir = -1};
	text_addf(&name, "upkeep-%s", run_id);
	cgroups->path = make_group("cgroup2", NULL, text_string(&name));
	cgroups->kind = CGROUP_V2;
	if (!cgroups->path) {
		cgroups->path = make_group("cgroup", "freezer", text_string(&name));
		cgroups->kind = CGROUP_FREEZER;
	}
	if (cgroups->path)
		cgroups->dir = open(cgroups->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroups->dir >= 0 && cgroups->kind == CGROUP_V2 &&
		faccessat(cgroups->dir, "cgroup.kill", W_OK, 0) < 0) { /* before Linux 5.14 */
		rmdir(cgroups->path);
		close(TAKE_FD(cgroups->dir));
	}
	if (cgroups->dir < 0)
		cgroups->kind = CGROUP_NONE;
	cgroups->name = text_take(&name);
}

static bool is_writable(const char *type, const char *controller)
{
	CLEANUP_FREE char *own = own_path(type, controller);

	return own && faccessat(AT_FDCWD, own, W_OK | X_OK, AT_EACCESS) == 0;
}

bool cgroups_possible(void)
{
	return is_writable("cgroup2", NULL) || is_writable("cgroup", "freezer");
}

static void write_at(int dir, const char *file, const char *text)
{
	CLEANUP_FD int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);

	/* A group that has gone meanwhile is as good as one that was written to. */
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		return;
}

typedef void child_visit(const struct cgroups *cgroups, const char *name, int dir, void *data);

static void each_child(struct cgroups *cgroups, child_visit *visit, void *data)
{
	int copy = cgroups->dir < 0 ? -1 : openat(cgroups->dir, ".", O_RDONLY | O_CLOEXEC);
	CLEANUP_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		CLEANUP_FD int child =
			openat(cgroups->dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (child >= 0)
			visit(cgroups, entry->d_name, child, data);
	}
}

static void remove_child(const struct cgroups *cgroups, const char *name, int dir, void *data)
{
	(void)dir;
	(void)data;
	unlinkat(cgroups->dir, name, AT_REMOVEDIR);
}

void cgroups_remove(struct cgroups *cgroups)
{
	if (cgroups->dir < 0)
		return;
	each_child(cgroups, remove_child, NULL);
	rmdir(cgroups->path);
}

void cgroups_close(struct cgroups *cgroups)
{
	if (cgroups->dir >= 0)
		close(cgroups->dir);
	free(cgroups->path);
	free(cgroups->name);
	*cgroups = (struct cgroups){.dir = -1};
}

/* A list of numbers, one on each line, read piece by piece. */
static void each_process(int procs, void (*found)(void *data, pid_t pid), void *data)
{
	UNFILLED char text[4096];
	off_t at = 0;
	ssize_t n;
	pid_t pid = 0;

	while ((n = pread(procs, text, sizeof text, at)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (pid > 0)
				found(data, pid);
			pid = 0;
		}
		if ((size_t)n < sizeof text / 2) /* only the last piece is so short */
			return;
		at += n;
	}
}

static void kill_one(void *data, pid_t pid)
{
	(void)data;
	kill(pid, SIGKILL);
}

/* Frozen, they cannot fork while they are counted. */
static void kill_frozen(int dir)
{
	CLEANUP_FD int procs = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);

	if (procs < 0)
		return;
	write_at(dir, "freezer.state", "FROZEN");
	each_process(procs, kill_one, NULL);
	write_at(dir, "freezer.state", "THAWED");
}

static void kill_dir(const struct cgroups *cgroups, int dir)
{
	if (cgroups->kind == CGROUP_V2)
		write_at(dir, "cgroup.kill", "1");
	else if (cgroups->kind == CGROUP_FREEZER)
		kill_frozen(dir);
}

static void kill_child(const struct cgroups *cgroups, const char *name, int dir, void *data)
{
	(void)data;
	if (strcmp(name, LEFT) != 0)
		kill_dir(cgroups, dir);
}

void cgroups_kill(struct cgroups *cgroups)
{
	each_child(cgroups, kill_child, NULL);
}

struct each_call {
	void (*found)(void *data, pid_t pid);
	void *data;
};

static void each_of_child(const struct cgroups *cgroups, const char *name, int dir, void *data)
{
	const struct each_call *call = data;
	CLEANUP_FD int procs = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);

	(void)cgroups;
	if (procs >= 0 && strcmp(name, LEFT) != 0)
		each_process(procs, call->found, call->data);
}

void cgroups_each(struct cgroups *cgroups, void (*found)(void *data, pid_t pid), void *data)
{
	each_child(cgroups, each_of_child, &(struct each_call){found, data});
}

int cgroup_open(const struct cgroups *cgroups, const char *name, struct cgroup *ret)
{
	*ret = (struct cgroup)CGROUP_INIT;
	if (cgroups->dir < 0)
		return 0;
	snprintf(ret->name, sizeof ret->name, "%s", name);
	if (mkdirat(cgroups->dir, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	ret->dir = openat(cgroups->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret->procs = ret->dir < 0 ? -1 : openat(ret->dir, "cgroup.procs", O_RDWR | O_CLOEXEC);
	if (cgroups->kind == CGROUP_V2 && ret->procs >= 0)
		ret->events = openat(ret->dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	return ret->procs < 0 ? -errno : 0;
}

void cgroup_close(struct cgroup *cgroup)
{
	if (cgroup->dir >= 0)
		close(cgroup->dir);
	if (cgroup->procs >= 0)
		close(cgroup->procs);
	if (cgroup->events >= 0)
		close(cgroup->events);
	*cgroup = (struct cgroup)CGROUP_INIT;
}

void cgroup_remove(const struct cgroups *cgroups, struct cgroup *cgroup)
{
	if (cgroup->dir >= 0)
		unlinkat(cgroups->dir, cgroup->name, AT_REMOVEDIR);
	cgroup_close(cgroup);
}

bool cgroup_is_populated(struct cgroup *cgroup)
{
	char text[256];

	if (cgroup->dir < 0 || !cgroup->used)
		return false;
	ssize_t n = pread(
		cgroup->events >= 0 ? cgroup->events : cgroup->procs, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = 0;
	cgroup->used = n > 0 && (cgroup->events < 0 || strstr(text, "populated 1"));
	return cgroup->used;
}

void cgroup_kill(const struct cgroups *cgroups, struct cgroup *cgroup)
{
	cgroup->spoiled = true;
	if (cgroup->dir >= 0)
		kill_dir(cgroups, cgroup->dir);
}

void cgroup_each(const struct cgroup *cgroup, void (*found)(void *data, pid_t pid), void *data)
{
	if (cgroup->procs >= 0)
		each_process(cgroup->procs, found, data);
}

static void move_one(void *data, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof text, "%d", (int)pid);
	if (write(*(int *)data, text, strlen(text)) < 0)
		return; /* it has ended meanwhile */
}

void cgroup_leave(const struct cgroups *cgroups, struct cgroup *cgroup)
{
	struct cgroup left;

	if (cgroup->dir < 0 || cgroup_open(cgroups, LEFT, &left) < 0)
		return;
	/* What forks while it is moved is found the next time round. */
	for (int i = 0; i < 100 && cgroup_is_populated(cgroup); i++)
		cgroup_each(cgroup, move_one, &left.procs);
	cgroup_close(&left);
}

void cgroup_join(const struct cgroups *cgroups, struct cgroup *cgroup, struct process_spec *spec)
{
	if (cgroup->dir < 0)
		return;
	cgroup->used = true;
	if (cgroups->kind == CGROUP_V2) {
		spec->into_cgroup = true;
		spec->cgroup_dir = cgroup->dir;
	} else {
		spec->cgroup_fds = &cgroup->procs;
		spec->cgroup_count = 1;
	}
}

static const char *const controllers[] = {"pids", "memory"};
static const char *const limit_files[] = {"pids.max", "memory.limit_in_bytes"};

/* Has a group of v2 that we make a pids controller?  Our own group hands it on then. */
static bool unified_limits(const char *name)
{
	CLEANUP_FREE char *own = own_path("cgroup2", NULL);
	CLEANUP_FREE char *path = make_group("cgroup2", NULL, name);
	CLEANUP_FD int own_dir = path ? open(own, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	CLEANUP_FD int dir = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (own_dir < 0 || dir < 0)
		return false;
	write_at(own_dir, "cgroup.subtree_control", "+pids");
	bool works = faccessat(dir, "pids.max", W_OK, AT_EACCESS) == 0;
	rmdir(path);
	return works;
}

int cgroup_limit_check(bool processes, struct error *err)
{
	const char *controller = controllers[processes ? 0 : 1];
	CLEANUP_TEXT struct text name = {0};

	text_addf(&name, "upkeep-check-%d", (int)getpid());
	CLEANUP_FREE char *path = make_group("cgroup", controller, text_string(&name));
	if (!path && processes && unified_limits(text_string(&name)))
		return 0;
	if (!path)
		return error_set(err, -ENOTSUP,
			"remove the limit, or run as root where the "
			"kernel has that controller",
			"limits.%s cannot be kept here: no writable cgroup with the controller "
			"\"%s\"",
			processes ? "processes" : "memory", controller);
	rmdir(path);
	return 0;
}

/* -ENOTSUP: there is no such controller. */
static int limit_make(struct cgroup_limit *limit, unsigned which, const char *name, uint64_t value,
	struct error *err)
{
	char text[32];

	char *path = make_group("cgroup", controllers[which], name);
	if (!path)
		return error_set(err, -ENOTSUP, NULL,
			"no writable cgroup with the controller "
			"\"%s\"",
			controllers[which]);
	limit->paths[which] = path;
	CLEANUP_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	CLEANUP_FD int file = dir < 0 ? -1 : openat(dir, limit_files[which], O_WRONLY | O_CLOEXEC);
	if (file < 0 || write(file, text, strlen(text)) < 0)
		return error_set(
			err, -errno, NULL, "cannot set %s of %s: %m", limit_files[which], path);
	int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, NULL, "cannot open cgroup.procs of %s: %m", path);
	limit->procs[limit->count++] = fd;
	return 0;
}

/* On the group itself; of the members of a gang, which share one, the largest counts. */
static int limit_unified(
	const struct cgroups *cgroups, struct cgroup *cgroup, uint64_t processes, struct error *err)
{
	char text[32];

	if (cgroup->processes >= processes)
		return 0;
	write_at(cgroups->dir, "cgroup.subtree_control", "+pids");
	CLEANUP_FD int file = openat(cgroup->dir, "pids.max", O_WRONLY | O_CLOEXEC);
	snprintf(text, sizeof text, "%llu", (unsigned long long)processes);
	if (file < 0 || write(file, text, strlen(text)) < 0)
		return error_set(err, -errno, NULL, "cannot set pids.max of %s/%s: %m",
			cgroups->path, cgroup->name);
	cgroup->processes = processes;
	cgroup->spoiled = true;
	return 0;
}

int cgroup_limit_open(const struct cgroups *cgroups, struct cgroup *cgroup, const char *name,
	uint64_t processes, uint64_t memory_bytes, struct cgroup_limit *ret, struct error *err)
{
	*ret = (struct cgroup_limit){0};
	int r = processes ? limit_make(ret, 0, name, processes, err) : 0;
	if (r == -ENOTSUP && cgroups->kind == CGROUP_V2) {
		if (err)
			error_clear(err);
		r = cgroup->dir < 0 ? 0 : limit_unified(cgroups, cgroup, processes, err);
	}
	if (r == 0 && memory_bytes)
		r = limit_make(ret, 1, name, memory_bytes, err);
	if (r < 0)
		cgroup_limit_close(ret);
	return r;
}

void cgroup_limit_close(struct cgroup_limit *limit)
{
	for (unsigned i = 0; i < limit->count; i++)
		close(limit->procs[i]);
	for (unsigned i = 0; i < 2; i++) {
		if (limit->paths[i])
			rmdir(limit->paths[i]);
		free(limit->paths[i]);
	}
	*limit = (struct cgroup_limit){0};
}
