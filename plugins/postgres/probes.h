/* What postgres.check asks: one statement each, judged by limits. */
#ifndef POSTGRES_PROBES_H
#define POSTGRES_PROBES_H

#include <stddef.h>

/* Where a probe's limits come from. */
enum probe_limits {
	PROBE_FAILS,    /* no limits: failed where the measure is above 0 */
	PROBE_WARNS,    /* a warning where it is above 0 */
	PROBE_INT,      /* int64_t at `warn` and `crit` in the arguments; 0: no limit */
	PROBE_PERCENT,  /* double */
	PROBE_SIZE,     /* uint64_t, bytes */
	PROBE_DURATION, /* int64_t in ms; the measure is in s */
};

struct probe {
	const char *name;
	enum probe_limits limits;
	size_t warn, crit; /* offsets in struct check_args */
	int since;         /* server version, as 140000; 0: any */
	int each_database; /* asked in every database, not once */
	const char *sql;   /* one row or none (then it is fine): measure, value in words */
	const char *hint;  /* what to do where it is not fine */
};

extern const struct probe probes[];
extern const size_t probe_count;

/* Names of all, as the choices of a parameter: those of the table and what check.c asks
 * without a statement. */
#define PROBE_NAMES                                                                            \
	"version|privileges|clock|encryption|programs|backup|disk|settings-files|"             \
	"settings-pending|wal-level|archive-mode|archive-command|archive-failing|"             \
	"archive-backlog|slots|slots-inactive|slots-retained|checksums|checksum-failures|"     \
	"autovacuum|autovacuum-tables|wraparound|wraparound-multixact|durability|connections|" \
	"prepared|transactions|idle|lag|lag-time|standbys|replay|size|passwords|read-only|"    \
	"databases|indexes-invalid|sequences|constraints"

#endif
