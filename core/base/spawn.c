/* SPDX-License-Identifier: MIT */
#include "base/spawn.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child runs in our memory on a piece of our stack: nothing in it may be
 * instrumented, allocate, or call what the C library locks. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined"), noinline))
#define STACK_BYTES 16384u
#define FDS_MAX 32u
#define KERNEL_SIGNALS 64

enum step {
	STEP_NONE,
	STEP_GROUP,
	STEP_FD,
	STEP_CGROUP,
	STEP_LIMIT,
	STEP_USER,
	STEP_NICE,
	STEP_CWD,
	STEP_PARENT,
	STEP_EXEC,
};
static const char *const step_names[] = {
	[STEP_NONE] = "start",
	[STEP_GROUP] = "make a process group for",
	[STEP_FD] = "set up the descriptors of",
	[STEP_CGROUP] = "put into its cgroup",
	[STEP_LIMIT] = "set the limits of",
	[STEP_USER] = "change the user of",
	[STEP_NICE] = "set the niceness of",
	[STEP_CWD] = "enter the directory of",
	[STEP_PARENT] = "keep the parent of",
	[STEP_EXEC] = "execute",
};

struct launch {
	const struct process_spec *spec;
	pid_t parent;
	uint64_t changed_signals; /* bit N - 1: signal N */
	int join_dir;             /* the cgroup that the child enters by itself, -1: none */
	volatile enum step step;
	volatile int code;
};

struct kernel_sigaction {
	void *handler;
	unsigned long flags;
	void *restorer;
	uint64_t mask;
};

IN_CHILD static void child_fail(struct launch *launch, enum step step)
{
	launch->code = errno;
	launch->step = step;
	for (;;)
		syscall(SYS_exit, 127);
}

/* Those that are ignored or handled here.  Asked once in a process: 64 calls each time would be
 * more than half of the system calls of a start. */
static uint64_t find_changed_signals(pid_t self)
{
	static uint64_t changed;
	static pid_t asked;
	struct kernel_sigaction now;

	if (asked == self)
		return changed;
	changed = 0;
	for (int i = 1; i <= KERNEL_SIGNALS; i++)
		if (syscall(SYS_rt_sigaction, i, NULL, &now, sizeof now.mask) == 0 && now.handler)
			changed |= (uint64_t)1 << (i - 1);
	asked = self;
	return changed;
}

/* Ignored signals would survive the exec. */
IN_CHILD static void child_reset_signals(uint64_t changed)
{
	struct kernel_sigaction plain = {0};

	for (int i = 1; i <= KERNEL_SIGNALS; i++)
		if (changed & (uint64_t)1 << (i - 1))
			syscall(SYS_rt_sigaction, i, &plain, NULL, sizeof plain.mask);
}

IN_CHILD static int child_highest(const struct process_spec *spec)
{
	int highest = 2;

	for (size_t i = 0; i < spec->fd_count; i++)
		if (spec->fds[i].to > highest)
			highest = spec->fds[i].to;
	return highest;
}

/* Every `from` that a `to` could overwrite is first moved above all of them. */
IN_CHILD static int child_place_fds(const struct process_spec *spec, int *exec_fd)
{
	int from[FDS_MAX], highest = child_highest(spec);
	uint64_t named = 0;

	if (*exec_fd >= 0 && *exec_fd <= highest &&
		(*exec_fd = (int)syscall(SYS_fcntl, *exec_fd, F_DUPFD_CLOEXEC, highest + 1)) < 0)
		return -1;
	for (size_t i = 0; i < spec->fd_count; i++) {
		from[i] = spec->fds[i].from;
		if (from[i] <= highest && from[i] != spec->fds[i].to)
			from[i] = (int)syscall(SYS_fcntl, from[i], F_DUPFD_CLOEXEC, highest + 1);
		if (from[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < spec->fd_count; i++) {
		int to = spec->fds[i].to;
		long done = from[i] == to ? syscall(SYS_fcntl, to, F_SETFD, 0)
					  : syscall(SYS_dup3, from[i], to, 0);
		if (done < 0)
			return -1;
		named |= (uint64_t)1 << to;
	}
	for (int fd = 0; fd <= highest; fd++) {
		if (named & ((uint64_t)1 << fd))
			continue;
		syscall(SYS_close, fd);
		if (fd <= 2 && syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0) != fd)
			return -1;
	}
	/* By mark, not at once: exec_fd and the descriptors of cgroups are still
	 * needed.  Where the kernel lacks it, O_CLOEXEC everywhere must do. */
	syscall(SYS_close_range, (unsigned)highest + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	return 0;
}

IN_CHILD static int child_set_user(const struct process_spec *spec)
{
	if (syscall(SYS_setgroups, spec->group_count, spec->groups) < 0)
		return -1;
	if (syscall(SYS_setresgid, spec->gid, spec->gid, spec->gid) < 0)
		return -1;
	return (int)syscall(SYS_setresuid, spec->uid, spec->uid, spec->uid);
}

IN_CHILD static int child_join(int dir)
{
	int fd = (int)syscall(SYS_openat, dir, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);

	return fd < 0 ? fd : (int)syscall(SYS_write, fd, "0", 1);
}

IN_CHILD static void child_set_rest(struct launch *launch)
{
	const struct process_spec *spec = launch->spec;

	if (launch->join_dir >= 0 && child_join(launch->join_dir) < 0)
		child_fail(launch, STEP_CGROUP);
	for (size_t i = 0; i < spec->cgroup_count; i++)
		if (syscall(SYS_write, spec->cgroup_fds[i], "0", 1) < 0)
			child_fail(launch, STEP_CGROUP);
	if (spec->set_nice && syscall(SYS_setpriority, PRIO_PROCESS, 0, spec->nice) < 0)
		child_fail(launch, STEP_NICE);
	for (size_t i = 0; i < spec->limit_count; i++)
		if (syscall(SYS_prlimit64, 0, spec->limits[i].resource, &spec->limits[i].value,
			    NULL) < 0)
			child_fail(launch, STEP_LIMIT);
	if (spec->set_umask)
		syscall(SYS_umask, spec->umask);
}

IN_CHILD static int child_main(void *data)
{
	struct launch *launch = data;
	const struct process_spec *spec = launch->spec;
	int exec_fd = spec->path ? -1 : spec->exec_fd;
	uint64_t no_signals = 0;

	child_reset_signals(launch->changed_signals);
	if (spec->new_session ? syscall(SYS_setsid) < 0
			      : spec->new_group && syscall(SYS_setpgid, 0, 0) < 0)
		child_fail(launch, STEP_GROUP);
	child_set_rest(launch);
	if (child_place_fds(spec, &exec_fd) < 0)
		child_fail(launch, STEP_FD);
	if (spec->set_user && child_set_user(spec) < 0)
		child_fail(launch, STEP_USER);
	if (spec->cwd && syscall(SYS_chdir, spec->cwd) < 0)
		child_fail(launch, STEP_CWD);
	/* After the change of user, which clears it. */
	if (spec->parent_death_kill) {
		if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
			child_fail(launch, STEP_PARENT);
		errno = ESRCH;
		if (syscall(SYS_getppid) != launch->parent)
			child_fail(launch, STEP_PARENT);
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, sizeof no_signals);
	if (spec->path)
		syscall(SYS_execve, spec->path, spec->argv, spec->envp);
	else
		syscall(SYS_execveat, exec_fd, "", spec->argv, spec->envp, AT_EMPTY_PATH);
	child_fail(launch, STEP_EXEC);
	return 127;
}

#if defined(__x86_64__)
/* The C library of Debian 12 has no clone3, and on a stack of its own the child
 * cannot return through syscall(). */
static long clone3_call(struct clone_args *args, struct launch *launch)
{
	long result;
	register int (*entry)(void *) __asm__("r8") = child_main;
	register void *data __asm__("r9") = launch;

	__asm__ volatile(
		"syscall\n\t"
		"test %%rax, %%rax\n\t"
		"jnz 1f\n\t"
		"xor %%ebp, %%ebp\n\t"
		"mov %%r9, %%rdi\n\t"
		"call *%%r8\n\t"
		"hlt\n"
		"1:"
		: "=a"(result)
		: "0"((long)SYS_clone3), "D"(args), "S"(sizeof *args), "r"(entry), "r"(data)
		: "rcx", "r11", "memory", "cc");
	return result;
}
#else
static long clone3_call(struct clone_args *args, struct launch *launch)
{
	(void)args;
	(void)launch;
	return -ENOSYS;
}
#endif

/* The process id, or a negative errno. */
static long launch_clone(struct launch *launch, unsigned char *stack, int *pidfd)
{
	bool wants_pidfd = !launch->spec->no_pidfd;
	int cgroup = launch->spec->into_cgroup ? launch->spec->cgroup_dir : -1;
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK | CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)stack,
		.stack_size = STACK_BYTES,
	};
	if (wants_pidfd)
		args.flags |= CLONE_PIDFD;
	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup;
	}
	long pid = clone3_call(&args, launch);
	if (pid != -ENOSYS)
		return pid;
	launch->join_dir = cgroup;
	pid = clone(child_main, stack + STACK_BYTES,
		CLONE_VM | CLONE_VFORK | (wants_pidfd ? CLONE_PIDFD : 0) | SIGCHLD, launch, pidfd);
	return pid < 0 ? -errno : pid;
}

static int launch_report(const struct launch *launch, struct error *err)
{
	const struct process_spec *spec = launch->spec;
	const char *program = spec->path ? spec->path : spec->argv[0];

	errno = launch->code;
	if (launch->step == STEP_CWD)
		return error_set(err, -launch->code, NULL, "cannot enter \"%s\" for %s: %m",
			spec->cwd, program);
	return error_set(err, -launch->code,
		launch->step == STEP_EXEC && launch->code == ENOEXEC
			? "a script needs #!INTERPRETER as its first line"
			: NULL,
		"cannot %s %s: %m", step_names[launch->step], program);
}

int process_spawn(const struct process_spec *spec, struct process *ret_process, struct error *err)
{
	UNFILLED _Alignas(16) unsigned char stack[STACK_BYTES];
	struct launch launch = {.spec = spec, .parent = getpid(), .join_dir = -1};
	sigset_t all, before;
	int pidfd = -1;

	launch.changed_signals = find_changed_signals(launch.parent);
	for (size_t i = 0; i < spec->fd_count; i++)
		if (spec->fd_count > FDS_MAX || spec->fds[i].to < 0 || spec->fds[i].to > 63)
			return error_set(
				err, -EINVAL, NULL, "too many descriptors for %s", spec->argv[0]);
	/* A handler that ran in the child would change our memory. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	long pid = launch_clone(&launch, stack, &pidfd);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0) {
		errno = (int)-pid;
		return error_set(
			err, (int)pid, NULL, "cannot start a process for %s: %m", spec->argv[0]);
	}
	if (launch.step != STEP_NONE) {
		while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
			;
		if (pidfd >= 0)
			close(pidfd);
		return launch_report(&launch, err);
	}
	*ret_process = (struct process){.pid = (pid_t)pid, .pidfd = pidfd};
	return 0;
}

const char *process_self(void)
{
	static const char self[] = "/proc/self/exe";
	static char path[PATH_MAX];
	struct stat running, named;
	ssize_t n = readlink(self, path, sizeof path - 1);

	if (n <= 0)
		return self;
	path[n] = 0;
	if (stat(self, &running) < 0 || stat(path, &named) < 0 ||
		(running.st_ino == named.st_ino && running.st_dev == named.st_dev))
		return self;
	return path;
}

int process_find(const char *name, char *path, size_t size)
{
	const char *dir = PROCESS_PATH;

	while (*dir) {
		size_t n = strcspn(dir, ":");
		int length = snprintf(path, size, "%.*s/%s", (int)n, dir, name);
		if (length > 0 && (size_t)length < size && access(path, X_OK) == 0)
			return 0;
		dir += n + (dir[n] == ':');
	}
	return -ENOENT;
}
