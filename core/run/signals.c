/* SPDX-License-Identifier: MIT */
/* What ends the run from outside, and the ends of its processes. */
#include "run/engine.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGNALS_ARE_ONE_MS 200
#define SIGNALS_HOLD_MS 5000 /* three within it stop the undo */

static void reap_all(struct engine *engine)
{
	struct rusage usage;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		bool known = workers_reaped(engine, pid, status);
		for (struct attempt *a = engine->running, *next; a && !known; a = next) {
			next = a->next;
			known = attempt_reaped(a, pid, status, &usage);
		}
	}
}

static void on_stop_signal(struct engine *engine)
{
	int64_t now_ms = engine->now_ms, *last_ms = engine->signal_ms;

	if (engine->cancels && now_ms - last_ms[0] < SIGNALS_ARE_ONE_MS)
		return;
	last_ms[2] = last_ms[1];
	last_ms[1] = last_ms[0];
	last_ms[0] = now_ms;
	engine->cancels++;
	bool third = engine->cancels >= 3 && now_ms - last_ms[2] <= SIGNALS_HOLD_MS;
	if (engine->probing)
		probe_cancel(engine);
	else
		engine_event(
			engine, &(struct event){.kind = third ? EVENT_HOLD_UNDO : EVENT_CANCEL});
}

static void signals_ready(struct engine *engine, struct source *source, uint32_t events)
{
	struct signalfd_siginfo infos[16];
	bool reap = false;
	ssize_t n;

	(void)events;
	while ((n = read(source->fd, infos, sizeof infos)) > 0) {
		for (size_t i = 0; i < (size_t)n / sizeof infos[0]; i++)
			if (infos[i].ssi_signo == SIGCHLD)
				reap = true;
			else if (!engine->setup->guard)
				on_stop_signal(engine);
		if ((size_t)n < sizeof infos)
			break;
	}
	if (reap)
		reap_all(engine);
}

/* The keeper has gone: nobody would end what we leave. */
void signals_keeper_ready(struct engine *engine, struct source *source, uint32_t events)
{
	(void)events;
	engine_unwatch(engine, source);
	on_stop_signal(engine);
}

/* A guard takes no signal: only its file, or SIGKILL, ends it before its time. */
int signals_open(struct engine *engine, struct error *err)
{
	static const int wanted[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP};
	struct sigaction old;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		/* nohup, and "&" in a script, stay what they are; SIGTERM is the keeper's word */
		if ((wanted[i] == SIGHUP || wanted[i] == SIGINT) &&
			sigaction(wanted[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		sigaddset(&set, wanted[i]);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	struct sigaction child = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
	sigaction(SIGCHLD, &child, NULL);
	signal(SIGPIPE, SIG_IGN);
	engine->signals = (struct source){
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signals_ready};
	if (engine->signals.fd < 0)
		return error_set(err, -errno, NULL, "cannot make a signalfd: %m");
	engine_watch(engine, &engine->signals, EPOLLIN);
	return 0;
}
