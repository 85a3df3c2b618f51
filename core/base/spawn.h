/*
 * process_spawn: the one function that starts a program.
 *
 * clone3 (clone where the kernel, a filter or valgrind answers ENOSYS) with
 * CLONE_VM, CLONE_VFORK, CLONE_PIDFD; only raw system calls in the child; all
 * signals to their defaults and the mask emptied (what a process ignores or
 * handles must be settled before its first call).  The caller waits until the
 * child has executed or failed, so an exec error is returned here.
 */
#ifndef UPKEEP_BASE_SPAWN_H
#define UPKEEP_BASE_SPAWN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct process_limit {
	int resource; /* RLIMIT_... */
	struct rlimit value;
};

struct process_fd {
	int from, to; /* descriptor `from` of ours becomes `to` of the child's */
};

/* What to start; zero means the plain choice. */
struct process_spec {
	const char *path;             /* absolute; or NULL: exec_fd */
	int exec_fd;                  /* used where path is NULL: execveat with AT_EMPTY_PATH */
	char *const *argv;            /* NULL-terminated */
	char *const *envp;            /* NULL-terminated, the whole environment */
	const struct process_fd *fds; /* 0, 1, 2 not named here: /dev/null; every
	                               * descriptor not named is closed (close_range) */
	size_t fd_count;
	const char *cwd;        /* NULL: ours */
	bool new_group;         /* setpgid(0, 0) */
	bool new_session;       /* setsid() */
	bool parent_death_kill; /* PR_SET_PDEATHSIG SIGKILL, and a check of the parent */
	bool set_user;          /* groups, gid, uid in this order; then no_new_privs is
	                         * not set, so that su-like programs still work */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
	bool set_umask;
	mode_t umask;
	bool set_nice;
	int nice;
	const struct process_limit *limits; /* set after the cgroups are joined */
	size_t limit_count;
	const int *cgroup_fds; /* open descriptors of cgroup.procs files, joined by writing 0 */
	size_t cgroup_count;
	bool into_cgroup; /* CLONE_INTO_CGROUP; the child joins by itself where there is no clone3
	                   */
	int cgroup_dir;   /* descriptor of a v2 cgroup's directory */
	bool no_pidfd;    /* the caller waits by SIGCHLD: saves the descriptor */
};

struct process {
	pid_t pid;
	int pidfd; /* -1 where the kernel has none; close it after EPOLL_CTL_DEL */
};

/* 0, or a negative errno with a message that names the step that failed (exec,
 * cwd, user, limit, cgroup) and the program. */
int process_spawn(const struct process_spec *spec, struct process *ret_process, struct error *err);

/* What starts this program once more: /proc/self/exe, which holds after an upgrade too; the
 * name behind it where an emulator (valgrind) makes that link itself, but not for the kernel. */
const char *process_self(void);

/* Where `name` (without a slash) lies in the fixed search path; writes into
 * path[size].  -ENOENT where it is not found. */
int process_find(const char *name, char *path, size_t size);
#define PROCESS_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#endif
