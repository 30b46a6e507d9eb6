/*
 * Calls that are asked about and then done on this machine: through a mapping, and below a remote current directory.
 * Under the layer alone. Arguments: the remote folder, and the file that `/elsewhere` is mapped to.
 */
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static char buffer[PATH_MAX];

static void is_local(int descriptor)
{
	CHECK(descriptor >= 0 && read(descriptor, buffer, 100) == 5 && memcmp(buffer, "local", 5) == 0);
	close(descriptor);
}

static void mapped(const char *path, const char *real)
{
	struct stat status, truth;
	struct statvfs system;
	FILE *stream;
	CHECK(stat(real, &truth) == 0);
	is_local(open(path, O_RDONLY));
	is_local(openat(-1, path, O_RDONLY));
	is_local(open(path, O_RDWR));
	CHECK((stream = fopen(path, "r")) && fgetc(stream) == 'l');
	CHECK((stream = freopen(path, "r+", stream)) && fgetc(stream) == 'l');
	fclose(stream);
	CHECK(stat(path, &status) == 0 && status.st_ino == truth.st_ino);
	CHECK(lstat(path, &status) == 0 && status.st_ino == truth.st_ino);
	CHECK(fstatat(-1, path, &status, 0) == 0 && status.st_ino == truth.st_ino);
	CHECK(access(path, W_OK) == 0 && eaccess(path, R_OK) == 0 && faccessat(AT_FDCWD, path, F_OK, AT_EACCESS) == 0);
	CHECK(realpath(path, buffer) && strcmp(buffer, real) == 0);
	CHECK_FAILS(readlink(path, buffer, 10), EINVAL);
	CHECK(statvfs(path, &system) == 0 && system.f_fsid != 0x1234);
	CHECK(listxattr(path, NULL, 0) >= 0);
	int watch = inotify_init();
	CHECK(inotify_add_watch(watch, path, IN_MODIFY) >= 0);
	close(watch);
#ifdef STATX_BASIC_STATS
	struct statx x;
	CHECK(statx(AT_FDCWD, path, 0, STATX_INO, &x) == 0 && x.stx_ino == truth.st_ino);
#endif
}

static void relative(const char *folder)
{
	struct stat status;
	FILE *stream;
	int descriptor = open(folder, O_RDONLY | O_DIRECTORY);
	CHECK(fchdir(descriptor) == 0);
	close(descriptor);
	CHECK((descriptor = open("file", O_RDONLY)) >= 0 && read(descriptor, buffer, 100) == 6);
	close(descriptor);
	CHECK((stream = fopen("./file", "r")) && fgets(buffer, 100, stream) && strcmp(buffer, "remote") == 0);
	fclose(stream);
	CHECK(stat("file", &status) == 0 && status.st_size == 6 && status.st_nlink == 1);
	CHECK(stat(".", &status) == 0 && S_ISDIR(status.st_mode) && status.st_nlink >= 2);
	CHECK(fstatat(AT_FDCWD, "", &status, AT_EMPTY_PATH) == 0 && status.st_nlink >= 2);
	CHECK(access("file", R_OK) == 0);
	CHECK_FAILS(access("none", R_OK), ENOENT);
	CHECK(realpath("file", buffer) && strcmp(buffer, below(folder, "file")) == 0);
	is_local(open("../elsewhere", O_RDONLY));
	CHECK_FAILS(open("new", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK(!fopen("new", "w") && errno == ENOENT);
	CHECK(stat("../usr/bin", &status) == 0 && status.st_nlink > 0);
	CHECK_FAILS(open("hidden", O_RDONLY), ENOENT);
}

int main(int argc, char **argv)
{
	CHECK(argc == 3);
	mapped("/usr/../elsewhere", argv[2]);
	relative(argv[1]);
	return 0;
}
