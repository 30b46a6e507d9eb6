/* Opening, reading and asking about small remote files: every answer is compared with the real directory's. */
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/ipc.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wchar.h>

static const char *volatile nothing; /* NULL, unseen by the compiler */
static const char *folder, *truth; /* the same directory: remote, and as it really is */

static char *at(const char *name)
{
	return below(folder, name);
}

static char *truly(const char *name)
{
	return below(truth, name);
}

static int lowest(void)
{
	int descriptor = fcntl(0, F_DUPFD, 0);
	CHECK(close(descriptor) == 0);
	return descriptor;
}

static void check_same(const struct stat *a, const struct stat *b)
{
	CHECK(a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode);
	CHECK(a->st_nlink == b->st_nlink && a->st_uid == b->st_uid && a->st_gid == b->st_gid);
	CHECK(a->st_rdev == b->st_rdev && a->st_size == b->st_size && a->st_blksize == b->st_blksize);
	CHECK(a->st_blocks == b->st_blocks && a->st_mtim.tv_sec == b->st_mtim.tv_sec);
	CHECK(a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec);
	CHECK(a->st_ctim.tv_nsec == b->st_ctim.tv_nsec);
}

/* The content is "hello, world\n". */
static void check_content(int descriptor)
{
	char buffer[64], other[4];
	struct iovec parts[] = {{other, 4}, {buffer, 60}};
	errno = 77;
	CHECK(read(descriptor, buffer, 5) == 5 && memcmp(buffer, "hello", 5) == 0);
	CHECK(pread(descriptor, buffer, 64, 7) == 6 && memcmp(buffer, "world\n", 6) == 0);
	CHECK(lseek(descriptor, 0, SEEK_CUR) == 5);
	CHECK(readv(descriptor, parts, 2) == 8 && memcmp(other, ", wo", 4) == 0 && memcmp(buffer, "rld\n", 4) == 0);
	CHECK(read(descriptor, buffer, 1) == 0);
	CHECK(preadv(descriptor, parts, 2, 0) == 13 && memcmp(buffer, "o, world\n", 9) == 0);
	CHECK(lseek(descriptor, -2, SEEK_END) == 11);
	CHECK(errno == 77);
	CHECK_FAILS(write(descriptor, "x", 1), EBADF);
	CHECK_FAILS(ftruncate(descriptor, 0), EINVAL);
}

/* What /proc says of a descriptor. */
static void behind(void)
{
	char path[64], buffer[PATH_MAX];
	int descriptor = open(at("link"), O_RDONLY);
	ssize_t length = (ssize_t)strlen(at("file"));
	sprintf(path, "/proc/self/fd/%d", descriptor);
	errno = 77;
	CHECK(readlink(path, buffer, sizeof buffer) == length && memcmp(buffer, at("file"), (size_t)length) == 0);
	CHECK(readlinkat(-1, path, buffer, 12) == 12 && memcmp(buffer, at("file"), 12) == 0);
	CHECK(errno == 77 && close(descriptor) == 0);
	CHECK((descriptor = open(at("link"), O_PATH | O_NOFOLLOW | O_CLOEXEC)) >= 0);
	CHECK(readlinkat(descriptor, "", buffer, sizeof buffer) == 4 && memcmp(buffer, "file", 4) == 0);
	CHECK(readlinkat(descriptor, "", buffer, 2) == 2 && close(descriptor) == 0);
	CHECK((descriptor = open(at("file"), O_PATH)) >= 0);
	CHECK_FAILS(readlinkat(descriptor, "", buffer, sizeof buffer), ENOENT);
	close(descriptor);
	errno = 77;
	CHECK(unlink("nameless") == 0 || errno == ENOENT);
	CHECK((descriptor = open("nameless", O_CREAT | O_RDWR, 0600)) >= 0 && unlink("nameless") == 0);
	sprintf(path, "/proc/self/fd/%d", descriptor);
	length = readlink(path, buffer, sizeof buffer);
	CHECK(length > 10 && memcmp(buffer + length - 10, " (deleted)", 10) == 0);
	close(descriptor);
}

static void keys(void)
{
	struct stat status;
	CHECK(stat(truly("file"), &status) == 0);
	CHECK(ftok(at("link"), 0x103) == (key_t)((status.st_ino & 0xffff) | (status.st_dev & 0xff) << 16 | 3u << 24));
	CHECK_FAILS(ftok(at("none"), 1), ENOENT);
	CHECK(ftok("/", 1) != -1);
}

static void opening(void)
{
	struct stat status, true_status;
	int first = lowest(), descriptor = open(at("file"), O_RDONLY);
	CHECK(descriptor == first);
	CHECK(fcntl(descriptor, F_GETFD) == 0);
	CHECK((fcntl(descriptor, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_APPEND)) == O_RDONLY);
	check_content(descriptor);
	CHECK(fstat(descriptor, &status) == 0 && stat(truly("file"), &true_status) == 0);
	check_same(&status, &true_status);

	int second = openat(AT_FDCWD, at("file"), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_APPEND);
	CHECK(second == first + 1);
	CHECK(fcntl(second, F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(second, F_GETFL) & (O_NONBLOCK | O_APPEND)) == (O_NONBLOCK | O_APPEND));
	check_content(second); /* an offset of its own */
	CHECK(close(second) == 0 && close(descriptor) == 0);
	CHECK(lowest() == first);

	CHECK_FAILS(open(at("none"), O_RDONLY), ENOENT);
	CHECK_FAILS(open(at("file/none"), O_RDONLY), ENOTDIR);
	CHECK_FAILS(open(at("file"), O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_FAILS(open(at("link"), O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_FAILS(open(nothing, O_RDONLY), EFAULT);
	CHECK_FAILS(open("", O_RDONLY), ENOENT);
	CHECK_FAILS(open("relative-and-not-there", O_RDONLY), ENOENT);
	CHECK((descriptor = open(at("link"), O_RDONLY)) == first);
	check_content(descriptor);
	close(descriptor);

	CHECK((descriptor = open(at("file"), O_PATH)) == first);
	char byte;
	CHECK_FAILS(read(descriptor, &byte, 1), EBADF);
	CHECK(fcntl(descriptor, F_GETFL) & O_PATH && fcntl(descriptor, F_GETFD) == 0);
	CHECK(fstat(descriptor, &status) == 0 && status.st_ino == true_status.st_ino);
	close(descriptor);

	CHECK((descriptor = open(at("folder"), O_RDONLY)) == first);
	CHECK(fstat(descriptor, &status) == 0 && stat(truly("folder"), &true_status) == 0);
	check_same(&status, &true_status);
	int inside = openat(descriptor, "inside", O_RDONLY);
	CHECK(inside == first + 1 && read(inside, &byte, 1) == 1 && byte == 'i');
	close(inside);
	CHECK((inside = openat(descriptor, "../file", O_RDONLY)) == first + 1);
	check_content(inside);
	close(inside);
	CHECK_FAILS(openat(descriptor, "none", O_RDONLY), ENOENT);
	CHECK_FAILS(openat(inside, "file", O_RDONLY), EBADF);
	CHECK_FAILS(read(descriptor, &byte, 1), EISDIR);
	close(descriptor);
	CHECK(lowest() == first);
}

#ifdef STATX_BASIC_STATS /* musl has no statx before 1.2.5 */
static void check_statx(const char *here, const char *there)
{
	struct statx x, y;
	memset(&x, 0, sizeof x);
	memset(&y, 0, sizeof y);
	errno = 0;
	int result = statx(AT_FDCWD, there, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &y), code = errno;
	errno = 0;
	CHECK(statx(-5, here, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &x) == result && errno == code);
	CHECK(x.stx_ino == y.stx_ino && x.stx_mode == y.stx_mode && x.stx_size == y.stx_size);
	CHECK(x.stx_dev_major == y.stx_dev_major && x.stx_dev_minor == y.stx_dev_minor);
	CHECK(x.stx_nlink == y.stx_nlink && x.stx_uid == y.stx_uid && x.stx_gid == y.stx_gid);
	CHECK(x.stx_mtime.tv_sec == y.stx_mtime.tv_sec && x.stx_mtime.tv_nsec == y.stx_mtime.tv_nsec);
	CHECK(x.stx_ctime.tv_sec == y.stx_ctime.tv_sec && x.stx_blksize == y.stx_blksize);
	CHECK(result != 0 || (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
}

static void check_statx_of(int descriptor, const struct stat *status)
{
	struct statx x;
	char path[64];
	sprintf(path, "/proc/self/fd/%d", descriptor);
	CHECK(statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &x) == 0 && x.stx_ino == status->st_ino);
	CHECK(statx(descriptor, "", AT_EMPTY_PATH, STATX_ALL, &x) == 0);
	CHECK(x.stx_ino == status->st_ino && x.stx_nlink == status->st_nlink);
	CHECK_FAILS(statx(AT_FDCWD, at("file"), 0, 0x80000000, &x), EINVAL);
}
#else
#define check_statx(here, there)
#define check_statx_of(descriptor, status)
#endif

static void stats(void)
{
	struct stat a, b;
	const char *names[] = {"file", "link", "folder", "dangling", "none", "file/none", "loop"};
	int directory = open(at("folder"), O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *here = at(names[i]), *there = truly(names[i]);
		char *relative = below("..", names[i]);
		errno = 0;
		int result = stat(there, &b), code = errno;
		errno = 0;
		CHECK(stat(here, &a) == result && errno == code);
		if (result == 0)
			check_same(&a, &b);
		errno = 0;
		CHECK(fstatat(directory, relative, &a, 0) == result && errno == code);
		if (result == 0)
			check_same(&a, &b);
		errno = 0;
		CHECK(access(here, R_OK) == result && errno == code);
		errno = 0;
		CHECK(faccessat(directory, relative, F_OK, AT_EACCESS) == result && errno == code);
		errno = 0;
		CHECK(eaccess(here, F_OK) == result && errno == code);

		errno = 0;
		result = lstat(there, &b), code = errno;
		errno = 0;
		CHECK(lstat(here, &a) == result && errno == code);
		if (result == 0)
			check_same(&a, &b);
		errno = 0;
		CHECK(fstatat(AT_FDCWD, here, &a, AT_SYMLINK_NOFOLLOW) == result && errno == code);
		if (result == 0)
			check_same(&a, &b);
		check_statx(here, there);
	}
	close(directory);

	int descriptor = open(at("file"), O_RDONLY);
	CHECK(stat(truly("file"), &b) == 0);
	CHECK(fstatat(descriptor, "", &a, AT_EMPTY_PATH) == 0);
	check_same(&a, &b);
	check_statx_of(descriptor, &b);
	char path[64];
	sprintf(path, "/proc/self/fd/%d", descriptor);
	CHECK(stat(path, &a) == 0);
	check_same(&a, &b);
	CHECK(fstatat(AT_FDCWD, path, &a, 0) == 0);
	check_same(&a, &b);
	CHECK(lstat(path, &a) == 0 && S_ISLNK(a.st_mode));
	CHECK(fstat(descriptor, &a) == 0);
	check_same(&a, &b);
	close(descriptor);
	CHECK_FAILS(fstat(descriptor, &a), EBADF);
	CHECK_FAILS(fstatat(AT_FDCWD, at("file"), &a, 0x40000000), EINVAL);
	CHECK_FAILS(access(at("file"), 64), EINVAL);
}

static void streams(void)
{
	char line[64];
	int first = lowest();
	FILE *stream = fopen(at("file"), "re");
	CHECK(stream && fileno(stream) == first && fcntl(first, F_GETFD) == FD_CLOEXEC);
	CHECK(fgets(line, sizeof line, stream) && strcmp(line, "hello, world\n") == 0 && fgetc(stream) == EOF);
	CHECK(fseek(stream, -3, SEEK_CUR) == 0 && fgetc(stream) == 'l' && ftell(stream) == 11);
	CHECK(fputc('x', stream) == EOF);
	CHECK(freopen(at("link"), "r", stream) == stream && fileno(stream) == first && fgetc(stream) == 'h');
	CHECK(fclose(stream) == 0 && lowest() == first);
	CHECK(!fopen(at("none"), "r") && errno == ENOENT);
	CHECK(!fopen(at("file"), "?") && errno == EINVAL);
	CHECK((stream = fopen(at("folder"), "r")) && fgetc(stream) == EOF && errno == EISDIR);
	fclose(stream);
#ifdef __GLIBC__ /* musl knows one character set */
	wchar_t wide[64];
	CHECK((stream = fopen(at("file"), "r,ccs=UTF-8")) && fileno(stream) == first);
	CHECK(fgetws(wide, 64, stream) && wcscmp(wide, L"hello, world\n") == 0);
	fclose(stream);
#endif
	CHECK(lowest() == first);
}

static void links(void)
{
	char buffer[PATH_MAX], *made;
	int directory = open(at("folder"), O_RDONLY | O_DIRECTORY);
	CHECK(readlink(at("link"), buffer, sizeof buffer) == 4 && memcmp(buffer, "file", 4) == 0);
	CHECK(readlink(at("link"), buffer, 2) == 2 && memcmp(buffer, "fi", 2) == 0);
	CHECK(readlinkat(directory, "../dangling", buffer, sizeof buffer) == 7 && memcmp(buffer, "nowhere", 7) == 0);
#ifdef __GLIBC__ /* musl returns 0 */
	CHECK_FAILS(readlink(at("link"), buffer, 0), EINVAL);
#endif
	CHECK_FAILS(readlink(at("file"), buffer, 10), EINVAL);
	CHECK_FAILS(readlink(at("none"), buffer, 10), ENOENT);
	CHECK(realpath(at("folder/../link"), buffer) == buffer && strcmp(buffer, at("file")) == 0);
	made = realpath(at("./folder//up/file"), NULL);
	CHECK(made && strcmp(made, at("file")) == 0);
	free(made);
	errno = 0;
	CHECK(!realpath(at("dangling"), buffer) && errno == ENOENT);
	errno = 0;
	CHECK(!realpath(at("loop"), buffer) && errno == ELOOP);
	errno = 0;
	CHECK(!realpath(nothing, buffer) && errno == EINVAL);
	CHECK(realpath("/usr/..", buffer) && strcmp(buffer, "/") == 0);
	close(directory);
	behind();
}

int main(int argc, char **argv)
{
	CHECK(argc == 3);
	folder = argv[1];
	truth = argv[2];
	opening();
	stats();
	streams();
	links();
	keys();
	return 0;
}
