/* Growing arrays: struct { T *items; size_t count, room; }.  Start with {0}. */
#ifndef UPKEEP_BASE_VEC_H
#define UPKEEP_BASE_VEC_H

#include "base/arena.h"

#include <stdlib.h>

#define VEC(type)                   \
	struct {                    \
		type *items;        \
		size_t count, room; \
	}

/* Appends a zeroed element and returns its address (until the next append). */
#define vec_add(v)                                                                         \
	({                                                                                 \
		__typeof__(v) v_ = (v);                                                    \
		if (v_->count == v_->room) {                                               \
			v_->room = v_->room ? v_->room * 2 : 8;                            \
			v_->items = base_resize(v_->items, v_->room, sizeof v_->items[0]); \
		}                                                                          \
		__typeof__(v_->items) e_ = &v_->items[v_->count++];                        \
		__builtin_memset(e_, 0, sizeof *e_);                                       \
		e_;                                                                        \
	})
#define vec_push(v, value) (*vec_add(v) = (value))
#define vec_free(v) (free((v)->items), (v)->items = NULL, (v)->count = (v)->room = 0)
#ifdef __CPPCHECK__ /* its parser gives up on a declarator after __typeof__(*...) */
#define vec_each(v, e) for (__typeof__((v)->items) e = (v)->items; e < (v)->items + (v)->count; e++)
#else
#define vec_each(v, e)                                                                           \
	for (__typeof__(*(v)->items) *e = (v)->items; (v)->count && e < (v)->items + (v)->count; \
		e++)
#endif

#endif
