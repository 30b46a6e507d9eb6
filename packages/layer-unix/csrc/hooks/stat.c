/*
 * The stat family, by path and by descriptor, with the old names that programs built for an older libc call. A local
 * result costs one comparison more than the call: stand-ins have no links, hardly anything else does. The kernel is
 * asked directly: each libc lacks some of the names.
 */
#include "hook.h"
#include "remote.h"

#include <linux/stat.h>
#include <sys/sysmacros.h>

static int stat_here(int directory, const char *path, struct stat *status, int flags)
{
	return (int)settled(sys_fstatat(directory, path, status, flags));
}

static int statx_here(int directory, const char *path, int flags, unsigned mask, struct statx *status)
{
	return (int)settled(sys_call5(SYS_statx, directory, (long)path, flags, mask, (long)status));
}

static void fill_statx(struct statx *to, const struct layer_reply *from)
{
	const struct wire_stat *stat = &from->stat;
	*to = (struct statx){
		.stx_mask = STATX_BASIC_STATS | (stat->has_born ? STATX_BTIME : 0),
		.stx_blksize = stat->block_size,
		.stx_nlink = stat->links,
		.stx_uid = stat->uid,
		.stx_gid = stat->gid,
		.stx_mode = (uint16_t)stat->mode,
		.stx_ino = stat->inode,
		.stx_size = stat->size,
		.stx_blocks = stat->blocks,
		.stx_atime = {.tv_sec = stat->accessed_seconds, .tv_nsec = stat->accessed_nanoseconds},
		.stx_btime = {.tv_sec = stat->born_seconds, .tv_nsec = stat->born_nanoseconds},
		.stx_ctime = {.tv_sec = stat->changed_seconds, .tv_nsec = stat->changed_nanoseconds},
		.stx_mtime = {.tv_sec = stat->modified_seconds, .tv_nsec = stat->modified_nanoseconds},
		.stx_rdev_major = major(stat->rdev),
		.stx_rdev_minor = minor(stat->rdev),
		.stx_dev_major = major(stat->device),
		.stx_dev_minor = minor(stat->device),
	};
}

/* ---- by descriptor */

/* Turns the local stat of a descriptor without links into the remote one, if it is a stand-in's. */
__attribute__((noinline)) static int correct(int descriptor, struct stat *status)
{
	struct layer_reply reply;
	struct identity identity = identity_of_status(descriptor, status);
	if (identity.form == WIRE_LAYER_FORM_FOREIGN)
		return 0;
	if (identity_stat(&identity, &reply) != 0)
		return -1;
	remote_status(status, &reply.stat);
	return 0;
}

static inline int corrected(int result, int descriptor, struct stat *status)
{
	return __builtin_expect(result != 0 || status->st_nlink != 0, 1) ? result : correct(descriptor, status);
}

int hook_fstat(int descriptor, struct stat *status)
{
	return corrected((int)settled(sys_fstat(descriptor, status)), descriptor, status);
}

int hook___fxstat(int version, int descriptor, struct stat *status)
{
	return corrected(libc.__fxstat(version, descriptor, status), descriptor, status);
}

/* ---- by path */

enum { KNOWN = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE };

static int stat_asked(int directory, const char *path, struct stat *status, int flags)
{
	if (flags & ~KNOWN)
		return fail(EINVAL);
	return status ? inner_stat(directory, path, flags, status) : fail(EFAULT);
}

/* A local path may lead to a stand-in: /dev/stdin, /proc/self/fd/3. */
__attribute__((noinline)) static int correct_named(int directory, const char *path, struct stat *status)
{
	int descriptor = (int)sys_openat(directory, path, O_PATH | O_CLOEXEC, 0);
	if (descriptor < 0)
		return 0;
	int result = correct(descriptor, status);
	sys_close(descriptor);
	return result;
}

static inline int corrected_named(int result, int directory, const char *path, struct stat *status)
{
	if (__builtin_expect(result != 0 || status->st_nlink != 0, 1))
		return result;
	return correct_named(directory, path, status);
}

int hook_stat(const char *path, struct stat *status)
{
	if (ask_passes(INTENT_READ, AT_FDCWD, path))
		return corrected_named(stat_here(AT_FDCWD, path, status, 0), AT_FDCWD, path, status);
	return stat_asked(AT_FDCWD, path, status, 0);
}

int hook_lstat(const char *path, struct stat *status)
{
	if (ask_passes(INTENT_READ, AT_FDCWD, path))
		return stat_here(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
	return stat_asked(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

/* Whether the call is about the descriptor itself. Its result may be a stand-in's then. */
static inline bool names_itself(const char *path, int flags)
{
	return flags & AT_EMPTY_PATH && (!path || !path[0]);
}

static inline int corrected_at(int result, int directory, const char *path, struct stat *status, int flags)
{
	if (names_itself(path, flags))
		return corrected(result, directory, status);
	return flags & AT_SYMLINK_NOFOLLOW ? result : corrected_named(result, directory, path, status);
}

int hook_fstatat(int directory, const char *path, struct stat *status, int flags)
{
	if (!ask_passes(INTENT_READ, directory, path))
		return stat_asked(directory, path, status, flags);
	int result = stat_here(directory, path, status, flags);
	return corrected_at(result, directory, path, status, flags);
}

/* On 64 bit there is one form of struct stat, under the numbers 0 and 1; libc refuses others. */
static inline bool known(int version)
{
	return version == 0 || version == 1;
}

int hook___xstat(int version, const char *path, struct stat *status)
{
	if (ask_passes(INTENT_READ, AT_FDCWD, path) || !known(version))
		return corrected_named(libc.__xstat(version, path, status), AT_FDCWD, path, status);
	return stat_asked(AT_FDCWD, path, status, 0);
}

int hook___lxstat(int version, const char *path, struct stat *status)
{
	if (ask_passes(INTENT_READ, AT_FDCWD, path) || !known(version))
		return libc.__lxstat(version, path, status);
	return stat_asked(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

int hook___fxstatat(int version, int directory, const char *path, struct stat *status, int flags)
{
	if (!ask_passes(INTENT_READ, directory, path) && known(version))
		return stat_asked(directory, path, status, flags);
	int result = libc.__fxstatat(version, directory, path, status, flags);
	return corrected_at(result, directory, path, status, flags);
}

/* ---- statx */

__attribute__((noinline)) static int statx_asked(int directory, const char *path, int flags, unsigned mask,
                                                 struct statx *status)
{
	char room[PATH_MAX];
	struct ask ask = {.path = room, .path_size = sizeof room};
	if (mask & STATX__RESERVED || flags & ~KNOWN || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return fail(EINVAL);
	switch (ask_path(WIRE_LAYER_OPERATION_STAT, INTENT_READ, directory, path, (uint32_t)flags, 0, &ask)) {
	case SIDE_LOCAL:
		return statx_here(directory, path, flags, mask, status);
	case SIDE_MOVED:
		return statx_here(AT_FDCWD, room, flags, mask, status);
	case SIDE_DONE:
		if (!status)
			return fail(EFAULT);
		fill_statx(status, &ask.answer.reply);
		return 0;
	default:
		return -1;
	}
}

__attribute__((noinline)) static int correct_statx(int descriptor, struct statx *status)
{
	struct layer_reply reply;
	struct identity identity = descriptor == AT_FDCWD ? identity_of_directory(descriptor) : identity_of(descriptor);
	if (identity.form == WIRE_LAYER_FORM_FOREIGN)
		return 0;
	if (identity_stat(&identity, &reply) != 0)
		return -1;
	fill_statx(status, &reply);
	return 0;
}

__attribute__((noinline)) static int correct_statx_named(int directory, const char *path, struct statx *status)
{
	int descriptor = (int)sys_openat(directory, path, O_PATH | O_CLOEXEC, 0);
	if (descriptor < 0)
		return 0;
	int result = correct_statx(descriptor, status);
	sys_close(descriptor);
	return result;
}

int hook_statx(int directory, const char *path, int flags, unsigned mask, struct statx *status)
{
	if (!ask_passes(INTENT_READ, directory, path))
		return statx_asked(directory, path, flags, mask, status);
	int result = statx_here(directory, path, flags, mask, status);
	if (result != 0 || (status->stx_mask & STATX_NLINK && status->stx_nlink))
		return result;
	if (names_itself(path, flags))
		return correct_statx(directory, status);
	return flags & AT_SYMLINK_NOFOLLOW ? 0 : correct_statx_named(directory, path, status);
}
