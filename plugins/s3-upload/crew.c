/* SPDX-License-Identifier: MIT */
#include "s3-upload/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/cleanup.h"
#include "support/thread.h"

struct member {
	struct crew *crew;
	pthread_t thread;
	struct s3 *s3;
	struct crew_work work;
	bool busy, started;
};

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* anything below */
	struct member *members;
	size_t count;
	uint64_t memory, used; /* bytes */
	bool ending;
	int failed; /* the first failure */
	struct fault fault;
};

/* Both with the lock held. */
static void fail(struct crew *crew, int r, struct fault *fault)
{
	if (crew->failed == 0) {
		crew->failed = r;
		crew->fault = *fault;
		*fault = (struct fault){0};
	}
	pthread_cond_broadcast(&crew->changed);
}

static int answer(const struct crew *crew, struct fault *fault)
{
	return crew->failed
		? fault_set(fault, crew->failed, crew->fault.next, "%s", fault_what(&crew->fault))
		: 0;
}

static void drop(struct crew_work *work)
{
	if (work->drop)
		work->drop(work->arg);
	*work = (struct crew_work){0};
}

static void *member_main(void *arg)
{
	struct member *member = arg;
	struct crew *crew = member->crew;
	pthread_mutex_lock(&crew->lock);
	for (;;) {
		while (!member->busy && !crew->ending)
			pthread_cond_wait(&crew->changed, &crew->lock);
		if (!member->busy)
			break;
		bool skip = crew->failed != 0;
		pthread_mutex_unlock(&crew->lock);
		CLEANUP_FAULT struct fault fault = {0};
		int r = skip ? 0 : member->work.run(member->s3, member->work.arg, &fault);
		drop(&member->work);
		pthread_mutex_lock(&crew->lock);
		if (r < 0)
			fail(crew, r, &fault);
		member->busy = false;
		pthread_cond_broadcast(&crew->changed);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

/* Signals are the worker's own thread's. */
static int start(struct member *member, struct fault *fault)
{
	int r = thread_start(&member->thread, member_main, member);
	member->started = r == 0;
	return r < 0 ? fault_set(fault, r, NULL, "cannot start a thread: %s", strerror(-r)) : 0;
}

int crew_open(struct crew **ret, const struct place *place, uint64_t memory, struct fault *fault)
{
	struct crew *crew = fault_alloc(sizeof *crew);
	int r = 0;
	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->changed, NULL);
	crew->memory = memory;
	crew->count = (size_t)place->settings->jobs;
	crew->members = fault_alloc(crew->count * sizeof *crew->members);
	for (size_t i = 0; r == 0 && i < crew->count; i++) {
		crew->members[i].crew = crew;
		r = place_client(place, &crew->members[i].s3, fault);
		if (r == 0)
			r = start(&crew->members[i], fault);
	}
	if (r < 0)
		crew_close(&crew);
	*ret = crew;
	return r;
}

static struct member *idle(struct crew *crew, bool all)
{
	struct member *found = NULL;
	for (size_t i = 0; i < crew->count; i++)
		if (!crew->members[i].busy)
			found = &crew->members[i];
		else if (all)
			return NULL;
	return found;
}

int crew_give(struct crew *crew, const struct crew_work *work, struct fault *fault)
{
	struct member *member;
	pthread_mutex_lock(&crew->lock);
	while (!(member = idle(crew, false)) && crew->failed == 0)
		pthread_cond_wait(&crew->changed, &crew->lock);
	int r = answer(crew, fault);
	if (r == 0 && member) {
		member->work = *work;
		member->busy = true;
		pthread_cond_broadcast(&crew->changed);
	}
	pthread_mutex_unlock(&crew->lock);
	if (r < 0 && work->drop)
		work->drop(work->arg);
	return r;
}

int crew_finish(struct crew *crew, struct fault *fault)
{
	pthread_mutex_lock(&crew->lock);
	while (!idle(crew, true))
		pthread_cond_wait(&crew->changed, &crew->lock);
	int r = answer(crew, fault);
	pthread_mutex_unlock(&crew->lock);
	return r;
}

void crew_close(struct crew **crew)
{
	struct crew *c = *crew;
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->ending = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->count; i++) {
		if (c->members[i].started)
			pthread_join(c->members[i].thread, NULL);
		s3_close(&c->members[i].s3);
	}
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	fault_clear(&c->fault);
	free(c->members);
	free(c);
	*crew = NULL;
}

int crew_reserve(struct crew *crew, uint64_t size, struct fault *fault)
{
	pthread_mutex_lock(&crew->lock);
	while (crew->used && crew->used + size > crew->memory && crew->failed == 0)
		pthread_cond_wait(&crew->changed, &crew->lock);
	int r = answer(crew, fault);
	if (r == 0)
		crew->used += size;
	pthread_mutex_unlock(&crew->lock);
	return r;
}

void crew_release(struct crew *crew, uint64_t size)
{
	pthread_mutex_lock(&crew->lock);
	crew->used -= size;
	pthread_cond_broadcast(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
}

void crew_mark(struct crew *crew, bool *flag)
{
	pthread_mutex_lock(&crew->lock);
	*flag = true;
	pthread_cond_broadcast(&crew->changed);
	pthread_mutex_unlock(&crew->lock);
}

int crew_await(struct crew *crew, const bool *flag, struct fault *fault)
{
	pthread_mutex_lock(&crew->lock);
	while (!*flag && crew->failed == 0)
		pthread_cond_wait(&crew->changed, &crew->lock);
	int r = answer(crew, fault);
	pthread_mutex_unlock(&crew->lock);
	return r;
}

unsigned crew_retries(const struct crew *crew)
{
	unsigned all = 0;
	for (size_t i = 0; i < crew->count; i++)
		all += s3_retries(crew->members[i].s3);
	return all;
}
