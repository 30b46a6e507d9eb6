/*
 * libc's syscall(): programs that use it for files (Node, others for calls newer than their libc) must not see this
 * machine's. Calls that hooks know go to them; calls that change a path are a table of where their paths are; all else
 * is the kernel's. A system call made by the program's own instructions isn't seen.
 */
#include "hook.h"
#include "numbers.h"
#include "remote.h"
#include "scan.h"

#ifndef SYS_renameat2
#ifdef __x86_64__
#define SYS_renameat2 316
#else
#define SYS_renameat2 276
#endif
#endif

enum { IO_URING_SETUP = 425, IO_URING_REGISTER = 427, FCHMODAT2 = 452, SETXATTRAT = 463, REMOVEXATTRAT = 466 };
enum { CWD = -1, NONE = -2 }; /* in place of an argument's number */

/* Where a call that changes paths has them: arguments that are a directory and a path, twice. Others are all zeros. */
static const struct change {
	int8_t directory, path, second_directory, second_path;
} changes[] = {
#ifdef SYS_mkdir
	[SYS_mkdir] = {CWD, 0, NONE, NONE},
	[SYS_mknod] = {CWD, 0, NONE, NONE},
	[SYS_rmdir] = {CWD, 0, NONE, NONE},
	[SYS_unlink] = {CWD, 0, NONE, NONE},
	[SYS_rename] = {CWD, 0, CWD, 1},
	[SYS_link] = {CWD, 0, CWD, 1},
	[SYS_symlink] = {CWD, 1, NONE, NONE},
	[SYS_chmod] = {CWD, 0, NONE, NONE},
	[SYS_chown] = {CWD, 0, NONE, NONE},
	[SYS_lchown] = {CWD, 0, NONE, NONE},
	[SYS_utime] = {CWD, 0, NONE, NONE},
	[SYS_utimes] = {CWD, 0, NONE, NONE},
	[SYS_futimesat] = {0, 1, NONE, NONE},
#endif
#ifdef SYS_renameat
	[SYS_renameat] = {0, 1, 2, 3},
#endif
	[SYS_mkdirat] = {0, 1, NONE, NONE},
	[SYS_mknodat] = {0, 1, NONE, NONE},
	[SYS_unlinkat] = {0, 1, NONE, NONE},
	[SYS_renameat2] = {0, 1, 2, 3},
	[SYS_linkat] = {0, 1, 2, 3},
	[SYS_symlinkat] = {1, 2, NONE, NONE},
	[SYS_fchmodat] = {0, 1, NONE, NONE},
	[FCHMODAT2] = {0, 1, NONE, NONE},
	[SYS_fchownat] = {0, 1, NONE, NONE},
	[SYS_utimensat] = {0, 1, NONE, NONE},
	[SYS_truncate] = {CWD, 0, NONE, NONE},
	[SYS_setxattr] = {CWD, 0, NONE, NONE},
	[SYS_lsetxattr] = {CWD, 0, NONE, NONE},
	[SYS_removexattr] = {CWD, 0, NONE, NONE},
	[SYS_lremovexattr] = {CWD, 0, NONE, NONE},
	[SETXATTRAT] = {0, 1, NONE, NONE},
	[REMOVEXATTRAT] = {0, 1, NONE, NONE},
};

/* Puts the path that a change goes to in place of the one given. False: errno is set. */
static bool place(long arguments[6], int directory, int path, char *room)
{
	int base = directory == CWD ? AT_FDCWD : (int)arguments[directory];
	const char *given = (const char *)arguments[path], *found;
	if (!given || !given[0]) /* the descriptor is meant */
		return base == AT_FDCWD || descriptor_changes(base);
	found = ask_place(&base, given, room);
	arguments[path] = (long)found;
	if (directory != CWD)
		arguments[directory] = base;
	return found != NULL;
}

/* Not inlined: the room for two paths. */
__attribute__((noinline)) static long change(long number, const struct change *what, long arguments[6])
{
	char room[PATH_MAX], second_room[PATH_MAX];
	if (!place(arguments, what->directory, what->path, room))
		return -1;
	if (what->second_path != NONE && !place(arguments, what->second_directory, what->second_path, second_room))
		return -1;
	return libc.syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
	                    arguments[5]);
}

static const struct change *find_change(long number)
{
	if ((unsigned long)number >= sizeof changes / sizeof *changes || changes[number].directory == changes[number].path)
		return NULL;
	return &changes[number];
}

/* The kernel's getcwd counts the NUL and allocates nothing. */
static long current(char *buffer, size_t size)
{
	if (identity_of_directory(AT_FDCWD).form != WIRE_LAYER_FORM_DIRECTORY)
		return libc.syscall(SYS_getcwd, buffer, size);
	if (!buffer || !size)
		return fail(buffer ? ERANGE : EFAULT);
	return hook_getcwd(buffer, size) ? (long)strlen(buffer) + 1 : -1;
}

#define TO(number, call)     \
	case SYS_##number: \
		return call;

/* Calls that hooks know, with their arguments' types. `known` false: the call is of no interest here. */
static long route(long number, long a, long b, long c, long d, long e, bool *known)
{
	*known = true;
	switch (number) {
		TO(close, hook_close((int)a))
		TO(close_range, hook_close_range((unsigned)a, (unsigned)b, (int)c))
#ifdef SYS_dup2
		TO(dup2, hook_dup2((int)a, (int)b))
#endif
		TO(dup3, hook_dup3((int)a, (int)b, (int)c))
		TO(execve, hook_execve((const char *)a, (char *const *)b, (char *const *)c))
		TO(execveat, hook_execveat((int)a, (const char *)b, (char *const *)c, (char *const *)d, (int)e))
		TO(chdir, hook_chdir((const char *)a))
		TO(fchdir, hook_fchdir((int)a))
		TO(getcwd, current((char *)a, (size_t)b))
		TO(getdents64, scan_records((int)a, (void *)b, (unsigned)c, false))
#ifdef SYS_getdents
		TO(getdents, scan_records((int)a, (void *)b, (unsigned)c, true))
#endif
		TO(fchmod, hook_fchmod((int)a, (mode_t)b))
		TO(fchown, hook_fchown((int)a, (uid_t)b, (gid_t)c))
		TO(fsetxattr, hook_fsetxattr((int)a, (const char *)b, (const void *)c, (size_t)d, (int)e))
		TO(uname, hook_uname((struct utsname *)a))
		TO(fremovexattr, hook_fremovexattr((int)a, (const char *)b))
	case IO_URING_SETUP: /* what a ring does, no hook sees: programs go on without one */
	case IO_URING_SETUP + 1:
	case IO_URING_REGISTER:
		return fail(ENOSYS);
	default:
		*known = false;
		return 0;
	}
}

long hook_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	bool known;
	long result = route(number, a, b, c, d, e, &known);
	if (known)
		return result;
	long arguments[] = {a, b, c, d, e, f};
	if (file_call(number, arguments, &result) || socket_call(number, arguments, &result))
		return result;
	const struct change *what = find_change(number);
	if (__builtin_expect(!what, 1))
		return libc.syscall(number, a, b, c, d, e, f);
	return change(number, what, arguments);
}
