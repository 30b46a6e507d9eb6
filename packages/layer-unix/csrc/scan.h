/* What hooks/syscalls.c needs of hooks/scan.c: records of a directory in either of the kernel's formats. */
#ifndef MIRRORD_SCAN_H
#define MIRRORD_SCAN_H

#include "sys.h"

#include <stdbool.h>

#ifdef SYS_getdents
#define SYS_OLD_GETDENTS SYS_getdents
#else
#define SYS_OLD_GETDENTS SYS_getdents64 /* this machine never had the older one */
#endif

/* getdents64, or with `old` the call of that time, of any directory. Returns bytes, or -1 with errno. */
ssize_t scan_records(int descriptor, void *buffer, size_t size, bool old);

#endif
