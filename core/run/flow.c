/* SPDX-License-Identifier: MIT */
/* The streams of a gang.  What a task writes is moved from its pipe to one for each reader, without
 * being copied and at the pace of the slowest.  A reader sees the end of its pipe only when the
 * task, and all that is upstream of it, has succeeded. */
#include "run/flow.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20)
/* Bytes are moved that often, not each time that somebody has written or read some: a wakeup costs
 * more than the move of what a pipe holds.  In this time a pipe of 1 MiB is filled at 4 GiB/s. */
#define PERIOD_NS 250000
#define TELL_MS 100

/* ---- making them ---- */

static int make_pipe(int ends[2], struct error *err)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(err, -errno, NULL, "cannot make a pipe: %m");
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES); /* less must do where that is not allowed */
	return 0;
}

/* A second write end, in a message that waits in a socket.  The reader inherits the socket, so
 * that where this process and its keeper are killed it does not see an end before it is killed
 * too; to let it see one, the message is taken out. */
static int hold_open(int write_end, struct error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, NULL, "cannot make a socket pair: %m");
	CLEANUP_FD int sender = pair[0], hold = pair[1];
	int r = keep_hold(sender, write_end);
	if (r < 0) {
		errno = -r;
		return error_set(err, r, NULL, "cannot hold a stream open: %m");
	}
	return TAKE_FD(hold);
}

static void flow_ready(struct engine *engine, struct source *source, uint32_t events);
static void end_ready(struct engine *engine, struct source *source, uint32_t events);
static void timer_ready(struct engine *engine, struct source *source, uint32_t events);

static int open_end(struct engine *engine, struct flow_end *end, struct error *err)
{
	int ends[2];
	int r = make_pipe(ends, err);

	if (r < 0)
		return r;
	end->read_end = ends[0];
	end->source = (struct source){ends[1], end_ready};
	engine_watch(engine, &end->source, 0);
	end->hold = hold_open(ends[1], err);
	return end->hold < 0 ? end->hold : 0;
}

static uint32_t count_readers(const struct plan *plan, const struct plan_gang *gang, uint32_t task)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < gang->member_count; i++)
		count += plan->tasks[plan->members[gang->members + i]].source == task;
	return count;
}

static int open_flow(
	struct engine *engine, const struct plan_gang *gang, struct flow *flow, struct error *err)
{
	const struct plan *plan = engine->plan;
	int ends[2];

	int r = make_pipe(ends, err);
	if (r < 0)
		return r;
	flow->write_end = ends[1];
	flow->source = (struct source){ends[0], flow_ready};
	engine_watch(engine, &flow->source, EPOLLIN | EPOLLONESHOT);
	flow->idle = true;
	for (uint32_t i = 0; i < gang->member_count && r == 0; i++) {
		uint32_t task = plan->members[gang->members + i];
		if (plan->tasks[task].source != flow->task)
			continue;
		struct flow_end *end = &flow->ends[flow->end_count++];
		*end = (struct flow_end){.source = {.fd = -1},
			.flow = flow,
			.task = task,
			.read_end = -1,
			.hold = -1,
			.since_ms = INT64_MAX};
		r = open_end(engine, end, err);
	}
	return r;
}

int flows_open(struct engine *engine, uint32_t gang, struct slot *slot, struct error *err)
{
	const struct plan *plan = engine->plan;
	const struct plan_gang *group = &plan->gangs[gang];
	int r = 0;

	if (group->member_count < 2)
		return 0;
	slot->flows = base_alloc(sizeof *slot->flows);
	*slot->flows = (struct flows){.timer = {.fd = -1}, .gang = gang};
	slot->flows->null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (slot->flows->null < 0)
		return error_set(err, -errno, NULL, "cannot open /dev/null: %m");
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer < 0)
		return error_set(err, -errno, NULL, "cannot make a timer: %m");
	slot->flows->timer = (struct source){timer, timer_ready};
	engine_watch(engine, &slot->flows->timer, EPOLLIN);
	for (uint32_t i = 0; i < group->member_count && r == 0; i++) {
		uint32_t task = plan->members[group->members + i];
		uint32_t readers = count_readers(plan, group, task);
		if (!readers)
			continue;
		struct flow *flow = base_alloc(sizeof *flow);
		*flow = (struct flow){.source = {.fd = -1},
			.task = task,
			.slot = slot,
			.write_end = -1,
			.ends = base_alloc(readers * sizeof flow->ends[0])};
		vec_push(&slot->flows->list, flow);
		r = open_flow(engine, group, flow, err);
	}
	return r;
}

void flow_close_fd(int *fd)
{
	if (*fd >= 0)
		close(TAKE_FD(*fd));
}

void flows_close(struct engine *engine, struct slot *slot)
{
	struct flows *flows = TAKE_PTR(slot->flows);

	if (!flows)
		return;
	vec_each(&flows->list, f) {
		struct flow *flow = *f;
		engine_unwatch(engine, &flow->source);
		flow_close_fd(&flow->write_end);
		for (uint32_t i = 0; i < flow->end_count; i++) {
			engine_unwatch(engine, &flow->ends[i].source);
			flow_close_fd(&flow->ends[i].read_end);
			flow_close_fd(&flow->ends[i].hold);
		}
		free(flow->ends);
		free(flow);
	}
	vec_free(&flows->list);
	engine_unwatch(engine, &flows->timer);
	flow_close_fd(&flows->null);
	free(flows);
}

void flow_bind(struct attempt *attempt)
{
	struct flows *flows = attempt->slot->flows;

	if (!flows)
		return;
	vec_each(&flows->list, f) {
		if ((*f)->task == attempt->task)
			attempt->output = *f;
		for (uint32_t i = 0; i < (*f)->end_count; i++)
			if ((*f)->ends[i].task == attempt->task)
				attempt->input = &(*f)->ends[i];
	}
}

/* ---- starting the tasks ---- */

int flow_input_fd(const struct attempt *attempt)
{
	return attempt->input ? attempt->input->read_end : -1;
}

int flow_output_fd(const struct attempt *attempt)
{
	return attempt->output ? attempt->output->write_end : -1;
}

int flow_hold_fd(const struct attempt *attempt)
{
	return attempt->input ? attempt->input->hold : -1;
}

void flow_send(const struct attempt *attempt, struct wire_out *out)
{
	const int fds[] = {flow_input_fd(attempt), flow_output_fd(attempt), flow_hold_fd(attempt)};
	static const int64_t bits[] = {WIRE_FD_IN, WIRE_FD_OUT, WIRE_FD_HOLD};
	int64_t sent = 0;

	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
		if (fds[i] < 0)
			continue;
		wire_fd(out, fds[i]);
		sent |= bits[i];
	}
	if (sent)
		wire_number(out, WIRE_FDS_SENT, sent);
}

void flow_parted(struct attempt *attempt)
{
	if (attempt->input)
		flow_close_fd(&attempt->input->read_end);
	if (attempt->output)
		flow_close_fd(&attempt->output->write_end);
}

/* ---- moving ---- */

size_t flow_bytes_in(int fd)
{
	int count = 0;

	return fd >= 0 && ioctl(fd, FIONREAD, &count) == 0 && count > 0 ? (size_t)count : 0;
}

static void end_leave(struct engine *engine, struct flow_end *end)
{
	end->left = true;
	end->since_ms = INT64_MAX;
	engine_unwatch(engine, &end->source);
}

/* To a reader that has all before what lies in the writer's pipe now. */
static void give(struct engine *engine, struct flow_end *end)
{
	ssize_t n = tee(end->flow->source.fd, end->source.fd, PIPE_BYTES, SPLICE_F_NONBLOCK);

	if (n > 0) {
		end->ahead = (size_t)n;
		end->since_ms = INT64_MAX;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		end_leave(engine, end);
	} else if (end->since_ms == INT64_MAX) {
		end->since_ms = engine->now_ms;
	}
}

static size_t give_all(struct engine *engine, struct flow *flow, size_t there)
{
	size_t least = there;

	for (uint32_t i = 0; i < flow->end_count; i++) {
		struct flow_end *end = &flow->ends[i];
		if (there && !end->left && !end->ahead)
			give(engine, end);
		if (!end->left && end->ahead < least)
			least = end->ahead;
	}
	return least;
}

/* What all readers have; false where it was nothing. */
static bool drop(struct flow *flow, size_t size)
{
	ssize_t n = size ? splice(flow->source.fd, NULL, flow->slot->flows->null, NULL, size,
				   SPLICE_F_NONBLOCK)
			 : 0;

	if (n <= 0)
		return false;
	flow->bytes += (uint64_t)n;
	for (uint32_t i = 0; i < flow->end_count; i++)
		if (!flow->ends[i].left)
			flow->ends[i].ahead -= (size_t)n;
	return true;
}

static void tell_progress(struct engine *engine, struct flow *flow)
{
	bool reports = engine->plan->details[engine->plan->tasks[flow->task].detail].task->instance;

	if (reports || engine->now_ms < flow->told_ms + TELL_MS)
		return;
	flow->told_ms = engine->now_ms;
	engine_tell(engine,
		&(struct run_event){.kind = RUN_EVENT_PROGRESS,
			.task = flow->task,
			.done = flow->bytes,
			.text = "bytes"});
}

static void arm(struct engine *engine, struct source *source, uint32_t events)
{
	struct epoll_event event = {events | EPOLLONESHOT, {.ptr = source}};

	if (source->fd >= 0)
		epoll_ctl(engine->epoll, EPOLL_CTL_MOD, source->fd, &event);
}

/* Nothing could be moved: the writer has to write, or a reader that has less than there is to
 * read.  False where it is neither. */
static bool flow_await(struct engine *engine, struct flow *flow)
{
	bool awaits = false;

	if (!flow_bytes_in(flow->source.fd)) {
		if (!flow->closed) /* else it would be ready for ever */
			arm(engine, &flow->source, EPOLLIN);
		return true;
	}
	for (uint32_t i = 0; i < flow->end_count; i++) {
		struct flow_end *end = &flow->ends[i];
		if (end->left || end->ahead)
			continue;
		arm(engine, &end->source, EPOLLOUT);
		awaits = true;
	}
	return awaits;
}

static void timer_start(const struct flows *flows)
{
	struct itimerspec time = {.it_value = {.tv_nsec = PERIOD_NS}};

	timerfd_settime(flows->timer.fd, 0, &time, NULL);
}

void flow_move(struct engine *engine, struct flow *flow)
{
	int fd = flow->source.fd;
	bool moved = fd >= 0 && drop(flow, give_all(engine, flow, flow_bytes_in(fd)));

	flow->idle = fd < 0 || (!moved && flow_await(engine, flow));
	if (!flow->idle)
		timer_start(flow->slot->flows);
	tell_progress(engine, flow);
	if (flow->succeeded && !flow->whole)
		flows_settle(engine, flow->slot);
}

static void flow_ready(struct engine *engine, struct source *source, uint32_t events)
{
	struct flow *flow = (struct flow *)source;

	flow->closed = events & EPOLLHUP;
	flow_move(engine, flow);
}

static void end_ready(struct engine *engine, struct source *source, uint32_t events)
{
	struct flow_end *end = (struct flow_end *)source;

	if (events & EPOLLERR)
		end_leave(engine, end);
	flow_move(engine, end->flow);
}

static void timer_ready(struct engine *engine, struct source *source, uint32_t events)
{
	struct flows *flows = (struct flows *)source;
	uint64_t times;

	(void)events;
	if (read(source->fd, &times, sizeof times) < 0)
		return;
	vec_each(&flows->list, f) {
		if (!(*f)->idle)
			flow_move(engine, *f);
	}
}

/* ---- a reader that stands still ---- */

int64_t flow_stall_ms(const struct attempt *attempt)
{
	const struct flow_end *end = attempt->input;

	return !end || end->since_ms == INT64_MAX || attempt->message
		? INT64_MAX
		: end->since_ms + attempt->options->stall_ms;
}
