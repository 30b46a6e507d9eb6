/* What is neither a file's content nor its stat, under the layer alone: FIFOs, file systems, and what is refused. */
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *folder, *truth;

static char *at(const char *name)
{
	return below(folder, name);
}

/* A writer at the real end. Each FIFO is used once: a reader that is about to leave would take the next writer. */
static void feed(const char *name, const char *text)
{
	if (fork() == 0) {
		int descriptor = open(below(truth, name), O_WRONLY);
		CHECK(write(descriptor, text, strlen(text)) == (ssize_t)strlen(text));
		_exit(0);
	}
}

static void fifo(void)
{
	char buffer[64];
	struct stat status;
	feed("fifo0", "one\ntwo\n");
	int descriptor = open(at("fifo0"), O_RDONLY | O_CLOEXEC);
	CHECK(descriptor >= 0 && fstat(descriptor, &status) == 0 && S_ISFIFO(status.st_mode));
	CHECK(read(descriptor, buffer, 4) == 4 && memcmp(buffer, "one\n", 4) == 0);
	CHECK(read(descriptor, buffer, 64) == 4 && memcmp(buffer, "two\n", 4) == 0);
	CHECK(read(descriptor, buffer, 64) == 0);
	CHECK_FAILS(lseek(descriptor, 0, SEEK_SET), ESPIPE);
	close(descriptor);

	feed("fifo1", "three\n");
	FILE *stream = fopen(at("fifo1"), "r");
	CHECK(stream && fgets(buffer, 64, stream) && strcmp(buffer, "three\n") == 0);
	fclose(stream);

	feed("fifo2", "");
	descriptor = open(at("fifo2"), O_RDONLY | O_NONBLOCK);
	CHECK(descriptor >= 0 && fcntl(descriptor, F_GETFL) & O_NONBLOCK);
	struct pollfd end = {.fd = descriptor, .events = POLLIN};
	CHECK(poll(&end, 1, 5000) == 1 && read(descriptor, buffer, 64) == 0);
	close(descriptor);
}

static void systems(void)
{
	struct statfs system;
	struct statvfs other;
	int descriptor = open(at("file"), O_RDONLY), directory = open(at("folder"), O_RDONLY);
	for (int i = 0; i < 3; i++) {
		memset(&system, 1, sizeof system);
		memset(&other, 1, sizeof other);
		CHECK((i ? fstatfs(i == 1 ? descriptor : directory, &system) : statfs(at("link"), &system)) == 0);
		CHECK((i ? fstatvfs(i == 1 ? descriptor : directory, &other) : statvfs(at("link"), &other)) == 0);
		CHECK(system.f_type == 0xef53 && system.f_bsize == 4096 && system.f_frsize == 4096);
		CHECK(system.f_blocks == 1000 && system.f_bfree == 500 && system.f_bavail == 400);
		CHECK(system.f_files == 300 && system.f_ffree == 200 && system.f_namelen == 255 && system.f_flags == 0x1020);
		CHECK(other.f_bsize == 4096 && other.f_frsize == 4096 && other.f_blocks == 1000 && other.f_bavail == 400);
		CHECK(other.f_files == 300 && other.f_favail == 200 && other.f_namemax == 255 && other.f_fsid == 0x1234);
		CHECK(other.f_flag == 0x1000);
	}
	CHECK_FAILS(statfs(at("none"), &system), ENOENT);
	CHECK_FAILS(statvfs(at("none"), &other), ENOENT);
	CHECK(statfs("/", &system) == 0 && statvfs("/", &other) == 0 && fstatfs(1, &system) == 0);
	CHECK(pathconf(at("file"), _PC_NAME_MAX) == 255 && pathconf(at("file"), _PC_PATH_MAX) == PATH_MAX);
	CHECK_FAILS(pathconf(at("none"), _PC_NAME_MAX), ENOENT);
	close(descriptor);
	close(directory);
}

static void refused(void)
{
	char buffer[64];
	int descriptor = open(at("file"), O_RDONLY), watch = inotify_init();
	int local = open("/usr", O_RDONLY);
	CHECK_FAILS(getxattr(at("file"), "user.name", buffer, 64), ENOTSUP);
	CHECK_FAILS(lgetxattr(at("dangling"), "user.name", buffer, 64), ENOTSUP);
	CHECK_FAILS(getxattr(at("dangling"), "user.name", buffer, 64), ENOENT);
	CHECK_FAILS(fgetxattr(descriptor, "user.name", buffer, 64), ENOTSUP);
	CHECK_FAILS(listxattr(at("file"), buffer, 64), ENOTSUP);
	CHECK_FAILS(llistxattr(at("none"), buffer, 64), ENOENT);
	CHECK_FAILS(flistxattr(descriptor, buffer, 64), ENOTSUP);
	CHECK(listxattr("/usr", NULL, 0) >= 0 && flistxattr(local, NULL, 0) >= 0);
	CHECK_FAILS(inotify_add_watch(watch, at("folder"), IN_MODIFY), ENOTSUP);
	CHECK_FAILS(inotify_add_watch(watch, at("none"), IN_MODIFY), ENOENT);
	CHECK(inotify_add_watch(watch, "/usr", IN_MODIFY) >= 0);
#ifdef MAX_HANDLE_SZ
	struct {
		struct file_handle handle;
		char room[MAX_HANDLE_SZ];
	} handle = {.handle = {.handle_bytes = MAX_HANDLE_SZ}};
	int mount;
	CHECK_FAILS(name_to_handle_at(AT_FDCWD, at("file"), &handle.handle, &mount, 0), EOPNOTSUPP);
	CHECK_FAILS(name_to_handle_at(AT_FDCWD, at("none"), &handle.handle, &mount, 0), ENOENT);
#endif
	close(descriptor);
	close(watch);
}

/* Changes belong to this machine, where there is no such folder. */
static void changes(void)
{
	CHECK_FAILS(open(at("file"), O_RDWR), ENOENT);
	CHECK_FAILS(open(at("new"), O_WRONLY | O_CREAT | O_EXCL, 0600), ENOENT);
	CHECK_FAILS(open(at("file"), O_RDONLY | O_TRUNC), ENOENT);
	CHECK_FAILS(creat(at("new"), 0600), ENOENT);
	CHECK_FAILS(open(folder, O_TMPFILE | O_RDWR, 0600), ENOENT);
	CHECK(!fopen(at("file"), "w") && errno == ENOENT);
	CHECK(!fopen(at("file"), "r+") && errno == ENOENT);
	CHECK(!fopen(at("file"), "ax") && errno == ENOENT);
	CHECK(!fopen(at("file"), "q") && errno == EINVAL);
}

int main(int argc, char **argv)
{
	CHECK(argc == 3);
	folder = argv[1];
	truth = argv[2];
	fifo();
	systems();
	refused();
	changes();
	return 0;
}
