/* SPDX-License-Identifier: MIT */
#include "../unit.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char *const no_env[] = {NULL};

static int end_of(const struct process *process)
{
	int status = 0;

	assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
	if (process->pidfd >= 0)
		close(process->pidfd);
	return status;
}

/* Runs a script with its output caught; returns its status. */
static int run_script(struct process_spec *spec, const char *script, char *output, size_t size)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	int pipes[2];
	struct process process;
	CLEANUP_ERROR struct error err = {0};

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	struct process_fd fds[] = {{pipes[1], 1}};
	spec->path = "/bin/sh";
	spec->argv = (char *const *)argv;
	spec->envp = no_env;
	spec->fds = fds;
	spec->fd_count = 1;
	if (process_spawn(spec, &process, &err) < 0)
		fail_msg("%s", error_what(&err));
	close(pipes[1]);
	ssize_t n = file_read(pipes[0], output, size - 1);
	assert_true(n >= 0);
	output[n] = 0;
	close(pipes[0]);
	return end_of(&process);
}

static void test_output_and_status(void **state)
{
	(void)state;
	char out[256];
	struct process_spec spec = {0};

	int status = run_script(&spec, "echo hello; exit 7", out, sizeof out);
	assert_string_equal(out, "hello\n");
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_only_named_descriptors(void **state)
{
	(void)state;
	char out[256];
	int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC on purpose */
	int high = fcntl(leak, F_DUPFD, 60);
	struct process_spec spec = {0};

	run_script(&spec, "ls /proc/$$/fd; readlink /proc/$$/fd/0", out, sizeof out);
	assert_string_equal(out, "0\n1\n2\n/dev/null\n");
	close(leak);
	close(high);
}

static void test_swapped_descriptors(void **state)
{
	(void)state;
	const char *const argv[] = {"sh", "-c", "echo a >&3; echo b >&4", NULL};
	CLEANUP_ERROR struct error err = {0};
	struct process process;
	int pipes[2], more[2];
	char a[8] = "", b[8] = "";

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(pipe2(more, O_CLOEXEC), 0);
	/* Each wants the other's number. */
	assert_int_equal(dup3(pipes[1], 53, O_CLOEXEC), 53);
	assert_int_equal(dup3(more[1], 54, O_CLOEXEC), 54);
	struct process_fd fds[] = {{53, 4}, {54, 3}, {53, 54}, {54, 53}};
	struct process_spec spec = {.path = "/bin/sh",
		.argv = (char *const *)argv,
		.envp = no_env,
		.fds = fds,
		.fd_count = 4};
	assert_int_equal(process_spawn(&spec, &process, &err), 0);
	assert_int_equal(end_of(&process), 0);
	assert_true(read(pipes[0], a, sizeof a) == 2 && read(more[0], b, sizeof b) == 2);
	assert_string_equal(a, "b\n");
	assert_string_equal(b, "a\n");
	for (int i = 0; i < 2; i++) {
		close(pipes[i]);
		close(more[i]);
		close(53 + i);
	}
}

static void test_signals_reset(void **state)
{
	(void)state;
	char out[256];
	struct process_spec spec = {0};
	sigset_t set, before;

	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, &before);
	run_script(&spec, "grep -E 'Sig(Blk|Ign)' /proc/self/status", out, sizeof out);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGHUP, SIG_DFL);
	assert_string_equal(out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

static void test_group_umask_nice_limits_cwd(void **state)
{
	(void)state;
	char out[256];
	const struct process_limit limit = {RLIMIT_CPU, {77, 77}};
	struct process_spec spec = {.cwd = "/usr",
		.new_group = true,
		.set_umask = true,
		.umask = 027,
		.set_nice = true,
		.nice = 5,
		.limits = &limit,
		.limit_count = 1,
		.parent_death_kill = true};

	run_script(&spec, "pwd; umask; ulimit -t; nice; test $(ps -o pgid= -p $$) = $$ && echo own",
		out, sizeof out);
	assert_string_equal(out, "/usr\n0027\n77\n5\nown\n");
}

static void test_user(void **state)
{
	(void)state;
	char out[256];
	const gid_t groups[] = {65534, 12};
	struct process_spec spec = {
		.set_user = true, .uid = 65534, .gid = 65534, .groups = groups, .group_count = 2};

	if (geteuid() != 0)
		skip();
	run_script(&spec, "id -u; id -g; id -G", out, sizeof out);
	assert_string_equal(out, "65534\n65534\n65534 12\n");
}

static void expect_failure(struct process_spec *spec, int code, const char *message)
{
	const char *const argv[] = {"none", NULL};
	CLEANUP_ERROR struct error err = {0};
	struct process process;

	spec->argv = (char *const *)argv;
	spec->envp = no_env;
	assert_int_equal(process_spawn(spec, &process, &err), code);
	assert_string_equal(error_what(&err), message);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left behind */
}

static void test_failures_name_the_step(void **state)
{
	(void)state;
	if (getenv("UNDER_VALGRIND")) /* which makes a fork of CLONE_VM | CLONE_VFORK */
		skip();
	struct process_spec exec = {.path = "/nonexistent/program"};
	expect_failure(
		&exec, -ENOENT, "cannot execute /nonexistent/program: No such file or directory");
	struct process_spec cwd = {.path = "/bin/true", .cwd = "/nonexistent"};
	expect_failure(&cwd, -ENOENT,
		"cannot enter \"/nonexistent\" for /bin/true: No such file or directory");
	const int bad = 1000;
	struct process_spec cgroup = {.path = "/bin/true", .cgroup_fds = &bad, .cgroup_count = 1};
	expect_failure(
		&cgroup, -EBADF, "cannot put into its cgroup /bin/true: Bad file descriptor");
	const struct process_limit limit = {RLIMIT_NOFILE, {2, 1}};
	struct process_spec limits = {.path = "/bin/true", .limits = &limit, .limit_count = 1};
	expect_failure(&limits, -EINVAL, "cannot set the limits of /bin/true: Invalid argument");
}

static void test_exec_by_descriptor(void **state)
{
	(void)state;
	const char *const argv[] = {"false", NULL};
	CLEANUP_ERROR struct error err = {0};
	struct process process;
	CLEANUP_FD int fd = open("/bin/false", O_RDONLY | O_CLOEXEC);
	struct process_spec spec = {.exec_fd = fd, .argv = (char *const *)argv, .envp = no_env};

	assert_int_equal(process_spawn(&spec, &process, &err), 0);
	assert_int_equal(WEXITSTATUS(end_of(&process)), 1);
}

/* As filters of containers do. */
static void refuse_clone3(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {sizeof code / sizeof code[0], code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(77);
}

/* A plain directory stands for the cgroup. */
static void test_cgroup_without_clone3(void **state)
{
	(void)state;
	char dir[] = "/tmp/upkeep-test-XXXXXX", joined[8] = "", path[64];
	const char *const argv[] = {"true", NULL};

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/cgroup.procs", dir);
	CLEANUP_FD int procs = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CLEANUP_FD int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct process_spec spec = {.path = "/bin/true",
		.argv = (char *const *)argv,
		.envp = no_env,
		.into_cgroup = true,
		.cgroup_dir = dir_fd};
	struct process process = {.pid = fork(), .pidfd = -1};
	if (process.pid == 0) {
		refuse_clone3();
		if (process_spawn(&spec, &process, NULL) < 0)
			_exit(1);
		_exit(WEXITSTATUS(end_of(&process)));
	}
	int code = WEXITSTATUS(end_of(&process));
	ssize_t n = read(procs, joined, sizeof joined);
	unlink(path);
	rmdir(dir);
	if (code == 77)
		skip();
	assert_int_equal(code, 0);
	assert_int_equal(n, 1);
	assert_string_equal(joined, "0");
}

static void test_find(void **state)
{
	(void)state;
	char path[64];

	assert_int_equal(process_find("sh", path, sizeof path), 0);
	assert_int_equal(access(path, X_OK), 0);
	assert_int_equal(process_find("no-such-program-at-all", path, sizeof path), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: what is ignored is asked at the first start. */
		cmocka_unit_test(test_signals_reset),
		cmocka_unit_test(test_output_and_status),
		cmocka_unit_test(test_only_named_descriptors),
		cmocka_unit_test(test_swapped_descriptors),
		cmocka_unit_test(test_group_umask_nice_limits_cwd),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_failures_name_the_step),
		cmocka_unit_test(test_exec_by_descriptor),
		cmocka_unit_test(test_cgroup_without_clone3),
		cmocka_unit_test(test_find),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
