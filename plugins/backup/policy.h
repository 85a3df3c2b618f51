/* Retention: which backups stay and why.  Pure: it is told everything. */
#ifndef BACKUP_POLICY_H
#define BACKUP_POLICY_H

#include "backup/vault.h"

struct policy {
	int64_t keep_daily, keep_weekly, keep_monthly, min_keep, keep_within_s, now_s;
};

struct policy_choice {
	bool keep;
	char reason[80];
};

/* Decides for each item (the newest first, as vault_list gives them), each name by
 * itself.  `choices` has items->count elements. */
void policy_decide(const struct policy *policy, const struct vault_items *items,
	struct policy_choice *choices);

#endif
