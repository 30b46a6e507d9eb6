/*
 * Every call that changes a path, made in the directory of the first argument by a relative name; what it did is looked
 * at below the second, which is always this machine's. Under the layer the first is remote, and changes of it land in
 * the second. Ends with everything removed.
 */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

static const char *folder, *here;
static struct stat status;

static const struct stat *look(const char *name)
{
	CHECK(fstatat(AT_FDCWD, below(here, name), &status, AT_SYMLINK_NOFOLLOW) == 0);
	return &status;
}

static int gone(const char *name)
{
	return access(below(here, name), F_OK) != 0 && errno == ENOENT;
}

static void make(const char *name)
{
	int made = open(below(here, name), O_CREAT | O_EXCL | O_RDWR, 0600);
	CHECK(made >= 0 && write(made, "12345", 5) == 5 && close(made) == 0);
}

static void directories(int base)
{
	CHECK(mkdir("made", 0750) == 0 && S_ISDIR(look("made")->st_mode) && (status.st_mode & 0777) == 0750);
	CHECK_FAILS(mkdir("made", 0750), EEXIST);
	CHECK_FAILS(mkdir("none/made", 0750), ENOENT);
	CHECK(mkdirat(base, "made/inside", 0700) == 0 && S_ISDIR(look("made/inside")->st_mode));
	CHECK(mkdirat(-1, below(folder, "whole"), 0700) == 0 && S_ISDIR(look("whole")->st_mode));
	CHECK_FAILS(rmdir("made"), ENOTEMPTY);
	CHECK(unlinkat(base, "made/inside", AT_REMOVEDIR) == 0 && gone("made/inside"));
	CHECK(rmdir("made") == 0 && gone("made"));
	CHECK(remove("whole") == 0 && gone("whole"));
	CHECK(syscall(SYS_mkdirat, base, "made", 0700) == 0 && S_ISDIR(look("made")->st_mode));
	CHECK(syscall(SYS_unlinkat, base, "made", AT_REMOVEDIR) == 0 && gone("made"));
#ifdef SYS_mkdir
	CHECK(syscall(SYS_mkdir, "made", 0700) == 0 && S_ISDIR(look("made")->st_mode));
	CHECK(syscall(SYS_rmdir, "made") == 0 && gone("made"));
#endif
}

static void nodes(int base)
{
	CHECK(mkfifo("fifo", 0600) == 0 && S_ISFIFO(look("fifo")->st_mode) && unlink("fifo") == 0);
	CHECK(mkfifoat(base, "fifo", 0600) == 0 && S_ISFIFO(look("fifo")->st_mode) && unlink("fifo") == 0);
	CHECK(mknod("node", S_IFREG | 0600, 0) == 0 && S_ISREG(look("node")->st_mode) && unlink("node") == 0);
	CHECK(mknodat(base, "node", S_IFIFO | 0600, 0) == 0 && S_ISFIFO(look("node")->st_mode));
	CHECK(unlinkat(base, "node", 0) == 0 && gone("node"));
	CHECK_FAILS(unlink("node"), ENOENT);
	CHECK_FAILS(remove("node"), ENOENT);
}

static void moves(int base)
{
	char text[8];
	make("a");
	CHECK(rename("a", "b") == 0 && gone("a") && look("b")->st_size == 5);
	CHECK(rename("b", below(here, "c")) == 0 && gone("b") && look("c")->st_size == 5);
	CHECK(renameat(base, "c", AT_FDCWD, "d") == 0 && gone("c") && look("d")->st_size == 5);
	CHECK_FAILS(rename("nothing", "e"), ENOENT);
#if defined RENAME_NOREPLACE && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 28)
	make("e");
	CHECK_FAILS(renameat2(base, "d", base, "e", RENAME_NOREPLACE), EEXIST);
	CHECK(renameat2(base, "d", base, "f", RENAME_NOREPLACE) == 0 && look("f")->st_size == 5);
	CHECK(rename("f", "d") == 0 && unlink("e") == 0);
#endif
	CHECK(link("d", "g") == 0 && look("g")->st_nlink == 2);
	CHECK(linkat(base, "d", base, "h", 0) == 0 && look("h")->st_nlink == 3);
	CHECK(symlink("d", "s") == 0 && S_ISLNK(look("s")->st_mode));
	CHECK(symlinkat("/some/where", base, "t") == 0 && look("t")->st_size == 11);
	CHECK(readlink(below(here, "s"), text, sizeof text) == 1 && text[0] == 'd');
	CHECK(syscall(SYS_linkat, base, "d", base, "i", 0) == 0 && look("i")->st_nlink == 4);
	CHECK(syscall(SYS_symlinkat, "d", base, "u") == 0 && S_ISLNK(look("u")->st_mode));
	for (const char *name = "dghistu"; *name; name++) {
		char each[] = {*name, 0};
		CHECK(unlink(each) == 0 && gone(each));
	}
}

static void attributes(int base)
{
	const struct timespec times[2] = {{1, 2}, {3, 4}};
	const struct timeval coarse[2] = {{5, 6}, {7, 8}};
	const struct utimbuf old = {9, 10};
	make("file");
	CHECK(symlink("file", "soft") == 0);
	CHECK(chmod("file", 0640) == 0 && (look("file")->st_mode & 0777) == 0640);
	CHECK(fchmodat(base, "file", 0604, 0) == 0 && (look("file")->st_mode & 0777) == 0604);
	CHECK(chown("file", geteuid(), getegid()) == 0 && lchown("soft", geteuid(), getegid()) == 0);
	CHECK(fchownat(base, "soft", geteuid(), getegid(), AT_SYMLINK_NOFOLLOW) == 0);
	CHECK_FAILS(chown("nothing", geteuid(), getegid()), ENOENT);
	CHECK(truncate("file", 3) == 0 && look("file")->st_size == 3);
	CHECK(utimensat(base, "file", times, 0) == 0 && look("file")->st_mtim.tv_nsec == 4);
	CHECK(utimensat(AT_FDCWD, "soft", times, AT_SYMLINK_NOFOLLOW) == 0 && look("soft")->st_mtim.tv_nsec == 4);
	CHECK(utimes("file", coarse) == 0 && look("file")->st_mtim.tv_nsec == 8000);
	CHECK(lutimes("soft", coarse) == 0 && look("soft")->st_mtim.tv_nsec == 8000);
	CHECK(futimesat(base, "file", NULL) == 0 && look("file")->st_mtim.tv_sec > 10);
	CHECK(utime("file", &old) == 0 && look("file")->st_mtim.tv_sec == 10);
	if (setxattr("file", "user.key", "value", 5, 0) == 0) {
		char value[8];
		CHECK(getxattr(below(here, "file"), "user.key", value, sizeof value) == 5);
		CHECK(removexattr("file", "user.key") == 0);
	} else {
		CHECK(errno == ENOTSUP || errno == EPERM);
	}
	CHECK(unlink("file") == 0 && unlink("soft") == 0);
}

static void own_names(void)
{
	char one[] = "new-XXXXXX", two[] = "new-XXXXXX.txt", three[] = "dir-XXXXXX", bad[] = "new-XXX";
	int made = mkstemp(one);
	CHECK(made >= 0 && write(made, "1", 1) == 1 && close(made) == 0);
	CHECK(strstr(one, "XXXXXX") == NULL && look(one)->st_size == 1 && unlink(one) == 0);
	CHECK((made = mkostemps(two, 4, O_CLOEXEC)) >= 0 && fcntl(made, F_GETFD) == FD_CLOEXEC);
	CHECK(strcmp(two + 10, ".txt") == 0 && look(two)->st_size == 0 && unlink(two) == 0);
	CHECK(mkdtemp(three) == three && S_ISDIR(look(three)->st_mode) && rmdir(three) == 0);
	CHECK_FAILS(mkstemp(bad), EINVAL);
	CHECK(!mkdtemp(bad) && errno == EINVAL);
	CHECK(close(made) == 0);
}

/* A remote directory's descriptor: under the layer nothing of it can be changed. */
static void through_descriptor(int base)
{
	const struct timespec times[2] = {{1, 2}, {3, 4}};
	struct stat before, after;
	CHECK(fstat(base, &before) == 0);
	CHECK_FAILS(fchmod(base, 0111), EROFS);
	CHECK_FAILS(fchown(base, geteuid(), getegid()), EROFS);
	CHECK_FAILS(fchownat(base, "", geteuid(), getegid(), AT_EMPTY_PATH), EROFS);
	CHECK_FAILS(futimens(base, times), EROFS);
	CHECK_FAILS(futimes(base, NULL), EROFS);
	CHECK_FAILS(fsetxattr(base, "user.key", "value", 5, 0), EROFS);
	CHECK_FAILS(fremovexattr(base, "user.key"), EROFS);
	CHECK_FAILS(syscall(SYS_fchmod, base, 0111), EROFS);
	CHECK_FAILS(syscall(SYS_utimensat, base, NULL, times, 0), EROFS);
	CHECK(fstat(base, &after) == 0 && after.st_mode == before.st_mode);
	int own = open("/dev/null", O_RDONLY);
	CHECK(own >= 0);
	CHECK(fchmod(own, 0666) == 0 || errno == EPERM || errno == EROFS);
}

int main(int argc, char **argv)
{
	CHECK(argc == 3 || argc == 4);
	folder = argv[1];
	here = argv[2];
	umask(0);
	DIR *stream = opendir(folder);
	CHECK(stream && chdir(folder) == 0);
	directories(dirfd(stream));
	nodes(dirfd(stream));
	moves(dirfd(stream));
	attributes(dirfd(stream));
	own_names();
	if (argc == 4)
		through_descriptor(dirfd(stream));
	return 0;
}
