/* What posix_spawn opens for a child, and programs run by their descriptor: remote ones too. */
#include "check.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static posix_spawn_file_actions_t actions;
static char *self;

static int outcome(pid_t child)
{
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	return status;
}

static void run(const char *number)
{
	pid_t child;
	CHECK(posix_spawn(&child, self, &actions, NULL, (char *[]){self, "child", (char *)number, NULL}, environ) == 0);
	CHECK(outcome(child) == 0);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
}

static void fresh(void)
{
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
}

static void opening(const char *folder)
{
	const char *path = below(folder, "file");
	pid_t child;
	errno = 77;
	for (int i = 0; i < 100; i++) { /* no more than memory is lost where actions are never destroyed */
		fresh();
		CHECK(posix_spawn_file_actions_addopen(&actions, 0, path, O_RDONLY, 0) == 0);
	}
	run("0");
	fresh();
	CHECK(posix_spawn_file_actions_addopen(&actions, 7, path, O_RDONLY, 0) == 0);
	run("7");
	fresh();
	CHECK(posix_spawn_file_actions_addopen(&actions, 5, path, O_RDONLY, 0) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, 5, 0) == 0);
	run("0");
	fresh();
	int descriptor = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(posix_spawn_file_actions_adddup2(&actions, descriptor, 0) == 0 && close(descriptor + 1) == -1);
	run("0");
	close(descriptor);
	/* Said by either call: the target is asked when the action is added. */
	fresh();
	int code = posix_spawn_file_actions_addopen(&actions, 0, below(folder, "none"), O_RDONLY, 0);
	code = code ? code : posix_spawn(&child, self, &actions, NULL, (char *[]){self, NULL}, environ);
	CHECK(code == ENOENT && posix_spawn_file_actions_destroy(&actions) == 0);
	fresh();
	CHECK(posix_spawn_file_actions_addopen(&actions, -1, path, O_RDONLY, 0) == EBADF);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
}

int main(int argc, char **argv)
{
	char buffer[8];
	self = argv[0];
	if (argc == 3 && strcmp(argv[1], "child") == 0) {
		CHECK(read(atoi(argv[2]), buffer, 8) == 5 && memcmp(buffer, "hello", 5) == 0);
		return 0;
	}
	CHECK(argc == 3);
	if (strcmp(argv[2], "open") == 0) {
		opening(argv[1]);
		return 0;
	}
	int descriptor = open(below(argv[1], argv[2]), O_RDONLY | O_CLOEXEC);
	pid_t child = fork();
	if (child == 0) {
		fexecve(descriptor, (char *[]){"true", NULL}, environ);
		_exit(9);
	}
	CHECK(outcome(child) == 0);
	return 0;
}
