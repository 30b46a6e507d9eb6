/*
 * A remote file that a child gets as a descriptor: as `check N` this program reads all of it from number N. `passes`
 * leaves it open over exec, others have posix_spawn place it. Two more arguments: the child's program, and where that
 * one finds the file's size.
 */
#include "content.h"

#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

enum { NUMBER = 9 };

static char *child, *child_name;

static void wait_for(pid_t process)
{
	int status;
	CHECK(waitpid(process, &status, 0) == process && status == 0);
}

static void spawn_child(const posix_spawn_file_actions_t *actions)
{
	pid_t process;
	char *argv[] = {child, (char *)folder, child_name, "check", NULL};
	CHECK(posix_spawn(&process, child, actions, NULL, argv, environ) == 0);
	wait_for(process);
}

static void check(void)
{
	static unsigned char buffer[100003];
	size_t at = 0;
	ssize_t got;
	while ((got = read(NUMBER, buffer, sizeof buffer)) > 0) {
		check_content(buffer, (size_t)got, at);
		at += (size_t)got;
	}
	CHECK(got == 0 && at == size);
}

static void passes(void)
{
	int descriptor = open_it();
	CHECK(dup2(descriptor, NUMBER) == NUMBER && close(descriptor) == 0);
	pid_t process = fork();
	if (process == 0) {
		execl(child, child, folder, child_name, "check", NULL);
		_exit(9);
	}
	wait_for(process);
}

/* By a number that is closed on exec, which an action gives another one. */
static void moves(void)
{
	posix_spawn_file_actions_t actions;
	int descriptor = open(name, O_RDONLY | O_CLOEXEC);
	CHECK(descriptor >= 0 && posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, descriptor, NUMBER) == 0);
	spawn_child(&actions);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0 && close(descriptor) == 0);
}

static void opens(void)
{
	posix_spawn_file_actions_t actions;
	int before = dup(0);
	CHECK(close(before) == 0 && posix_spawn_file_actions_init(&actions) == 0);
	errno = 77;
	CHECK(posix_spawn_file_actions_addopen(&actions, NUMBER, name, O_RDONLY | O_NOFOLLOW, 0) == 0);
	CHECK(posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) == 0);
	CHECK(errno == 77);
	spawn_child(&actions);
	spawn_child(&actions); /* from the start again */
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
	CHECK(dup(0) == before && close(before) == 0);
}

static void opens_nothing(void)
{
	posix_spawn_file_actions_t actions;
	pid_t process;
	char *argv[] = {child, NULL};
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	errno = 77;
	CHECK(posix_spawn_file_actions_addopen(&actions, NUMBER, below(folder, "nothing"), O_RDONLY, 0) == 0);
	CHECK(errno == 77 && posix_spawn(&process, child, &actions, NULL, argv, environ) == ENOENT);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
}

int main(int argc, char **argv)
{
	static const struct content_case cases[] = {
		{"check", check}, {"passes", passes}, {"moves", moves}, {"opens", opens}, {"opens_nothing", opens_nothing}, {0},
	};
	CHECK(argc > 3);
	child = argc == 6 ? argv[4] : argv[0];
	child_name = argc == 6 ? argv[5] : below(argv[1], argv[2]);
	return content_main(argc == 6 ? 4 : argc, argv, cases);
}
