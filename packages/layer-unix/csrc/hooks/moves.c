/*
 * Changes of two paths, and new files whose names libc chooses. Either path may have to be replaced by the absolute one
 * that the session names; what a symbolic link says is text, and stays.
 */
#include "hook.h"
#include "remote.h"

static bool pass(int from_directory, const char *from, int to_directory, const char *to)
{
	return place_passes(from_directory, from) && place_passes(to_directory, to);
}

/* Not inlined: the room for two paths. */
__attribute__((noinline)) static int renameat2_placed(int from_directory, const char *from, int to_directory,
                                                      const char *to, unsigned flags)
{
	char from_room[PATH_MAX], to_room[PATH_MAX];
	from = ask_place(&from_directory, from, from_room);
	to = from ? ask_place(&to_directory, to, to_room) : NULL;
	if (!to)
		return -1;
	if (!flags)
		return libc.renameat(from_directory, from, to_directory, to);
	return libc.renameat2(from_directory, from, to_directory, to, flags);
}

int hook_rename(const char *from, const char *to)
{
	if (pass(AT_FDCWD, from, AT_FDCWD, to))
		return libc.rename(from, to);
	return renameat2_placed(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int hook_renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	if (pass(from_directory, from, to_directory, to))
		return libc.renameat(from_directory, from, to_directory, to);
	return renameat2_placed(from_directory, from, to_directory, to, 0);
}

int hook_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags)
{
	if (pass(from_directory, from, to_directory, to))
		return libc.renameat2(from_directory, from, to_directory, to, flags);
	return renameat2_placed(from_directory, from, to_directory, to, flags);
}

__attribute__((noinline)) static int linkat_placed(int from_directory, const char *from, int to_directory,
                                                   const char *to, int flags)
{
	char from_room[PATH_MAX], to_room[PATH_MAX];
	from = ask_place(&from_directory, from, from_room);
	to = from ? ask_place(&to_directory, to, to_room) : NULL;
	return to ? libc.linkat(from_directory, from, to_directory, to, flags) : -1;
}

int hook_link(const char *from, const char *to)
{
	if (pass(AT_FDCWD, from, AT_FDCWD, to))
		return libc.link(from, to);
	return linkat_placed(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int hook_linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
	if (pass(from_directory, from, to_directory, to))
		return libc.linkat(from_directory, from, to_directory, to, flags);
	return linkat_placed(from_directory, from, to_directory, to, flags);
}

__attribute__((noinline)) static int symlinkat_placed(const char *target, int directory, const char *path)
{
	char room[PATH_MAX];
	path = ask_place(&directory, path, room);
	return path ? libc.symlinkat(target, directory, path) : -1;
}

int hook_symlink(const char *target, const char *path)
{
	if (place_passes(AT_FDCWD, path))
		return libc.symlink(target, path);
	return symlinkat_placed(target, AT_FDCWD, path);
}

int hook_symlinkat(const char *target, int directory, const char *path)
{
	if (place_passes(directory, path))
		return libc.symlinkat(target, directory, path);
	return symlinkat_placed(target, directory, path);
}

/* ---- mkstemp and its kin: what libc put in place of the six X goes back into the program's pattern */

enum { MARK = 6 };

/* Where the six X are, or NULL where there is no room for them. */
static char *mark_of(char *pattern, int suffix)
{
	size_t length = strlen(pattern), behind = (size_t)suffix + MARK;
	return suffix < 0 || length < behind ? NULL : pattern + length - behind;
}

static int give_back(char *pattern, char *made, int suffix, int result)
{
	char *to = mark_of(pattern, suffix), *from = mark_of(made, suffix);
	if (to != from && to && from)
		memcpy(to, from, MARK);
	return result;
}

__attribute__((noinline)) static int mkostemps_placed(char *pattern, int suffix, int flags)
{
	char room[PATH_MAX];
	int directory = AT_FDCWD;
	char *path = (char *)(uintptr_t)ask_place(&directory, pattern, room);
	return path ? give_back(pattern, path, suffix, libc.mkostemps(path, suffix, flags)) : -1;
}

int hook_mkostemps(char *pattern, int suffix, int flags)
{
	if (place_passes(AT_FDCWD, pattern))
		return libc.mkostemps(pattern, suffix, flags);
	return mkostemps_placed(pattern, suffix, flags);
}

int hook_mkstemps(char *pattern, int suffix)
{
	if (place_passes(AT_FDCWD, pattern))
		return libc.mkstemps(pattern, suffix);
	return mkostemps_placed(pattern, suffix, 0);
}

int hook_mkostemp(char *pattern, int flags)
{
	if (place_passes(AT_FDCWD, pattern))
		return libc.mkostemp(pattern, flags);
	return mkostemps_placed(pattern, 0, flags);
}

int hook_mkstemp(char *pattern)
{
	if (place_passes(AT_FDCWD, pattern))
		return libc.mkstemp(pattern);
	return mkostemps_placed(pattern, 0, 0);
}

__attribute__((noinline)) static char *mkdtemp_placed(char *pattern)
{
	char room[PATH_MAX];
	int directory = AT_FDCWD;
	char *path = (char *)(uintptr_t)ask_place(&directory, pattern, room);
	if (!path || !libc.mkdtemp(path))
		return NULL;
	give_back(pattern, path, 0, 0);
	return pattern;
}

char *hook_mkdtemp(char *pattern)
{
	if (place_passes(AT_FDCWD, pattern))
		return libc.mkdtemp(pattern);
	return mkdtemp_placed(pattern);
}
