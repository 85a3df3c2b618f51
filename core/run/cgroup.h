/*
 * Cgroups of a run: one group for the run with a child per slot and per worker,
 * so that whatever a task leaves behind can be found and ended.  On any writable
 * v2 mount (cgroup.kill works without controllers), else under the v1 freezer.
 * Where limits ask for it, a group of the v1 pids or memory controller is joined too; with
 * the pids controller of v2 the limit is set on the slot's and the worker's own group.
 */
#ifndef UPKEEP_RUN_CGROUP_H
#define UPKEEP_RUN_CGROUP_H

#include "base/error.h"
#include "base/spawn.h"

#include <stdbool.h>
#include <stdint.h>

enum cgroup_kind { CGROUP_NONE, CGROUP_V2, CGROUP_FREEZER };

/* The run's group.  Made before keeper and engine part; both hold it. */
struct cgroups {
	enum cgroup_kind kind;
	int dir;    /* descriptor of the run's group, -1: none */
	char *path; /* of the same, for removal and for /proc/PID/cgroup */
	char *name; /* last part of the path: "upkeep-ID" */
};

/* One child. */
struct cgroup {
	int dir, procs, events; /* -1: none */
	bool used;              /* something was started in it since it was last seen empty */
	bool spoiled;       /* was killed: from Linux 6.13 on, whatever CLONE_INTO_CGROUP starts in
	                     * a group that was ever killed can be killed too; or it has a limit of its
	                     * own: make it anew */
	uint64_t processes; /* v2: the limit set on it; 0: none */
	char name[32];
};
#define CGROUP_INIT                                  \
	{                                            \
		.dir = -1, .procs = -1, .events = -1 \
	}

/* Never fails: where nothing is writable the kind is CGROUP_NONE. */
void cgroups_open(struct cgroups *cgroups, const char *run_id);
/* Would it find one?  Makes nothing. */
bool cgroups_possible(void);
/* Removes the groups (all must be empty but "left", which then stays). */
void cgroups_remove(struct cgroups *cgroups);
void cgroups_close(struct cgroups *cgroups);
/* Kills all that is in the run's group but in its "left" child.  Does not wait. */
void cgroups_kill(struct cgroups *cgroups);

/* Calls back for each process in the run's group but in its "left" child. */
void cgroups_each(struct cgroups *cgroups, void (*found)(void *data, pid_t pid), void *data);

/* Makes the child NAME, or none where there are no cgroups. */
int cgroup_open(const struct cgroups *cgroups, const char *name, struct cgroup *ret);
void cgroup_close(struct cgroup *cgroup);
void cgroup_remove(const struct cgroups *cgroups, struct cgroup *cgroup);
/* Has it a process?  False also where there is no cgroup, and without asking the kernel where
 * nothing was started in it since it was last seen empty. */
bool cgroup_is_populated(struct cgroup *cgroup);
/* Ends all in it at once (SIGKILL).  Does not wait. */
void cgroup_kill(const struct cgroups *cgroups, struct cgroup *cgroup);
/* Moves all in it into the run's child "left", which the keeper spares. */
void cgroup_leave(const struct cgroups *cgroups, struct cgroup *cgroup);
/* Calls back for each process in it. */
void cgroup_each(const struct cgroup *cgroup, void (*found)(void *data, pid_t pid), void *data);
/* Asks for a process to be started in it. */
void cgroup_join(const struct cgroups *cgroups, struct cgroup *cgroup, struct process_spec *spec);

/* A group of the pids or memory controller for one task or worker. */
struct cgroup_limit {
	char *paths[2]; /* of pids and memory, NULL: none */
	int procs[2];   /* for process_spec.cgroup_fds */
	unsigned count;
};
/* Can limits.processes (limits.memory) be kept here?  -ENOTSUP with a message. */
int cgroup_limit_check(bool processes, struct error *err);
/* Groups of v1 are made anew; a limit of v2 is set on `cgroup`, where the processes start. */
int cgroup_limit_open(const struct cgroups *cgroups, struct cgroup *cgroup, const char *name,
	uint64_t processes, uint64_t memory_bytes, struct cgroup_limit *ret, struct error *err);
/* Removes it; what is in it must have ended. */
void cgroup_limit_close(struct cgroup_limit *limit);

/* Where mounts and our own groups are read; tests point them elsewhere. */
extern const char *cgroup_mounts_path, *cgroup_own_path;

#endif
