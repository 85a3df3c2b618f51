/* Every call that changes the file system, counted; the n-th fails, is the last, or is
 * preceded by a deed of somebody else.  Linked with --wrap (plugin.am). */
#ifndef FILES_TESTS_FAULTS_H
#define FILES_TESTS_FAULTS_H

enum fault {
	FAULT_NONE,   /* only counts */
	FAULT_FAIL,   /* it fails with EIO and changes nothing */
	FAULT_BEFORE, /* the process is killed before it */
	FAULT_AFTER,  /* ... after it */
	FAULT_DEED,   /* `deed` is called before it */
};

/* From now on, and until fault_off: `n` counts from 1. */
void fault_on(enum fault fault, int n, void (*deed)(void));
/* How many calls there were. */
int fault_off(void);
/* Called just before the process kills itself. */
extern void (*fault_last_words)(void);

#endif
