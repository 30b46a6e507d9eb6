/*
 * exec and posix_spawn: a new image gets the layer even if its environment was cleaned, and finds its program although
 * the current directory may be a stand-in. Outer calls alone: libc's own execve inside them can't be stood before, so
 * each is here. system and popen are in shell.c.
 *
 * Any of these may run in a vfork child, on its parent's stack and in its memory.
 */
#include "hook.h"
#include "image.h"

#include <alloca.h>
#include <stdarg.h>

extern char **environ;

/*
 * Calls with the environment `with`, made from `environment`: on the stack if it is small. A mapping is given back
 * unless exec succeeds, which gives it back too, but for a vfork child with so many variables: its parent keeps it.
 */
#define WITH_LAYER(with, environment, call)                                                 \
	size_t size = image_size(environment);                                              \
	void *memory = size <= IMAGE_STACK ? alloca(size + 1) : image_map(size);            \
	char *const *with = size && memory ? image_environment(memory, environment) : environment; \
	int result = call;                                                                  \
	if (size > IMAGE_STACK && memory)                                                   \
		image_unmap(memory, size);                                                  \
	return result

/* Whether a program's path, taken from `directory`, leads through a stand-in, where no program is. */
static bool misplaced(int directory, const char *path)
{
	return path && path[0] && path[0] != '/' &&
	       identity_of_directory(directory).form == WIRE_LAYER_FORM_DIRECTORY;
}

/* Not inlined: the room for a path is on the stack of those alone who need it. */
__attribute__((noinline)) static int exec_placed(int directory, const char *path, char *const argv[],
                                                 char *const envp[])
{
	char room[PATH_MAX];
	path = ask_place(&directory, path, room);
	if (!path)
		return -1;
	image_announce(directory, path, false);
	WITH_LAYER(with, envp, libc.execve(path, argv, with));
}

int hook_execve(const char *path, char *const argv[], char *const envp[])
{
	if (misplaced(AT_FDCWD, path))
		return exec_placed(AT_FDCWD, path, argv, envp);
	image_announce(AT_FDCWD, path, false);
	WITH_LAYER(with, envp, libc.execve(path, argv, with));
}

int hook_execv(const char *path, char *const argv[])
{
	return hook_execve(path, argv, environ);
}

int hook_execvpe(const char *file, char *const argv[], char *const envp[])
{
	if (file && strchr(file, '/') && misplaced(AT_FDCWD, file))
		return exec_placed(AT_FDCWD, file, argv, envp);
	image_announce_named(file, false);
	WITH_LAYER(with, envp, libc.execvpe(file, argv, with));
}

int hook_execvp(const char *file, char *const argv[])
{
	return hook_execvpe(file, argv, environ);
}

int hook_fexecve(int descriptor, char *const argv[], char *const envp[])
{
	image_announce_open(descriptor, false);
	WITH_LAYER(with, envp, libc.fexecve(descriptor, argv, with));
}

int hook_execveat(int directory, const char *path, char *const argv[], char *const envp[], int flags)
{
	if (misplaced(directory, path) && !(flags & AT_SYMLINK_NOFOLLOW))
		return exec_placed(directory, path, argv, envp);
	if (path && !path[0])
		image_announce_open(directory, false);
	else
		image_announce(directory, path, false);
	/* By number, since older C libraries lack it. */
	WITH_LAYER(with, envp, (int)libc.syscall(SYS_execveat, directory, path, argv, with, flags));
}

/* The arguments of execl and its kin, up to their NULL, as an array on the caller's stack. */
#define COLLECT(argv, first)                                        \
	va_list rest;                                               \
	size_t count = 1;                                           \
	va_start(rest, first);                                      \
	for (const char *each = first; each; count++)               \
		each = va_arg(rest, const char *);                  \
	va_end(rest);                                               \
	const char **argv = alloca((count + 1) * sizeof *argv);     \
	va_start(rest, first);                                      \
	argv[0] = first;                                            \
	for (size_t i = 1; i < count; i++)                          \
		argv[i] = va_arg(rest, const char *);               \
	argv[count] = NULL

int hook_execl(const char *path, const char *first, ...)
{
	COLLECT(argv, first);
	va_end(rest);
	return layer_ready() ? hook_execv(path, (char **)argv) : libc.execv(path, (char **)argv);
}

int hook_execlp(const char *file, const char *first, ...)
{
	COLLECT(argv, first);
	va_end(rest);
	return layer_ready() ? hook_execvp(file, (char **)argv) : libc.execvp(file, (char **)argv);
}

int hook_execle(const char *path, const char *first, ...)
{
	COLLECT(argv, first);
	char **envp = va_arg(rest, char **);
	va_end(rest);
	return layer_ready() ? hook_execve(path, (char **)argv, envp) : libc.execve(path, (char **)argv, envp);
}

/* ---- posix_spawn: returns an errno */

__attribute__((noinline)) static int spawn_placed(pid_t *pid, const char *path,
                                                  const posix_spawn_file_actions_t *actions,
                                                  const posix_spawnattr_t *attributes, char *const argv[],
                                                  char *const envp[])
{
	char room[PATH_MAX];
	int directory = AT_FDCWD, error = errno;
	path = ask_place(&directory, path, room);
	if (!path) {
		int code = errno;
		errno = error;
		return code;
	}
	image_announce(directory, path, actions != NULL);
	WITH_LAYER(with, envp, libc.posix_spawn(pid, path, actions, attributes, argv, with));
}

int hook_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	if (misplaced(AT_FDCWD, path))
		return spawn_placed(pid, path, actions, attributes, argv, envp);
	image_announce(AT_FDCWD, path, actions != NULL);
	WITH_LAYER(with, envp, libc.posix_spawn(pid, path, actions, attributes, argv, with));
}

int hook_posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	if (file && strchr(file, '/') && misplaced(AT_FDCWD, file))
		return spawn_placed(pid, file, actions, attributes, argv, envp);
	image_announce_named(file, actions != NULL);
	WITH_LAYER(with, envp, libc.posix_spawnp(pid, file, actions, attributes, argv, with));
}

int hook_pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
                     const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	image_announce(AT_FDCWD, path, actions != NULL);
	WITH_LAYER(with, envp, libc.pidfd_spawn(pidfd, path, actions, attributes, argv, with));
}

int hook_pidfd_spawnp(int *pidfd, const char *file, const posix_spawn_file_actions_t *actions,
                      const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	image_announce_named(file, actions != NULL);
	WITH_LAYER(with, envp, libc.pidfd_spawnp(pidfd, file, actions, attributes, argv, with));
}
