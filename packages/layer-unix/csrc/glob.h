/* glob by ourselves, for the C library that has no way to lend it our calls: see glob.c. */
#ifndef MIRRORD_GLOB_H
#define MIRRORD_GLOB_H

#include <glob.h>

/* As musl's glob, results laid out as its globfree wants them. */
int glob_ours(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *result);

#endif
