/*
 * glob. glibc's can be lent our own calls (GLOB_ALTDIRFUNC), so all that it knows stays; musl's can't, there ours does
 * what it does (glob.c). Patterns that can't reach anything remote are left to libc. globfree needs no hook. wordexp
 * and the patterns of shells inside libc look at this machine.
 */
#include "glob.h"

#include "hook.h"
#include "remote.h"

/* Of <glob.h> as glibc has it; musl's lacks it. */
#ifndef GLOB_ALTDIRFUNC
#define GLOB_ALTDIRFUNC (1 << 9)
#endif
#ifndef GLOB_BRACE
#define GLOB_BRACE (1 << 10)
#endif

#ifdef __GLIBC__
static void *open_directory(const char *path)
{
	return hook_opendir(path);
}

static struct dirent *read_directory(void *stream)
{
	return hook_readdir(stream);
}

static void close_directory(void *stream)
{
	hook_closedir(stream);
}

static int see(const char *path, struct stat *status)
{
	return inner_stat(AT_FDCWD, path, 0, status);
}

static int see_itself(const char *path, struct stat *status)
{
	return inner_stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, status);
}

static int glob_lent(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *result)
{
	glob_t before = *result;
	result->gl_opendir = open_directory;
	result->gl_readdir = (__typeof__(result->gl_readdir))read_directory;
	result->gl_closedir = close_directory;
	result->gl_stat = (__typeof__(result->gl_stat))see;
	result->gl_lstat = (__typeof__(result->gl_lstat))see_itself;
	int code = libc.glob(pattern, flags | GLOB_ALTDIRFUNC, on_error, result);
	result->gl_opendir = before.gl_opendir;
	result->gl_readdir = before.gl_readdir;
	result->gl_closedir = before.gl_closedir;
	result->gl_stat = before.gl_stat;
	result->gl_lstat = before.gl_lstat;
	result->gl_flags &= ~GLOB_ALTDIRFUNC;
	return code;
}
#endif

/* The directory that a pattern starts in: how much of it stands before the first part that has something special. */
static size_t literal(const char *pattern, int flags)
{
	size_t slash = 0;
	for (size_t i = 0; pattern[i] && !strchr("*?[\\", pattern[i]); i++) {
		if (pattern[i] == '{' && flags & GLOB_BRACE)
			break;
		if (pattern[i] == '/')
			slash = i;
	}
	return slash;
}

static bool passes(const char *pattern, int flags)
{
	if (flags & GLOB_ALTDIRFUNC)
		return true;
	if (pattern[0] == '~' || pattern[0] == '{') /* may become absolute */
		return walk_passes("/", 1);
	if (pattern[0] != '/')
		return walk_passes(".", 1);
	size_t length = literal(pattern, flags);
	return walk_passes(pattern, length ? length : 1);
}

int hook_glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *result)
{
	if (passes(pattern, flags))
		return libc.glob(pattern, flags, on_error, result);
#ifdef __GLIBC__
	if (!libc_is_musl())
		return glob_lent(pattern, flags, on_error, result);
#endif
	return glob_ours(pattern, flags, on_error, result);
}
