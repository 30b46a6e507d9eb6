/* The current directory, in a remote one too: its name, what is relative to it, and what children inherit. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder, *self;

static void is_current(const char *expected)
{
	char room[PATH_MAX], *made;
	errno = 77;
	CHECK(getcwd(room, sizeof room) == room && strcmp(room, expected) == 0);
	CHECK((made = getcwd(NULL, 0)) && strcmp(made, expected) == 0);
	free(made);
	CHECK((made = getcwd(NULL, 1000)) && strcmp(made, expected) == 0);
	free(made);
	CHECK(errno == 77);
	CHECK(getcwd(room, strlen(expected) + 1) == room);
	CHECK(!getcwd(room, strlen(expected)) && errno == ERANGE);
	CHECK(!getcwd(room, 0) && errno == EINVAL);
#ifdef __GLIBC__
	CHECK(!getcwd(NULL, 2) && errno == ERANGE);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	CHECK(getwd(room) == room && strcmp(room, expected) == 0);
#pragma GCC diagnostic pop
#endif
	CHECK(unsetenv("PWD") == 0);
	CHECK((made = get_current_dir_name()) && strcmp(made, expected) == 0);
	free(made);
}

static int entries(const char *path)
{
	int count = 0;
	DIR *stream = opendir(path);
	if (!stream)
		return -1;
	while (readdir(stream))
		count++;
	CHECK(closedir(stream) == 0);
	return count;
}

/* What the file of this relative path holds. */
static void holds(const char *path, const char *expected)
{
	char text[16] = "";
	int file = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(file >= 0 && read(file, text, sizeof text - 1) == (ssize_t)strlen(expected) && close(file) == 0);
	CHECK(strcmp(text, expected) == 0);
}

static void wait_for(pid_t child)
{
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* The child's argument is the directory that it must find itself in. */
static void children(const char *where)
{
	pid_t child = fork();
	if (child == 0) {
		is_current(where);
		holds("two/file", "file");
		CHECK(chdir("/") == 0);
		exit(0);
	}
	wait_for(child);
	is_current(where);
	char *argv[] = {self, "child", (char *)where, NULL};
	CHECK(posix_spawn(&child, self, NULL, NULL, argv, environ) == 0);
	wait_for(child);
	child = fork();
	if (child == 0) {
		execv(self, argv);
		_exit(9);
	}
	wait_for(child);
}

/* A child that libc starts elsewhere. */
static void spawned_there(void)
{
	posix_spawn_file_actions_t actions;
	char *argv[] = {self, "child", below(folder, "one"), NULL};
	pid_t child;
	int before = dup(0);
	CHECK(close(before) == 0 && posix_spawn_file_actions_init(&actions) == 0);
	int all = entries("/proc/self/fd");
	errno = 77;
	int code = posix_spawn_file_actions_addchdir_np(&actions, below(folder, "nothing"));
	CHECK(errno == 77);
	CHECK(code == ENOENT || posix_spawn(&child, self, &actions, NULL, argv, environ) == ENOENT);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0 && posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_addchdir_np(&actions, argv[2]) == 0);
	CHECK(posix_spawn(&child, self, &actions, NULL, argv, environ) == 0);
	wait_for(child);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
	CHECK(dup(0) == before && close(before) == 0 && entries("/proc/self/fd") == all);
}

static void by_habit(void)
{
	char *made;
	CHECK(chdir(below(folder, "link")) == 0);
	is_current(below(folder, "one"));
	CHECK(setenv("PWD", below(folder, "link"), 1) == 0);
	CHECK((made = get_current_dir_name()) && strcmp(made, below(folder, "link")) == 0);
	CHECK(setenv("PWD", below(folder, "one/two"), 1) == 0);
	CHECK((made = get_current_dir_name()) && strcmp(made, below(folder, "one")) == 0);
	CHECK(setenv("PWD", "/nowhere", 1) == 0);
	CHECK((made = get_current_dir_name()) && strcmp(made, below(folder, "one")) == 0);
}

int main(int argc, char **argv)
{
	char start[PATH_MAX];
	if (argc == 3 && strcmp(argv[1], "child") == 0) {
		is_current(argv[2]);
		CHECK(entries("two") == 3);
		holds("two/file", "file");
		return 0;
	}
	CHECK(argc == 2 && getcwd(start, sizeof start));
	folder = argv[1];
	self = argv[0];
	is_current(start);
	int home = open(".", O_RDONLY | O_DIRECTORY);

	spawned_there();
	CHECK(chdir(folder) == 0);
	is_current(folder);
	CHECK(entries(".") == entries(folder));
	CHECK(entries("one/two") == 3 && entries("./one//two/../two/") == 3);
	CHECK(chdir("one") == 0);
	is_current(below(folder, "one"));
	CHECK(entries("two") == 3 && entries("../one/two") == 3);
	holds("two/file", "file");
	holds("./../one//two/../two/file", "file");
	children(below(folder, "one"));

	DIR *two = opendir("two");
	CHECK(two && fchdir(dirfd(two)) == 0 && closedir(two) == 0);
	is_current(below(folder, "one/two"));
	char behind[PATH_MAX];
	CHECK(readlink("/proc/self/cwd", behind, sizeof behind) == (ssize_t)strlen(below(folder, "one/two")));
	CHECK(entries(".") == 3 && entries("file") == -1 && errno == ENOTDIR);
	CHECK(chdir("..") == 0);
	is_current(below(folder, "one"));

	CHECK_FAILS(chdir("nothing"), ENOENT);
	CHECK_FAILS(chdir("two/file"), ENOTDIR);
	CHECK_FAILS(chdir(""), ENOENT);
	CHECK_FAILS(fchdir(-1), EBADF);
	CHECK_FAILS(chdir(below(folder, "nothing")), ENOENT);
	is_current(below(folder, "one"));
	by_habit();

	CHECK(fchdir(home) == 0);
	is_current(start);
	CHECK(chdir(folder) == 0 && chdir("/usr/lib") == 0);
	is_current("/usr/lib");
	return 0;
}
