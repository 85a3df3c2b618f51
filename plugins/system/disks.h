/* How full the mounted file systems are. */
#ifndef SYSTEM_DISKS_H
#define SYSTEM_DISKS_H

#include "figures.h"

struct disks_limits {
	double warn, crit, inodes_warn, inodes_crit;
	int64_t timeout_ms;
};

/* Judges the file systems at `paths`, or all that store files when there are none;
 * adds rows to the table "mounts". */
int32_t disks_judge(struct figures *figures, const struct upkeep_strings *paths,
	const struct disks_limits *limits);

#endif
