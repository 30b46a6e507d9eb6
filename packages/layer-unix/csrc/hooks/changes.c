/*
 * Calls that change one path: they are always this machine's. Where the path leads to a remote directory or a pattern
 * rewrites it, they go to the absolute path that the session names. Two paths: hooks/moves.c; descriptors:
 * hooks/attributes.c.
 */
#include "hook.h"
#include "remote.h"

#include <sys/time.h>

/* `call` with `path` (and `directory`) replaced if need be. The room for a path is in a function that isn't inlined. */
#define CHANGE(name, parameters, call)                                   \
	__attribute__((noinline)) static int placed_##name parameters    \
	{                                                                \
		char room[PATH_MAX];                                     \
		int directory = AT_FDCWD;                                \
		path = ask_place(&directory, path, room);                \
		return path ? libc.name call : -1;                       \
	}                                                                \
	int hook_##name parameters                                       \
	{                                                                \
		if (place_passes(AT_FDCWD, path))                        \
			return libc.name call;                           \
		return placed_##name call;                               \
	}
#define CHANGE_AT(name, parameters, call)                                \
	__attribute__((noinline)) static int placed_##name parameters    \
	{                                                                \
		char room[PATH_MAX];                                     \
		path = ask_place(&directory, path, room);                \
		return path ? libc.name call : -1;                       \
	}                                                                \
	int hook_##name parameters                                       \
	{                                                                \
		if (place_passes(directory, path))                       \
			return libc.name call;                           \
		return placed_##name call;                               \
	}

CHANGE(mkdir, (const char *path, mode_t mode), (path, mode))
CHANGE_AT(mkdirat, (int directory, const char *path, mode_t mode), (directory, path, mode))
CHANGE(mkfifo, (const char *path, mode_t mode), (path, mode))
CHANGE_AT(mkfifoat, (int directory, const char *path, mode_t mode), (directory, path, mode))
CHANGE(mknod, (const char *path, mode_t mode, dev_t device), (path, mode, device))
CHANGE_AT(mknodat, (int directory, const char *path, mode_t mode, dev_t device), (directory, path, mode, device))
CHANGE(__xmknod, (int version, const char *path, mode_t mode, dev_t *device), (version, path, mode, device))
CHANGE_AT(__xmknodat, (int version, int directory, const char *path, mode_t mode, dev_t *device),
          (version, directory, path, mode, device))
CHANGE(rmdir, (const char *path), (path))
CHANGE(unlink, (const char *path), (path))
CHANGE_AT(unlinkat, (int directory, const char *path, int flags), (directory, path, flags))
CHANGE(remove, (const char *path), (path))
CHANGE(chmod, (const char *path, mode_t mode), (path, mode))
CHANGE(lchmod, (const char *path, mode_t mode), (path, mode))
CHANGE_AT(fchmodat, (int directory, const char *path, mode_t mode, int flags), (directory, path, mode, flags))
CHANGE(chown, (const char *path, uid_t user, gid_t group), (path, user, group))
CHANGE(lchown, (const char *path, uid_t user, gid_t group), (path, user, group))
CHANGE(truncate, (const char *path, off_t size), (path, size))
CHANGE(utime, (const char *path, const struct utimbuf *times), (path, times))
CHANGE(utimes, (const char *path, const struct timeval times[2]), (path, times))
CHANGE(lutimes, (const char *path, const struct timeval times[2]), (path, times))
CHANGE(setxattr, (const char *path, const char *name, const void *value, size_t size, int flags),
       (path, name, value, size, flags))
CHANGE(lsetxattr, (const char *path, const char *name, const void *value, size_t size, int flags),
       (path, name, value, size, flags))
CHANGE(removexattr, (const char *path, const char *name), (path, name))
CHANGE(lremovexattr, (const char *path, const char *name), (path, name))
