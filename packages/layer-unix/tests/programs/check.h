/* What test programs assert with: the expression and errno of what failed, and the exit code 1. */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                      \
	do {                                                                                                  \
		if (!(condition)) {                                                                           \
			fprintf(stderr, "%s:%d: %s (errno %d, %s)\n", __FILE__, __LINE__, #condition, errno,  \
			        strerror(errno));                                                             \
			exit(1);                                                                              \
		}                                                                                             \
	} while (0)

/* The call fails with -1 and this errno. */
#define CHECK_FAILS(call, code)                 \
	do {                                    \
		errno = 0;                      \
		CHECK((call) == -1);            \
		CHECK(errno == (code));         \
	} while (0)

/* The path `name` below `folder`, in a buffer that lives as long as the program. */
static inline char *below(const char *folder, const char *name)
{
	char *path = malloc(strlen(folder) + strlen(name) + 2);
	CHECK(path);
	sprintf(path, "%s/%s", folder, name);
	return path;
}

#endif
