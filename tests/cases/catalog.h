/* A catalog in memory, instead of core/catalog: a plugin "demo" with one action of each
 * kind, and one that is refused. */
#ifndef UPKEEP_TESTS_CASES_CATALOG_H
#define UPKEEP_TESTS_CASES_CATALOG_H

#include "catalog/catalog.h"

struct catalog *fake_catalog(void);

#endif
