/* Calls of files and sockets by number, for hook_syscall. */
#ifndef MIRRORD_NUMBERS_H
#define MIRRORD_NUMBERS_H

#include <stdbool.h>

/* Whether a system call is one of files that a hook knows; then it was made, and `*result` is what syscall() returns. */
bool file_call(long number, const long arguments[6], long *result);
/* The same for those of sockets. */
bool socket_call(long number, const long arguments[6], long *result);

#endif
