/* SPDX-License-Identifier: MIT */
/* The life of one call: what it is made from and what it leaves behind. */
#include "worker/host.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <string.h>
#include <unistd.h>

void call_init(struct call *call, struct worker *worker, struct start *start, enum call_mode mode)
{
	*call = (struct call){
		.ctx = {.struct_size = sizeof(struct upkeep_ctx),
			.host = &worker_host,
			.settings = worker->settings.block,
			.session = worker->session,
			.instance = worker->instance,
			.task = start ? start->task : "",
			.run_id = start ? start->run_id : "",
			.started_s = start ? start->started_s : 0,
			.attempt = start ? start->attempt : 1},
		.worker = worker,
		.start = start,
		.mode = mode,
		.until_ms = INT64_MAX,
		.undo_dir = -1,
		.temp_dir = -1,
		.cancel = -1,
		.progress_ms = INT64_MIN / 2,
	};
	pthread_mutex_init(&call->lock, NULL);
	if (start && start->timeout_ms > 0)
		call->until_ms = clock_monotonic_ms() + start->timeout_ms;
	if (start && start->has_record)
		vec_push(&call->records, start->record.id);
}

static void wipe_secrets(struct call *call)
{
	vec_each(&call->secrets, secret) {
		explicit_bzero(secret->text, secret->size);
		free(secret->text);
		free(secret->name);
	}
	vec_free(&call->secrets);
}

void call_end(struct call *call)
{
	wipe_secrets(call);
	vec_each(&call->children, child)
		cleanup_fd(&child->fd);
	vec_free(&call->children);
	vec_free(&call->records);
	cleanup_fd(&call->undo_dir);
	cleanup_fd(&call->temp_dir);
	cleanup_fd(&call->cancel);
	free(call->temp_path);
	free(call->what);
	free(call->why);
	free(call->next);
	pthread_mutex_destroy(&call->lock);
}
