/* Figures of the whole machine, read from a proc file system at any place. */
#ifndef SYSTEM_PROC_H
#define SYSTEM_PROC_H

#include <stddef.h>
#include <stdint.h>

/* Reads ROOT/name into text, NUL-terminated; -ENOSPC: longer. */
int proc_text(const char *root, const char *name, char *text, size_t room);

struct proc_memory {
	uint64_t total_bytes, available_bytes, swap_total_bytes, swap_free_bytes;
	uint64_t cached_bytes; /* page cache, buffers and reclaimable slab */
};
int proc_memory(const char *root, struct proc_memory *ret);

/* Load of 1, 5 and 15 minutes; seconds since the boot. */
int proc_load(const char *root, double ret_load[3]);
int proc_uptime(const char *root, int64_t *ret_s);

/* Ticks of all processors together since the boot, and how many processors. */
struct proc_cpu {
	uint64_t busy, total;
	int count;
};
int proc_cpu(const char *root, struct proc_cpu *ret);

/* Percent of the last minute in which `kind` ("some", "full") waited for the
 * resource ("cpu", "memory", "io"); -ENOENT: the kernel does not say. */
int proc_pressure(const char *root, const char *resource, const char *kind, double *ret);

#endif
