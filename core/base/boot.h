/* Which boot this is, and which process: numbers of processes are used again. */
#ifndef UPKEEP_BASE_BOOT_H
#define UPKEEP_BASE_BOOT_H

#include <stdint.h>
#include <sys/types.h>

#define BOOT_ID_SIZE 40u
/* The kernel's boot id, a UUID; "" where it cannot be read. */
void boot_id(char id[BOOT_ID_SIZE]);
/* Clock ticks since boot at which the process started; 0 where there is none, or only what
 * nobody has reaped yet. */
uint64_t process_start_ticks(pid_t pid);

#endif
