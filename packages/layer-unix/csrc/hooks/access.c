/*
 * access and its kin: what the target's user may do with a remote file. Whether one may write is a question about the
 * side where a write would go.
 */
#include "hook.h"

static int intent_of(int mode)
{
	return mode > 0 && mode & W_OK ? INTENT_CHANGE : INTENT_READ;
}

/* What libc takes: the kernel's call has no flags before Linux 5.8, and libc does it by stat then. */
static bool understood(int mode, int flags)
{
	return !(mode & ~(R_OK | W_OK | X_OK)) && !(flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW));
}

__attribute__((noinline)) static int access_asked(int directory, const char *path, int mode, int flags)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	if (!understood(mode, flags))
		return libc.faccessat(directory, path, mode, flags);
	switch (ask_path(WIRE_LAYER_OPERATION_ACCESS, intent_of(mode), directory, path, (uint32_t)flags, (uint32_t)mode,
	                 &ask)) {
	case SIDE_LOCAL:
		return libc.faccessat(directory, path, mode, flags);
	case SIDE_MOVED:
		return libc.faccessat(AT_FDCWD, room, mode, flags);
	case SIDE_DONE:
		return 0;
	default:
		return -1;
	}
}

int hook_access(const char *path, int mode)
{
	if (ask_passes(intent_of(mode), AT_FDCWD, path))
		return libc.access(path, mode);
	return access_asked(AT_FDCWD, path, mode, 0);
}

int hook_eaccess(const char *path, int mode)
{
	if (ask_passes(intent_of(mode), AT_FDCWD, path))
		return libc.eaccess(path, mode);
	return access_asked(AT_FDCWD, path, mode, AT_EACCESS);
}

int hook_euidaccess(const char *path, int mode)
{
	if (ask_passes(intent_of(mode), AT_FDCWD, path))
		return libc.euidaccess(path, mode);
	return access_asked(AT_FDCWD, path, mode, AT_EACCESS);
}

int hook_faccessat(int directory, const char *path, int mode, int flags)
{
	if (ask_passes(intent_of(mode), directory, path))
		return libc.faccessat(directory, path, mode, flags);
	return access_asked(directory, path, mode, flags);
}
