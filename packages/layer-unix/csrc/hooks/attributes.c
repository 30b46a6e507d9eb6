/*
 * Changes through a descriptor: those of remote objects can't be changed, so EROFS; the stand-in must keep what it shows
 * to everybody. (ftruncate, fallocate and write need no hook: stand-ins are open for reading alone.) Calls whose path
 * may be empty or NULL, and then mean the descriptor, are here too.
 */
#include "hook.h"
#include "remote.h"

#include <sys/time.h>

int hook_fchmod(int descriptor, mode_t mode)
{
	return descriptor_changes(descriptor) ? libc.fchmod(descriptor, mode) : -1;
}

int hook_fchown(int descriptor, uid_t user, gid_t group)
{
	return descriptor_changes(descriptor) ? libc.fchown(descriptor, user, group) : -1;
}

int hook_futimens(int descriptor, const struct timespec times[2])
{
	return descriptor_changes(descriptor) ? libc.futimens(descriptor, times) : -1;
}

int hook_futimes(int descriptor, const struct timeval times[2])
{
	return descriptor_changes(descriptor) ? libc.futimes(descriptor, times) : -1;
}

int hook_fsetxattr(int descriptor, const char *name, const void *value, size_t size, int flags)
{
	return descriptor_changes(descriptor) ? libc.fsetxattr(descriptor, name, value, size, flags) : -1;
}

int hook_fremovexattr(int descriptor, const char *name)
{
	return descriptor_changes(descriptor) ? libc.fremovexattr(descriptor, name) : -1;
}

/* Not inlined, as the next two: the room for a path. */
__attribute__((noinline)) static int fchownat_placed(int directory, const char *path, uid_t user, gid_t group, int flags)
{
	char room[PATH_MAX];
	path = ask_place(&directory, path, room);
	return path ? libc.fchownat(directory, path, user, group, flags) : -1;
}

int hook_fchownat(int directory, const char *path, uid_t user, gid_t group, int flags)
{
	if (path && !path[0] && flags & AT_EMPTY_PATH && !descriptor_changes(directory))
		return -1;
	if (place_passes(directory, path))
		return libc.fchownat(directory, path, user, group, flags);
	return fchownat_placed(directory, path, user, group, flags);
}

__attribute__((noinline)) static int utimensat_placed(int directory, const char *path, const struct timespec times[2],
                                                      int flags)
{
	char room[PATH_MAX];
	path = ask_place(&directory, path, room);
	return path ? libc.utimensat(directory, path, times, flags) : -1;
}

int hook_utimensat(int directory, const char *path, const struct timespec times[2], int flags)
{
	if ((!path || (!path[0] && flags & AT_EMPTY_PATH)) && !descriptor_changes(directory))
		return -1;
	if (place_passes(directory, path))
		return libc.utimensat(directory, path, times, flags);
	return utimensat_placed(directory, path, times, flags);
}

__attribute__((noinline)) static int futimesat_placed(int directory, const char *path, const struct timeval times[2])
{
	char room[PATH_MAX];
	path = ask_place(&directory, path, room);
	return path ? libc.futimesat(directory, path, times) : -1;
}

int hook_futimesat(int directory, const char *path, const struct timeval times[2])
{
	if (!path && !descriptor_changes(directory))
		return -1;
	if (place_passes(directory, path))
		return libc.futimesat(directory, path, times);
	return futimesat_placed(directory, path, times);
}
