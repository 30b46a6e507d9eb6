/* System calls by number, through libc's syscall(): those of directories are the target's, all others the kernel's. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *folder;

static void directories(void)
{
	char room[PATH_MAX], start[PATH_MAX];
	CHECK(getcwd(start, sizeof start));
	CHECK(syscall(SYS_getcwd, room, sizeof room) == (long)strlen(start) + 1 && strcmp(room, start) == 0);
	CHECK(syscall(SYS_chdir, folder) == 0);
	CHECK(syscall(SYS_getcwd, room, sizeof room) == (long)strlen(folder) + 1 && strcmp(room, folder) == 0);
	CHECK_FAILS(syscall(SYS_getcwd, room, strlen(folder)), ERANGE);
	CHECK_FAILS(syscall(SYS_getcwd, room, 0), ERANGE);
	CHECK_FAILS(syscall(SYS_chdir, "nothing"), ENOENT);
	DIR *stream = opendir("one");
	CHECK(stream && syscall(SYS_fchdir, dirfd(stream)) == 0 && closedir(stream) == 0);
	CHECK(syscall(SYS_getcwd, room, sizeof room) > 0 && strcmp(room, below(folder, "one")) == 0);
	CHECK(syscall(SYS_chdir, "/") == 0);
}

#ifdef SYS_getdents
/* The oldest format: the type is the record's last byte. */
static void old_records(void)
{
	char buffer[4096];
	int names = 0;
	DIR *stream = opendir(below(folder, "one"));
	CHECK(stream);
	long got = syscall(SYS_getdents, dirfd(stream), buffer, sizeof buffer);
	CHECK(got > 0);
	for (long at = 0; at < got; names++) {
		uint16_t length;
		memcpy(&length, buffer + at + 16, sizeof length);
		const char *name = buffer + at + 18;
		CHECK(buffer[at + length - 1] == (strcmp(name, "file") == 0 ? DT_REG : DT_DIR));
		CHECK(strlen(name) + 20 <= length && length % 8 == 0);
		at += length;
	}
	CHECK(names == 4);
	CHECK(syscall(SYS_getdents, dirfd(stream), buffer, sizeof buffer) == 0);
	CHECK(closedir(stream) == 0);
}
#endif

static void others(void)
{
	char page[8];
	int file = open("/proc/self/exe", O_RDONLY), copy;
	CHECK(file >= 0 && syscall(SYS_read, file, page, 4) == 4 && memcmp(page, "\177ELF", 4) == 0);
	void *memory = (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, file, 4096L); /* six arguments */
	CHECK(memory != MAP_FAILED);
	CHECK(pread(file, page, 8, 4096) == 8 && memcmp(memory, page, 8) == 0);
	CHECK(syscall(SYS_getpid) == getpid());
	CHECK((copy = (int)syscall(SYS_dup3, file, 300, O_CLOEXEC)) == 300);
	CHECK(syscall(SYS_close, copy) == 0);
	CHECK_FAILS(syscall(SYS_close, copy), EBADF);
	CHECK_FAILS(syscall(SYS_close_range, 5u, 4u, 0), EINVAL);
	CHECK_FAILS(syscall(100000), ENOSYS);
	CHECK_FAILS(syscall(SYS_mkdirat, AT_FDCWD, NULL, 0700), EFAULT);
	CHECK_FAILS(syscall(SYS_fchmodat, AT_FDCWD, "", 0700), ENOENT);
	CHECK_FAILS(syscall(SYS_renameat2, AT_FDCWD, "/none", AT_FDCWD, "/tmp/x", 0), ENOENT);
	CHECK(close(file) == 0);
}

int main(int argc, char **argv)
{
	CHECK(argc == 2 || argc == 3);
	folder = argv[1];
	directories();
#ifdef SYS_getdents
	old_records();
#endif
	others();
	if (argc == 3) /* under the layer: no ring, whose work nobody would see */
		for (int number = 425; number <= 427; number++)
			CHECK_FAILS(syscall(number, 1, 0, 0, 0, 0, 0), ENOSYS);
	return 0;
}
