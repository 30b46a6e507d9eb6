/*
 * open, openat, creat and their twins. A remote file comes as a descriptor of the kernel's own, made by the session;
 * here it gets what the program's flags ask for. Streams of stdio are in stream.c.
 */
#include "files.h"
#include "hook.h"
#include "remote.h"

#include <linux/openat2.h>

int open_intent(int flags)
{
	if (flags & O_PATH)
		return INTENT_READ;
	return (flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC)) ? INTENT_READ : INTENT_CHANGE;
}

/* Replaces a stand-in by a handle that names it and can't be read. Without /proc the stand-in must do. */
static void make_handle(int descriptor)
{
	char path[32];
	descriptor_path(path, descriptor);
	long handle = sys_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0);
	if (handle < 0)
		return;
	sys_call3(SYS_dup3, handle, descriptor, O_CLOEXEC);
	sys_close((int)handle);
}

int open_finish(int descriptor, int flags)
{
	if (descriptor < 0)
		return fail(EIO);
	if (flags & O_PATH)
		make_handle(descriptor);
	else if (flags & (O_NONBLOCK | O_APPEND))
		sys_fcntl(descriptor, F_SETFL, flags & (O_NONBLOCK | O_APPEND));
	if (!(flags & O_CLOEXEC))
		sys_fcntl(descriptor, F_SETFD, 0);
	return descriptor;
}

/* Not inlined, as all that ask: the room for a path is on the stack of those alone who need it. */
__attribute__((noinline)) static int open_asked(int directory, const char *path, int flags, mode_t mode)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	if (flags & O_PATH)
		flags &= O_PATH | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW; /* the kernel ignores the others */
	switch (ask_path(WIRE_LAYER_OPERATION_OPEN, open_intent(flags), directory, path, (uint32_t)flags, mode, &ask)) {
	case SIDE_LOCAL:
		return libc.openat(directory, path, flags, mode);
	case SIDE_MOVED:
		return libc.openat(AT_FDCWD, room, flags, mode);
	case SIDE_DONE:
		return open_finish(ask.answer.descriptors[0], flags);
	default:
		return -1;
	}
}

/* The number 0 is what libc reads as `stdin`. */
static inline int opened(int descriptor)
{
	if (__builtin_expect(descriptor == 0, 0))
		settle_standard_input();
	return descriptor;
}

int hook_open(const char *path, int flags, mode_t mode)
{
	if (ask_passes(open_intent(flags), AT_FDCWD, path))
		return opened(libc.open(path, flags, mode));
	return opened(open_asked(AT_FDCWD, path, flags, mode));
}

int hook_openat(int directory, const char *path, int flags, mode_t mode)
{
	if (ask_passes(open_intent(flags), directory, path))
		return opened(libc.openat(directory, path, flags, mode));
	return opened(open_asked(directory, path, flags, mode));
}

/* The twins of fortified programs: libc ends a program that creates without a mode. */
static bool wants_mode(int flags)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

int hook___open_2(const char *path, int flags)
{
	return wants_mode(flags) ? libc.__open_2(path, flags) : hook_open(path, flags, 0);
}

int hook___openat_2(int directory, const char *path, int flags)
{
	return wants_mode(flags) ? libc.__openat_2(directory, path, flags) : hook_openat(directory, path, flags, 0);
}

int hook_creat(const char *path, mode_t mode)
{
	return hook_open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* ---- what has no counterpart on the wire */

static int open_so(int directory, const char *path, const struct open_how *how, size_t size)
{
	return (int)settled(sys_call4(SYS_openat2, directory, (long)path, (long)how, (long)size));
}

__attribute__((noinline)) static int openat2_asked(int directory, const char *path, const struct open_how *how,
                                                   size_t size)
{
	char room[PATH_MAX];
	/* Whether what is asked makes sense, the kernel knows: it looks at the path last. */
	long sense = sys_call4(SYS_openat2, AT_FDCWD, (long)"", (long)how, (long)size);
	if (sense != -ENOENT)
		return fail((int)-sense);
	if (!how->resolve)
		return open_asked(directory, path, (int)how->flags, (mode_t)how->mode);
	int where = find_remote(&directory, &path, 0, room);
	if (where > 0)
		return fail(ENOSYS); /* callers know what to do: openat2 is younger than they are */
	return where < 0 ? -1 : open_so(directory, path, how, size);
}

int hook_openat2(int directory, const char *path, const struct open_how *how, size_t size)
{
	if (!how || size < sizeof *how || ask_passes(open_intent((int)how->flags), directory, path))
		return opened(open_so(directory, path, how, size));
	return opened(openat2_asked(directory, path, how, size));
}

__attribute__((noinline)) static int handle_asked(int directory, const char *path, struct file_handle *handle,
                                                  int *mount, int flags)
{
	char room[PATH_MAX];
	int where = find_remote(&directory, &path, flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW, room);
	if (where > 0)
		return fail(EOPNOTSUPP);
	return where < 0 ? -1 : libc.name_to_handle_at(directory, path, handle, mount, flags);
}

int hook_name_to_handle_at(int directory, const char *path, struct file_handle *handle, int *mount, int flags)
{
	if (ask_passes(INTENT_READ, directory, path))
		return libc.name_to_handle_at(directory, path, handle, mount, flags);
	return handle_asked(directory, path, handle, mount, flags);
}
