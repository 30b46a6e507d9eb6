/*
 * The current directory. A remote one is a stand-in, which the kernel carries through fork and exec; what it is called,
 * the session knows. PWD in the environment is the program's business. Of a process to be spawned: spawn.c.
 */
#include "hook.h"
#include "remote.h"

#include <stdlib.h>

/* Not inlined: the room for a path. */
__attribute__((noinline)) static int enter(const char *path)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	switch (ask_path(WIRE_LAYER_OPERATION_ENTER, INTENT_READ, AT_FDCWD, path, 0, 0, &ask)) {
	case SIDE_LOCAL:
		return libc.chdir(path);
	case SIDE_MOVED:
		return libc.chdir(room);
	case SIDE_FAILED:
		return -1;
	case SIDE_DONE:
		break;
	}
	long code = sys_call1(SYS_fchdir, ask.answer.descriptors[0]);
	sys_close(ask.answer.descriptors[0]);
	return code ? fail((int)-code) : 0;
}

int hook_chdir(const char *path)
{
	if (ask_passes(INTENT_READ, AT_FDCWD, path))
		return libc.chdir(path);
	return enter(path);
}

/* The kernel lets everybody into a stand-in; whether the target does, only the target can say. */
__attribute__((noinline)) static int enter_open(int descriptor, const struct identity *directory)
{
	struct answer answer;
	if (remote_ask(WIRE_LAYER_OPERATION_ENTER, directory, &answer) != 0)
		return -1;
	sys_close(answer.descriptors[0]);
	return libc.fchdir(descriptor);
}

int hook_fchdir(int descriptor)
{
	if (descriptor < 0)
		return libc.fchdir(descriptor);
	struct identity directory = identity_of_directory(descriptor);
	if (directory.form != WIRE_LAYER_FORM_DIRECTORY)
		return libc.fchdir(descriptor);
	return enter_open(descriptor, &directory);
}

/* As libc's getcwd: a NULL buffer is allocated, of `size` bytes or of as many as it takes (musl: always so). */
__attribute__((noinline)) static char *name_current(const struct identity *directory, char *buffer, size_t size)
{
	char room[PATH_MAX];
	if (buffer && !size) {
		fail(EINVAL);
		return NULL;
	}
	if (!buffer && libc_is_musl())
		size = 0;
	long length = remote_path(directory, room, sizeof room);
	if (length < 0)
		return NULL;
	if (size && (size_t)length >= size) {
		fail(ERANGE);
		return NULL;
	}
	if (!buffer)
		buffer = malloc(size ? size : (size_t)length + 1);
	return buffer ? memcpy(buffer, room, (size_t)length + 1) : NULL;
}

char *hook_getcwd(char *buffer, size_t size)
{
	struct identity directory = identity_of_directory(AT_FDCWD);
	if (directory.form != WIRE_LAYER_FORM_DIRECTORY)
		return libc.getcwd(buffer, size);
	return name_current(&directory, buffer, size);
}

/* `room` is what the compiler knows of the buffer's size; libc ends the program if it is too small. */
char *hook___getcwd_chk(char *buffer, size_t size, size_t room)
{
	struct identity directory = identity_of_directory(AT_FDCWD);
	if (directory.form != WIRE_LAYER_FORM_DIRECTORY || size > room)
		return libc.__getcwd_chk(buffer, size, room);
	return name_current(&directory, buffer, size);
}

/* On failure the buffer holds the error's text. */
__attribute__((noinline)) static char *name_current_unbounded(const struct identity *directory, char *buffer, size_t room)
{
	char path[PATH_MAX];
	if (!buffer) {
		fail(EINVAL);
		return NULL;
	}
	long length = remote_path(directory, path, sizeof path);
	if (length >= 0 && (size_t)length < room)
		return memcpy(buffer, path, (size_t)length + 1);
	if (length >= 0)
		fail(ERANGE);
	const char *text = strerror(errno);
	size_t size = strnlen(text, room - 1);
	memcpy(buffer, text, size);
	buffer[size] = 0;
	return NULL;
}

char *hook_getwd(char *buffer)
{
	struct identity directory = identity_of_directory(AT_FDCWD);
	if (directory.form != WIRE_LAYER_FORM_DIRECTORY)
		return libc.getwd(buffer);
	return name_current_unbounded(&directory, buffer, PATH_MAX);
}

char *hook___getwd_chk(char *buffer, size_t room)
{
	struct identity directory = identity_of_directory(AT_FDCWD);
	if (directory.form != WIRE_LAYER_FORM_DIRECTORY || room == 0)
		return libc.__getwd_chk(buffer, room);
	return name_current_unbounded(&directory, buffer, room < PATH_MAX ? room : PATH_MAX);
}

/* $PWD if it leads to the current directory, else as getcwd. */
__attribute__((noinline)) static char *name_current_by_habit(const struct identity *directory)
{
	const char *habit = getenv("PWD");
	struct stat there;
	struct layer_reply here;
	int error = errno;
	if (habit && habit[0] && inner_stat(AT_FDCWD, habit, 0, &there) == 0 && identity_stat(directory, &here) == 0 &&
	    there.st_dev == here.stat.device && there.st_ino == here.stat.inode) {
		errno = error;
		return strdup(habit);
	}
	errno = error;
	return name_current(directory, NULL, 0);
}

char *hook_get_current_dir_name(void)
{
	struct identity directory = identity_of_directory(AT_FDCWD);
	if (directory.form != WIRE_LAYER_FORM_DIRECTORY)
		return libc.get_current_dir_name();
	return name_current_by_habit(&directory);
}
