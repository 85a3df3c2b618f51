/* What the files of plan_restore share; nobody else includes this. */
#ifndef UPKEEP_PLAN_RESTORER_H
#define UPKEEP_PLAN_RESTORER_H

#include "base/cleanup.h"
#include "plan/restore.h"

#include <jansson.h>

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}
#define CLEANUP_JSON __attribute__((cleanup(cleanup_json)))

struct numbers {
	uint32_t *items;
	size_t count, room;
};

struct restore {
	struct plan *plan;
	struct arena *arena; /* the plan's */
	struct site *site;
	struct catalog *catalog;
	const struct site *current;
	struct error *err;
	const char *where; /* "task", "gang", ...; NULL: the plan as a whole */
	uint32_t index;    /* of it */
	int result;        /* 0; -EBADMSG from the first fault on */
	VEC(struct graph *) graphs;
	VEC(struct value *) params;
	struct map graph_index, param_index; /* by name; by prefix */
	struct map instances;                /* name → index into site->instances */
	struct plan_detail *outers;
	uint32_t outer_count;
	struct numbers needs, taken; /* of all tasks, of all gangs, in their order */
};

/* Remembers the first fault; what is read after it is harmless and counts for nothing. */
void unpack_fault(struct restore *restore, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A member of `object` that is a text; "": not there, which is a fault. */
const char *unpack_name(struct restore *restore, json_t *object, const char *key);
/* NULL: not there. */
const char *unpack_text(struct restore *restore, json_t *object, const char *key);
/* A whole number between min and max; `otherwise` where it is not there. */
int64_t unpack_number(struct restore *restore, json_t *object, const char *key, int64_t otherwise,
	int64_t min, int64_t max);
bool unpack_truth(struct restore *restore, json_t *object, const char *key);
/* Appends a list of numbers below `limit`; returns their count. */
uint32_t unpack_numbers(struct restore *restore, json_t *object, const char *key, uint32_t limit,
	struct numbers *ret);
/* Members that are an object or a list; NULL, which jansson takes for an empty one, where they
 * are not there. */
json_t *unpack_object(struct restore *restore, json_t *object, const char *key);
json_t *unpack_array(struct restore *restore, json_t *object, const char *key);
struct value unpack_value(struct restore *restore, json_t *json);
struct value unpack_group(struct restore *restore, json_t *object, const char *key);
struct name_list unpack_names(struct restore *restore, json_t *object, const char *key);
struct retry unpack_retry(struct restore *restore, json_t *json);

/* detail.c: all that pack_detail wrote; `outers` of them may stand around it. */
void detail_restore(
	struct restore *restore, json_t *json, uint32_t outers, struct plan_detail *ret);

/* shape.c: edges in both lists and members of gangs; is it what plan_build makes? */
void shape_restore(struct restore *restore);

#endif
