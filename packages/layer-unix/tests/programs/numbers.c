/* Files by system calls' numbers, through libc's syscall(). Arguments: the remote folder, the real one. */
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPENAT2 = 437 };

int main(int argc, char **argv)
{
	struct stat status, truth;
	char buffer[64];
	struct iovec part = {buffer, 5};
	CHECK(argc == 3);
	char *file = below(argv[1], "file"), *none = below(argv[1], "none"), *where = below(argv[1], "link");
	CHECK(stat(below(argv[2], "file"), &truth) == 0);
	int descriptor = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);
	CHECK(descriptor >= 0);
	CHECK(syscall(SYS_read, descriptor, buffer, 5) == 5 && memcmp(buffer, "hello", 5) == 0);
	CHECK(syscall(SYS_pread64, descriptor, buffer, 5, 7L) == 5 && memcmp(buffer, "world", 5) == 0);
	CHECK(syscall(SYS_preadv, descriptor, &part, 1, 0L, 0L) == 5 && memcmp(buffer, "hello", 5) == 0);
	CHECK(syscall(SYS_preadv2, descriptor, &part, 1, 7L, 0L, 0) == 5 && memcmp(buffer, "world", 5) == 0);
	CHECK(syscall(SYS_lseek, descriptor, 0L, SEEK_END) == 13);
	char *mapped = (char *)syscall(SYS_mmap, NULL, 13L, PROT_READ, MAP_PRIVATE, descriptor, 0L);
	CHECK((long)mapped != -1 && memcmp(mapped, "hello", 5) == 0);
	CHECK(syscall(SYS_fstat, descriptor, &status) == 0 && status.st_ino == truth.st_ino);
	CHECK(syscall(SYS_newfstatat, AT_FDCWD, where, &status, 0) == 0 && status.st_ino == truth.st_ino);
	CHECK(syscall(SYS_newfstatat, descriptor, "", &status, AT_EMPTY_PATH) == 0 && status.st_ino == truth.st_ino);
	CHECK_FAILS(syscall(SYS_newfstatat, AT_FDCWD, none, &status, 0), ENOENT);
	CHECK(syscall(SYS_faccessat, AT_FDCWD, file, R_OK) == 0);
	CHECK_FAILS(syscall(SYS_faccessat, AT_FDCWD, none, R_OK), ENOENT);
	CHECK(syscall(SYS_readlinkat, AT_FDCWD, where, buffer, 64L) == 4 && memcmp(buffer, "file", 4) == 0);
#ifdef SYS_open
	int other = (int)syscall(SYS_open, file, O_RDONLY);
	CHECK(other == descriptor + 1 && close(other) == 0);
	CHECK(syscall(SYS_stat, where, &status) == 0 && status.st_ino == truth.st_ino);
	CHECK(syscall(SYS_lstat, where, &status) == 0 && S_ISLNK(status.st_mode));
	CHECK(syscall(SYS_access, file, F_OK) == 0 && syscall(SYS_readlink, where, buffer, 64L) == 4);
#endif
#ifdef STATX_BASIC_STATS
	struct statx x;
	CHECK(syscall(SYS_statx, AT_FDCWD, file, 0, STATX_INO, &x) == 0 && x.stx_ino == truth.st_ino);
	CHECK(syscall(SYS_statx, descriptor, "", AT_EMPTY_PATH, STATX_INO, &x) == 0 && x.stx_ino == truth.st_ino);
	CHECK_FAILS(syscall(SYS_statx, AT_FDCWD, file, AT_STATX_SYNC_TYPE, STATX_INO, &x), EINVAL);
#endif
	long how[] = {O_RDONLY, 0, 0, 0}; /* flags, mode, resolve, and what a later kernel may know */
	int opened = (int)syscall(OPENAT2, AT_FDCWD, file, how, 24L);
	if (opened >= 0 || errno != ENOSYS) {
		CHECK(opened >= 0 && read(opened, buffer, 5) == 5 && close(opened) == 0);
		how[3] = 1;
		CHECK_FAILS(syscall(OPENAT2, AT_FDCWD, file, how, 32L), E2BIG);
		CHECK_FAILS(syscall(OPENAT2, AT_FDCWD, file, how, 16L), EINVAL);
		how[1] = 0600; /* of a file that isn't made */
		CHECK_FAILS(syscall(OPENAT2, AT_FDCWD, file, how, 24L), EINVAL);
		how[1] = 0;
		how[0] = 1L << 40;
		CHECK_FAILS(syscall(OPENAT2, AT_FDCWD, file, how, 24L), EINVAL);
	}
	int pipes[2];
	long at = 7;
	CHECK(pipe(pipes) == 0 && syscall(SYS_sendfile, pipes[1], descriptor, &at, 5L) == 5 && at == 12);
	CHECK(syscall(SYS_splice, descriptor, (at = 0, &at), pipes[1], NULL, 5L, 0) == 5);
	CHECK(read(pipes[0], buffer, 64) == 10 && memcmp(buffer, "worldhello", 10) == 0);
	CHECK(syscall(SYS_close, descriptor) == 0);
	CHECK_FAILS(syscall(SYS_read, descriptor, buffer, 1L), EBADF);
	return 0;
}
