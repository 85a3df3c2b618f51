/* SPDX-License-Identifier: MIT */
#include "run/engine.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define DESCRIPTOR_OUTPUTS 3

static const struct value *argument(const struct attempt *attempt, const char *name)
{
	return value_get(&attempt->args, name);
}

static const char *argument_text(const struct attempt *attempt, const char *name)
{
	const struct value *value = argument(attempt, name);

	return value && value->kind == VALUE_STRING ? value->string : NULL;
}

static int decode_argv(struct attempt *attempt, struct error *err)
{
	const struct value *argv = argument(attempt, "argv");
	struct exec *exec = &attempt->exec;

	if (!argv || argv->kind != VALUE_LIST || !argv->list.count)
		return error_set(err, -EINVAL, NULL, "argv must be a list with a program in it");
	exec->argv = arena_news(&attempt->arena, const char *, argv->list.count + 1);
	for (uint32_t i = 0; i < argv->list.count; i++) {
		const struct value *item = &argv->list.items[i];
		exec->argv[i] = item->kind == VALUE_STRING ? item->string
							   : value_text(&attempt->arena, item);
	}
	const char *name = exec->argv[0];
	if (strchr(name, '/'))
		snprintf(exec->path, sizeof exec->path, "%s", name);
	if (strlen(name) >= sizeof exec->path || (strchr(name, '/') && name[0] != '/'))
		return error_set(err, -EINVAL, NULL,
			"the program must be an absolute path or a bare name: \"%s\"", name);
	if (!strchr(name, '/') && process_find(name, exec->path, sizeof exec->path) < 0)
		return error_set(
			err, -ENOENT, NULL, "there is no program \"%s\" in %s", name, PROCESS_PATH);
	return 0;
}

static int program_decode(struct attempt *attempt, struct error *err)
{
	struct exec *exec = &attempt->exec;

	exec->stdout_path = argument_text(attempt, "stdout");
	exec->capture = argument_text(attempt, "capture");
	exec->outputs = argument(attempt, "outputs");
	exec->ok = argument(attempt, "ok");
	exec->transient = argument(attempt, "transient");
	return decode_argv(attempt, err);
}

static int open_stdout_file(struct attempt *attempt, struct error *err)
{
	struct exec *exec = &attempt->exec;

	if (asprintf(&exec->temporary, "%s.XXXXXX", exec->stdout_path) < 0)
		return error_set(err, -ENOMEM, NULL, "out of memory");
	int fd = mkostemp(exec->temporary, O_CLOEXEC);
	if (fd < 0) {
		int r = error_set(err, -errno, NULL, "cannot make %s: %m", exec->temporary);
		free(TAKE_PTR(exec->temporary));
		return r;
	}
	mode_t mask = attempt->options->umask;
	if (!attempt->options->has_umask) {
		mask = umask(0);
		umask(mask);
	}
	fchmod(fd, 0666 & ~mask);
	const struct user *user = engine_user(attempt->engine, attempt->options, err);
	if (user && user->uid != geteuid() && fchown(fd, user->uid, user->gid) < 0) {
		int r = error_set(
			err, -errno, NULL, "cannot give %s to %s: %m", exec->temporary, user->name);
		close(fd);
		return r;
	}
	return fd;
}

/* The descriptors of the program: closed here after it was started. */
struct ends {
	struct process_fd fds[5];
	size_t count;
};

/* Those of its streams are closed by flow_parted. */
static void ends_close(struct ends *ends, const struct attempt *attempt)
{
	for (size_t i = 0; i < ends->count; i++) {
		int fd = ends->fds[i].from;
		if ((i == 0 || fd != ends->fds[i - 1].from) && fd != flow_input_fd(attempt) &&
			fd != flow_output_fd(attempt))
			close(fd);
	}
}

static int open_ends(struct attempt *attempt, struct ends *ends, struct error *err)
{
	const struct exec *exec = &attempt->exec;
	int log, out = -1, lines;

	int r = stream_open(attempt, &attempt->streams[STREAM_LOG], STREAM_LOG, &log, err);
	if (r < 0)
		return r;
	ends->fds[ends->count++] = (struct process_fd){log, 2};
	if (exec->capture)
		r = stream_open(
			attempt, &attempt->streams[STREAM_CAPTURE], STREAM_CAPTURE, &out, err);
	else if (exec->stdout_path)
		r = out = open_stdout_file(attempt, err);
	else
		out = attempt->output ? flow_output_fd(attempt) : log;
	if (r < 0)
		return r;
	ends->fds[ends->count++] = (struct process_fd){out, 1};
	if (attempt->input)
		ends->fds[ends->count++] = (struct process_fd){flow_input_fd(attempt), 0};
	if (!exec->outputs || !exec->outputs->list.count)
		return 0;
	r = stream_open(attempt, &attempt->streams[STREAM_LINES], STREAM_LINES, &lines, err);
	if (r == 0)
		ends->fds[ends->count++] = (struct process_fd){lines, DESCRIPTOR_OUTPUTS};
	return r;
}

int program_start(struct attempt *attempt, struct error *err)
{
	CLEANUP_FREE char **envp = NULL;
	struct ends ends = {0};
	struct process process;

	int r = program_decode(attempt, err);
	if (r == 0 && !(envp = program_environment(attempt, NULL, err)))
		r = -EINVAL;
	if (r == 0)
		r = open_ends(attempt, &ends, err);
	if (r == 0)
		r = program_launch(&(struct launch_request){.attempt = attempt,
					   .path = attempt->exec.path,
					   .argv = (char *const *)attempt->exec.argv,
					   .envp = envp,
					   .cwd = attempt->cwd,
					   .fds = ends.fds,
					   .fd_count = ends.count,
					   .cgroup = &attempt->slot->cgroup},
			&process, err);
	ends_close(&ends, attempt);
	if (r == 0)
		attempt->pid = process.pid;
	else if (attempt->exec.temporary)
		unlink(attempt->exec.temporary);
	return r;
}

/* ---- its end ---- */

static bool is_in(const struct value *codes, int code, int preset)
{
	if (!codes || codes->kind != VALUE_LIST)
		return code == preset;
	for (uint32_t i = 0; i < codes->list.count; i++)
		if (codes->list.items[i].kind == VALUE_INT && codes->list.items[i].integer == code)
			return true;
	return false;
}

void program_end(struct attempt *attempt)
{
	int status = attempt->status;

	if (attempt->stuck) /* it has not ended */
		return;
	attempt->exit_code = WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
	attempt->ended_well = is_in(attempt->exec.ok, attempt->exit_code, 0);
	attempt->engine->memory[attempt->task].exit_code = (int16_t)attempt->exit_code;
}

static void publish_stdout(struct attempt *attempt)
{
	struct exec *exec = &attempt->exec;

	if (!exec->temporary)
		return;
	if (attempt->state != TASK_SUCCEEDED) {
		unlink(exec->temporary);
		return;
	}
	/* Else the new name could show an empty file after a power cut. */
	CLEANUP_FD int fd = open(exec->temporary, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fdatasync(fd) < 0 || rename(exec->temporary, exec->stdout_path) < 0) {
		int code = errno;
		unlink(exec->temporary);
		attempt_fail(attempt, REASON_POSTCONDITION, NULL, "cannot write %s: %s",
			exec->stdout_path, strerror(code));
	}
}

static void publish_capture(struct attempt *attempt)
{
	struct stream *stream = &attempt->streams[STREAM_CAPTURE];
	struct text *kept = &stream->kept;
	json_error_t fault;

	if (!attempt->exec.capture)
		return;
	if (stream->overflow || (kept->size && memchr(kept->bytes, 0, kept->size))) {
		attempt_fail(attempt, REASON_POSTCONDITION,
			stream->overflow ? "write it to a file by stdout = \"FILE\"" : NULL,
			"its standard output %s",
			stream->overflow ? "is longer than the 64 KiB that capture keeps"
					 : "holds a NUL byte");
		return;
	}
	while (kept->size && kept->bytes[kept->size - 1] == '\n')
		kept->bytes[--kept->size] = 0;
	if (strcmp(attempt->exec.capture, "json") == 0) {
		json_t *json = json_loadb(text_string(kept), kept->size, JSON_DECODE_ANY, &fault);
		if (!json) {
			attempt_fail(attempt, REASON_POSTCONDITION, NULL,
				"its standard output is not JSON: line %d: %s", fault.line,
				fault.text);
			return;
		}
		json_decref(json);
	}
	attempt_output(attempt, "stdout", text_string(kept), false);
}

static const struct value *declared_output(const struct attempt *attempt, const char *name)
{
	const struct value *outputs = attempt->exec.outputs;

	for (uint32_t i = 0; i < outputs->list.count; i++) {
		const struct value *item = value_get(&outputs->list.items[i], "name");
		if (item && text_equal(item->string, name))
			return &outputs->list.items[i];
	}
	return NULL;
}

static void publish_line(struct attempt *attempt, char *line)
{
	CLEANUP_ERROR struct error err = {0};
	char *equals = strchr(line, '=');
	union scalar scalar;

	if (!equals) {
		attempt_fail(attempt, REASON_POSTCONDITION, NULL,
			"a line on descriptor 3 is not name=value: \"%.100s\"", line);
		return;
	}
	*equals++ = 0;
	const struct value *declared = declared_output(attempt, line);
	if (!declared) {
		attempt_fail(attempt, REASON_POSTCONDITION, "add it to `outputs` of the task",
			"it wrote the output \"%.100s\", which is not declared", line);
		return;
	}
	const struct value *type = value_get(declared, "type");
	uint32_t number = type ? type_from_name(type->string) : UPKEEP_STRING;
	if (scalar_parse_text(number, equals, &scalar, &err) < 0)
		attempt_fail(attempt, REASON_POSTCONDITION, NULL, "its output \"%s\": %s", line,
			error_what(&err));
	else
		attempt_output(attempt, line, equals, false);
}

static void publish_lines(struct attempt *attempt)
{
	struct stream *stream = &attempt->streams[STREAM_LINES];
	char *rest = stream->kept.bytes, *line;

	if (stream->overflow)
		attempt_fail(attempt, REASON_POSTCONDITION, NULL,
			"it wrote more than 64 KiB to descriptor 3");
	while (rest && (line = strsep(&rest, "\n")))
		if (*line)
			publish_line(attempt, line);
}

/* What a failed program wrote to its captured standard output is read in the log. */
static void log_capture(struct attempt *attempt)
{
	const struct text *kept = &attempt->streams[STREAM_CAPTURE].kept;

	if (attempt->state != TASK_SUCCEEDED && kept->size)
		attempt_log(attempt, kept->bytes, kept->size, true);
}

void program_judge(struct attempt *attempt)
{
	struct exec *exec = &attempt->exec;
	int code = attempt->exit_code;

	attempt->changed = attempt->changes != UPKEEP_CHANGES_NONE;
	if (attempt->starting.kept.size) {
		attempt_fail(attempt, REASON_START, NULL, "%s", attempt->starting.kept.bytes);
		attempt->changed = false;
	} else if (code >= 256) {
		attempt_fail(attempt, REASON_SIGNAL, NULL, "%s was killed by signal %d (%s)",
			exec->argv[0], code - 256, strsignal(code - 256));
	} else if (!attempt->ended_well) {
		attempt->transient = is_in(exec->transient, code, 75);
		attempt_fail(attempt, REASON_EXIT, NULL, "%s ended with exit code %d",
			exec->argv[0], code);
	} else if (!attempt->timed_out && !attempt->cancelled && !attempt->stuck) {
		attempt->state = TASK_SUCCEEDED;
		publish_capture(attempt);
		publish_lines(attempt);
	}
	log_capture(attempt);
	publish_stdout(attempt);
}
