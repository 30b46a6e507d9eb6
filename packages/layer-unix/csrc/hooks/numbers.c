/*
 * Calls of files by number: which hook each goes to, with its arguments' types. Called by hook_syscall; the others are
 * in syscalls.c.
 */
#include "numbers.h"

#include "hook.h"

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

#define TO(number, call)             \
	case SYS_##number:           \
		*result = (long)(call); \
		return true;

#define TEXT(argument) ((const char *)(argument))
#define OUT(argument) ((void *)(argument))

static bool open_or_read(long number, const long a[6], long *result)
{
	switch (number) {
#ifdef SYS_open
		TO(open, hook_open(TEXT(a[0]), (int)a[1], (mode_t)a[2]))
		TO(creat, hook_creat(TEXT(a[0]), (mode_t)a[1]))
#endif
		TO(openat, hook_openat((int)a[0], TEXT(a[1]), (int)a[2], (mode_t)a[3]))
		TO(openat2, hook_openat2((int)a[0], TEXT(a[1]), OUT(a[2]), (size_t)a[3]))
		TO(name_to_handle_at, hook_name_to_handle_at((int)a[0], TEXT(a[1]), OUT(a[2]), OUT(a[3]), (int)a[4]))
		TO(dup, hook_dup((int)a[0]))
		TO(fcntl, hook_fcntl((int)a[0], (int)a[1], a[2]))
		TO(ioctl, hook_ioctl((int)a[0], (unsigned long)a[1], a[2]))
		TO(read, hook_read((int)a[0], OUT(a[1]), (size_t)a[2]))
		TO(pread64, hook_pread((int)a[0], OUT(a[1]), (size_t)a[2], a[3]))
		TO(readv, hook_readv((int)a[0], OUT(a[1]), (int)a[2]))
		TO(preadv, hook_preadv((int)a[0], OUT(a[1]), (int)a[2], a[3]))
		TO(preadv2, hook_preadv2((int)a[0], OUT(a[1]), (int)a[2], a[3], (int)a[5]))
		TO(lseek, hook_lseek((int)a[0], a[1], (int)a[2]))
		TO(mmap, hook_mmap(OUT(a[0]), (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]))
		TO(sendfile, hook_sendfile((int)a[0], (int)a[1], OUT(a[2]), (size_t)a[3]))
		TO(copy_file_range,
		   hook_copy_file_range((int)a[0], OUT(a[1]), (int)a[2], OUT(a[3]), (size_t)a[4], (unsigned)a[5]))
		TO(splice, hook_splice((int)a[0], OUT(a[1]), (int)a[2], OUT(a[3]), (size_t)a[4], (unsigned)a[5]))
	default:
		return false;
	}
}

bool file_call(long number, const long a[6], long *result)
{
	switch (number) {
#ifdef SYS_stat
		TO(stat, hook_stat(TEXT(a[0]), OUT(a[1])))
		TO(lstat, hook_lstat(TEXT(a[0]), OUT(a[1])))
		TO(access, hook_access(TEXT(a[0]), (int)a[1]))
		TO(readlink, hook_readlink(TEXT(a[0]), OUT(a[1]), (size_t)a[2]))
#endif
		TO(fstat, hook_fstat((int)a[0], OUT(a[1])))
		TO(newfstatat, hook_fstatat((int)a[0], TEXT(a[1]), OUT(a[2]), (int)a[3]))
		TO(statx, hook_statx((int)a[0], TEXT(a[1]), (int)a[2], (unsigned)a[3], OUT(a[4])))
		TO(faccessat, hook_faccessat((int)a[0], TEXT(a[1]), (int)a[2], 0))
		TO(faccessat2, hook_faccessat((int)a[0], TEXT(a[1]), (int)a[2], (int)a[3]))
		TO(readlinkat, hook_readlinkat((int)a[0], TEXT(a[1]), OUT(a[2]), (size_t)a[3]))
		TO(statfs, hook_statfs(TEXT(a[0]), OUT(a[1])))
		TO(fstatfs, hook_fstatfs((int)a[0], OUT(a[1])))
		TO(getxattr, hook_getxattr(TEXT(a[0]), TEXT(a[1]), OUT(a[2]), (size_t)a[3]))
		TO(lgetxattr, hook_lgetxattr(TEXT(a[0]), TEXT(a[1]), OUT(a[2]), (size_t)a[3]))
		TO(fgetxattr, hook_fgetxattr((int)a[0], TEXT(a[1]), OUT(a[2]), (size_t)a[3]))
		TO(listxattr, hook_listxattr(TEXT(a[0]), OUT(a[1]), (size_t)a[2]))
		TO(llistxattr, hook_llistxattr(TEXT(a[0]), OUT(a[1]), (size_t)a[2]))
		TO(flistxattr, hook_flistxattr((int)a[0], OUT(a[1]), (size_t)a[2]))
		TO(inotify_add_watch, hook_inotify_add_watch((int)a[0], TEXT(a[1]), (uint32_t)a[2]))
	default:
		return open_or_read(number, a, result);
	}
}
