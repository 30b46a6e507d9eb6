/*
 * Every other name that a call of files.c goes by: for large files, fortified, and as programs built for an older libc
 * call them. Taken by name, since headers don't offer most of them; those that this libc lacks are left out.
 */
#include "check.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef __GLIBC__
#define LIBC "libc.so.6"
#else
#define LIBC "libc.so"
#endif

static void *libc;
static int found;

#define FOR(type, name, parameters)                                                                         \
	for (type(*name) parameters = dlsym(libc, #name) ? (type(*) parameters)dlsym(RTLD_DEFAULT, #name) : NULL; \
	     name; found++, name = NULL)

static char buffer[100], *file, *lnk, *folder, *none;
static struct stat file_truth, link_truth;

static void is_file(const struct stat *status)
{
	CHECK(status->st_ino == file_truth.st_ino && status->st_size == 13 && status->st_nlink == 1);
	CHECK(status->st_mtim.tv_nsec == file_truth.st_mtim.tv_nsec && status->st_mode == file_truth.st_mode);
}

static void is_opened(int descriptor)
{
	memset(buffer, 0, sizeof buffer);
	CHECK(descriptor >= 0 && read(descriptor, buffer, 100) == 13 && strcmp(buffer, "hello, world\n") == 0);
	CHECK(close(descriptor) == 0);
}

static void openings(void)
{
	FOR(int, open64, (const char *, int, ...)) is_opened(open64(file, O_RDONLY));
	FOR(int, __open, (const char *, int, ...)) is_opened(__open(file, O_RDONLY));
	FOR(int, __open64, (const char *, int, ...)) is_opened(__open64(file, O_RDONLY));
	FOR(int, __open_2, (const char *, int)) is_opened(__open_2(file, O_RDONLY));
	FOR(int, __open64_2, (const char *, int)) is_opened(__open64_2(file, O_RDONLY));
	FOR(int, openat64, (int, const char *, int, ...)) is_opened(openat64(AT_FDCWD, file, O_RDONLY));
	FOR(int, __openat_2, (int, const char *, int)) is_opened(__openat_2(AT_FDCWD, file, O_RDONLY));
	FOR(int, __openat64_2, (int, const char *, int)) is_opened(__openat64_2(AT_FDCWD, file, O_RDONLY));
	FOR(int, creat64, (const char *, mode_t)) {
		char path[] = "/tmp/creat64-XXXXXX";
		CHECK(close(mkstemp(path)) == 0 && close(creat64(path, 0600)) == 0 && unlink(path) == 0);
	}
	FOR(FILE *, _IO_fopen, (const char *, const char *)) {
		FILE *stream = _IO_fopen(file, "r");
		CHECK(stream && fgetc(stream) == 'h');
		fclose(stream);
	}
	FOR(FILE *, fopen64, (const char *, const char *)) {
		FILE *stream = fopen64(lnk, "r");
		CHECK(stream && fgets(buffer, 100, stream) && strcmp(buffer, "hello, world\n") == 0);
		FOR(FILE *, freopen64, (const char *, const char *, FILE *)) {
			CHECK(freopen64(file, "r", stream) == stream && fgetc(stream) == 'h');
		}
		fclose(stream);
	}
}

static void readings(void)
{
	int descriptor = open(file, O_RDONLY);
	struct iovec part = {buffer, 5};
	FOR(ssize_t, __read_chk, (int, void *, size_t, size_t)) {
		CHECK(__read_chk(descriptor, buffer, 5, 100) == 5 && memcmp(buffer, "hello", 5) == 0);
	}
	FOR(ssize_t, __pread64, (int, void *, size_t, off_t)) {
		CHECK(__pread64(descriptor, buffer, 3, 8) == 3 && memcmp(buffer, "orl", 3) == 0);
	}
	FOR(ssize_t, pread64, (int, void *, size_t, off_t)) {
		CHECK(pread64(descriptor, buffer, 3, 7) == 3 && memcmp(buffer, "wor", 3) == 0);
	}
	FOR(ssize_t, __pread_chk, (int, void *, size_t, off_t, size_t)) {
		CHECK(__pread_chk(descriptor, buffer, 3, 8, 100) == 3 && memcmp(buffer, "orl", 3) == 0);
	}
	FOR(ssize_t, __pread64_chk, (int, void *, size_t, off_t, size_t)) {
		CHECK(__pread64_chk(descriptor, buffer, 3, 7, 100) == 3 && memcmp(buffer, "wor", 3) == 0);
	}
	FOR(ssize_t, preadv64, (int, const struct iovec *, int, off_t)) {
		CHECK(preadv64(descriptor, &part, 1, 0) == 5 && memcmp(buffer, "hello", 5) == 0);
	}
	FOR(ssize_t, preadv64v2, (int, const struct iovec *, int, off_t, int)) {
		CHECK(preadv64v2(descriptor, &part, 1, 7, 0) == 5 && memcmp(buffer, "world", 5) == 0);
	}
	FOR(off_t, lseek64, (int, off_t, int)) CHECK(lseek64(descriptor, -1, SEEK_END) == 12);
	FOR(off_t, __lseek, (int, off_t, int)) CHECK(__lseek(descriptor, -2, SEEK_END) == 11);
	FOR(ssize_t, __read, (int, void *, size_t)) CHECK(__read(descriptor, buffer, 9) == 2 && buffer[0] == 'd');
	FOR(void *, mmap64, (void *, size_t, int, int, int, off_t)) {
		char *mapped = mmap64(NULL, 13, PROT_READ, MAP_PRIVATE, descriptor, 0);
		CHECK(mapped != MAP_FAILED && memcmp(mapped, "hello, world\n", 13) == 0);
	}
	FOR(ssize_t, sendfile64, (int, int, off_t *, size_t)) {
		off_t at = 2;
		int pipes[2];
		CHECK(pipe(pipes) == 0 && sendfile64(pipes[1], descriptor, &at, 3) == 3 && at == 5);
		CHECK(read(pipes[0], buffer, 5) == 3 && memcmp(buffer, "llo", 3) == 0);
		close(pipes[0]);
		close(pipes[1]);
	}
	close(descriptor);
}

static void statuses(void)
{
	struct stat status;
	int descriptor = open(file, O_RDONLY), directory = open(folder, O_RDONLY | O_DIRECTORY);
#define IS_FILE(call)             \
	do {                      \
		CHECK((call) == 0); \
		is_file(&status); \
	} while (0)
#define IS_LINK(call) CHECK((call) == 0 && S_ISLNK(status.st_mode) && status.st_ino == link_truth.st_ino)
	FOR(int, stat64, (const char *, struct stat *)) IS_FILE(stat64(lnk, &status));
	FOR(int, lstat64, (const char *, struct stat *)) IS_LINK(lstat64(lnk, &status));
	FOR(int, fstat64, (int, struct stat *)) IS_FILE(fstat64(descriptor, &status));
	FOR(int, fstatat64, (int, const char *, struct stat *, int)) {
		IS_FILE(fstatat64(directory, "../link", &status, 0));
		IS_LINK(fstatat64(directory, "../link", &status, AT_SYMLINK_NOFOLLOW));
		IS_FILE(fstatat64(descriptor, "", &status, AT_EMPTY_PATH));
	}
	FOR(int, __xstat, (int, const char *, struct stat *)) {
		IS_FILE(__xstat(1, lnk, &status));
		CHECK_FAILS(__xstat(1, none, &status), ENOENT);
	}
	FOR(int, __xstat64, (int, const char *, struct stat *)) IS_FILE(__xstat64(1, lnk, &status));
	FOR(int, __lxstat, (int, const char *, struct stat *)) IS_LINK(__lxstat(1, lnk, &status));
	FOR(int, __lxstat64, (int, const char *, struct stat *)) IS_LINK(__lxstat64(1, lnk, &status));
	FOR(int, __fxstat, (int, int, struct stat *)) IS_FILE(__fxstat(1, descriptor, &status));
	FOR(int, __fxstat64, (int, int, struct stat *)) IS_FILE(__fxstat64(1, descriptor, &status));
	FOR(int, __fxstatat, (int, int, const char *, struct stat *, int)) {
		IS_FILE(__fxstatat(1, directory, "../file", &status, 0));
		IS_LINK(__fxstatat(1, directory, "../link", &status, AT_SYMLINK_NOFOLLOW));
		IS_FILE(__fxstatat(1, descriptor, "", &status, AT_EMPTY_PATH));
	}
	FOR(int, __fxstatat64, (int, int, const char *, struct stat *, int)) {
		IS_FILE(__fxstatat64(1, directory, "../file", &status, 0));
	}
	close(descriptor);
	close(directory);
}

static void paths(void)
{
	int directory = open(folder, O_RDONLY | O_DIRECTORY);
	char *room = malloc(PATH_MAX), *made;
	FOR(int, euidaccess, (const char *, int)) {
		CHECK(euidaccess(file, R_OK) == 0);
		CHECK_FAILS(euidaccess(none, F_OK), ENOENT);
	}
	FOR(ssize_t, __readlink_chk, (const char *, char *, size_t, size_t)) {
		CHECK(__readlink_chk(lnk, buffer, 100, 100) == 4 && memcmp(buffer, "file", 4) == 0);
	}
	FOR(ssize_t, __readlinkat_chk, (int, const char *, char *, size_t, size_t)) {
		CHECK(__readlinkat_chk(directory, "../link", buffer, 3, 100) == 3 && memcmp(buffer, "fil", 3) == 0);
	}
	FOR(char *, __realpath_chk, (const char *, char *, size_t)) {
		CHECK(__realpath_chk(lnk, room, PATH_MAX) == room && strcmp(room, file) == 0);
	}
	FOR(char *, canonicalize_file_name, (const char *)) {
		CHECK((made = canonicalize_file_name(lnk)) && strcmp(made, file) == 0);
		free(made);
		CHECK(!canonicalize_file_name(none) && errno == ENOENT);
	}
	free(room);
	close(directory);
}

int main(int argc, char **argv)
{
	CHECK(argc == 4);
	libc = dlopen(LIBC, RTLD_LAZY | RTLD_NOLOAD);
	CHECK(libc);
	file = below(argv[1], "file");
	lnk = below(argv[1], "link");
	folder = below(argv[1], "folder");
	none = below(argv[1], "none");
	CHECK(stat(below(argv[2], "file"), &file_truth) == 0 && lstat(below(argv[2], "link"), &link_truth) == 0);
	openings();
	readings();
	statuses();
	paths();
	if (found < atoi(argv[3]))
		fprintf(stderr, "only %d names\n", found);
	CHECK(found >= atoi(argv[3]));
	return 0;
}
