/* The journal's schema: one SQL text per version, applied in order. */
#ifndef UPKEEP_JOURNAL_SCHEMA_H
#define UPKEEP_JOURNAL_SCHEMA_H

#include <stddef.h>

/* "upkj": told apart from other SQLite files by this application_id. */
#define JOURNAL_APPLICATION_ID 0x75706b6a

/* journal_steps[n] leads from version n to n + 1.  Only ever appended to. */
extern const char *const journal_steps[];
extern const size_t journal_step_count;

#endif
