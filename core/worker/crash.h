/* What a plugin's crash leaves behind: the signal and a backtrace in the task's log. */
#ifndef UPKEEP_WORKER_CRASH_H
#define UPKEEP_WORKER_CRASH_H

/* The signals of faults write a backtrace to standard error and then kill as before. */
void crash_report(void);

#endif
