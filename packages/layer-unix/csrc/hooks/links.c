/*
 * Where links lead: readlink, realpath and their twins. A remote path is resolved on the target, whole; a local one by
 * libc, which calls none of our hooks for it.
 */
#include "hook.h"
#include "remote.h"

/* Not inlined: the room for a path. */
__attribute__((noinline)) static ssize_t name_behind(int directory, const char *path, char *buffer, size_t size,
                                                     ssize_t result)
{
	char room[PATH_MAX];
	int descriptor = (int)sys_openat(directory, path, O_PATH | O_CLOEXEC, 0);
	if (descriptor < 0)
		return result;
	struct identity identity = identity_of(descriptor);
	sys_close(descriptor);
	if (identity.form == WIRE_LAYER_FORM_FOREIGN)
		return result;
	long length = remote_path(&identity, room, sizeof room);
	if (length < 0)
		return -1;
	if (size > (size_t)length)
		size = (size_t)length;
	memcpy(buffer, room, size);
	return (ssize_t)size;
}

/* A link of /proc may lead to a stand-in, which is a file without a name: the program sees the remote file's. */
static ssize_t corrected(int directory, const char *path, char *buffer, size_t size, ssize_t result)
{
	static const char nameless[] = " (deleted)";
	const size_t length = sizeof nameless - 1;
	if (result < (ssize_t)length || buffer[0] != '/')
		return result;
	if ((size_t)result < size && memcmp(buffer + result - length, nameless, length) != 0)
		return result;
	return name_behind(directory, path, buffer, size, result);
}

__attribute__((noinline)) static ssize_t readlink_asked(int directory, const char *path, char *buffer, size_t size)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	if (size == 0)
		return fail(EINVAL);
	switch (ask_path(WIRE_LAYER_OPERATION_READLINK, INTENT_READ, directory, path, 0, 0, &ask)) {
	case SIDE_LOCAL:
		return libc.readlinkat(directory, path, buffer, size);
	case SIDE_MOVED:
		return libc.readlinkat(AT_FDCWD, room, buffer, size);
	case SIDE_DONE:
		if (size > ask.path_length)
			size = ask.path_length;
		memcpy(buffer, room, size);
		return (ssize_t)size;
	default:
		return -1;
	}
}

/* Of the object itself that a descriptor names: of a remote link its text. What is no link has none. */
__attribute__((noinline)) static ssize_t readlink_of(int descriptor, char *buffer, size_t size)
{
	char room[PATH_MAX];
	struct identity identity = identity_of(descriptor);
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_READLINK,
	                                .device = identity.device,
	                                .inode = identity.inode};
	struct answer answer;
	if (identity.form == WIRE_LAYER_FORM_FOREIGN)
		return fail(ENOENT);
	if (link_ask(&request, NULL, 0, &answer, room, sizeof room) != 0)
		return errno == EINVAL ? fail(ENOENT) : -1;
	if (size > answer.reply.payload)
		size = answer.reply.payload;
	memcpy(buffer, room, size);
	return (ssize_t)size;
}

ssize_t hook_readlink(const char *path, char *buffer, size_t size)
{
	if (ask_passes(INTENT_READ, AT_FDCWD, path))
		return corrected(AT_FDCWD, path, buffer, size, libc.readlink(path, buffer, size));
	return readlink_asked(AT_FDCWD, path, buffer, size);
}

ssize_t hook_readlinkat(int directory, const char *path, char *buffer, size_t size)
{
	if (ask_passes(INTENT_READ, directory, path)) {
		ssize_t result = libc.readlinkat(directory, path, buffer, size);
		if (__builtin_expect(result < 0 && errno == ENOENT && path && !path[0] && directory >= 0, 0))
			return readlink_of(directory, buffer, size);
		return corrected(directory, path, buffer, size, result);
	}
	return readlink_asked(directory, path, buffer, size);
}

/* A size beyond the room ends the program, in libc. */
ssize_t hook___readlink_chk(const char *path, char *buffer, size_t size, size_t room)
{
	return size > room ? libc.__readlink_chk(path, buffer, size, room) : hook_readlink(path, buffer, size);
}

ssize_t hook___readlinkat_chk(int directory, const char *path, char *buffer, size_t size, size_t room)
{
	if (size > room)
		return libc.__readlinkat_chk(directory, path, buffer, size, room);
	return hook_readlinkat(directory, path, buffer, size);
}

/* The caller frees a result for which it gave no room. */
__attribute__((noinline)) static char *realpath_asked(const char *path, char *resolved)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	switch (ask_path(WIRE_LAYER_OPERATION_REALPATH, INTENT_READ, AT_FDCWD, path, 0, 0, &ask)) {
	case SIDE_LOCAL:
		return libc.realpath(path, resolved);
	case SIDE_MOVED:
		return libc.realpath(room, resolved);
	case SIDE_DONE:
		if (!resolved)
			return strdup(room);
		return memcpy(resolved, room, ask.path_length + 1);
	default:
		return NULL;
	}
}

char *hook_realpath(const char *path, char *resolved)
{
	if (ask_passes(INTENT_READ, AT_FDCWD, path))
		return libc.realpath(path, resolved);
	return realpath_asked(path, resolved);
}

char *hook___realpath_chk(const char *path, char *resolved, size_t room)
{
	return room < PATH_MAX ? libc.__realpath_chk(path, resolved, room) : hook_realpath(path, resolved);
}

char *hook_canonicalize_file_name(const char *path)
{
	return hook_realpath(path, NULL);
}
