/*
 * Makes a child in each way that libc has, with a cleaned environment and with its own. Each child says how it was made
 * and whether the layer is in it and has its link: on the plain system "how -", under the layer "how layer link".
 */
#include "check.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char *self, *nothing[] = {NULL}, *few[] = {"A=1", "LD_PRELOAD=", "B=2", NULL};

static int in_maps(const char *text)
{
	char line[4096];
	int found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	CHECK(maps);
	while (fgets(line, sizeof line, maps))
		found |= strstr(line, text) != NULL;
	fclose(maps);
	return found;
}

static void report(const char *how)
{
	const char *variable = getenv("MIRRORD_LAYER"), *preload = getenv("LD_PRELOAD");
	int number, link = 0;
	unsigned long inode;
	struct stat status;
	if (variable && sscanf(variable, "1:%d:%lu:", &number, &inode) == 2)
		link = fstat(number, &status) == 0 && status.st_ino == inode;
	printf("%s%s%s\n", how, in_maps("libmirrord_layer.so") ? " layer" : " -", link ? " link" : "");
	if (preload && in_maps("libmirrord_layer.so")) {
		const char *first = strstr(preload, "libmirrord_layer.so");
		CHECK(first && !strstr(first + 1, "libmirrord_layer.so")); /* once */
	}
	if (strcmp(how, "few") == 0)
		CHECK(strcmp(getenv("A"), "1") == 0 && strcmp(getenv("B"), "2") == 0);
	fflush(stdout);
}

static void wait_for(pid_t child)
{
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(status == 0);
}

#define IN_CHILD(make, call)                 \
	do {                                 \
		pid_t child = make();        \
		CHECK(child >= 0);           \
		if (child == 0) {            \
			call;                \
			_exit(99);           \
		}                            \
		wait_for(child);             \
	} while (0)
#define ARGV(how) ((char *[]){self, "child", how, NULL})

/* As large as no stack's room for it. */
static char **large_environment(void)
{
	enum { COUNT = 5000 };
	char **made = calloc(COUNT + 1, sizeof *made);
	for (int i = 0; i < COUNT; i++)
		made[i] = "VARIABLE=value";
	return made;
}

static void spawn(const char *how, const posix_spawn_file_actions_t *actions, char **envp)
{
	pid_t child;
	CHECK(posix_spawn(&child, self, actions, NULL, ARGV((char *)how), envp) == 0);
	wait_for(child);
}

static void cleaned(void)
{
	posix_spawn_file_actions_t actions;
	pid_t child;
	int null = open("/dev/null", O_RDONLY), file;
	CHECK(null >= 0);
	CHECK(setenv("PATH", "/none::/usr/bin:/bin", 1) == 0);
	IN_CHILD(fork, execve(self, ARGV("execve"), nothing));
	IN_CHILD(vfork, execve(self, ARGV("vfork"), nothing));
	IN_CHILD(fork, execve(self, ARGV("few"), few));
	IN_CHILD(fork, execve(self, ARGV("large"), large_environment()));
	IN_CHILD(fork, execve(self, ARGV("null"), NULL));
	IN_CHILD(fork, execle(self, self, "child", "execle", NULL, nothing));
	IN_CHILD(fork, execvpe(self, ARGV("execvpe"), nothing));
	file = open(self, O_RDONLY | O_CLOEXEC);
	IN_CHILD(fork, fexecve(file, ARGV("fexecve"), nothing));
#ifdef __GLIBC__
	IN_CHILD(fork, execveat(file, "", ARGV("execveat"), nothing, AT_EMPTY_PATH));
#endif
	spawn("spawn", NULL, nothing);
	CHECK(posix_spawnp(&child, "env", NULL, NULL, ((char *[]){"env", self, "child", "spawnp", NULL}), nothing) == 0);
	wait_for(child);
	CHECK(posix_spawn(&child, "/none", NULL, NULL, ARGV("-"), nothing) == ENOENT);
	CHECK_FAILS(execve("/none", ARGV("-"), nothing), ENOENT);
	CHECK_FAILS(execve("/none", ARGV("-"), large_environment()), ENOENT);
	CHECK_FAILS(execvp("no such program", ARGV("-")), ENOENT);

#ifdef __GLIBC__
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, null, 20) == 0);
	CHECK(posix_spawn_file_actions_addclosefrom_np(&actions, 3) == 0);
	CHECK(dup2(null, 500) == 500);
	spawn("closefrom", &actions, nothing);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
#endif
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	for (int i = 3; i < 1024; i++)
		CHECK(posix_spawn_file_actions_addclose(&actions, i) == 0);
	spawn("addclose", &actions, nothing);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
}

static void shells(void)
{
	char command[512];
	FILE *output;
	CHECK(clearenv() == 0);
	snprintf(command, sizeof command, "X='it'\\''s'; '%s' child \"system\"", self);
	CHECK(system(command) == 0);
	CHECK(system("exit 3") == 3 << 8);
	CHECK(system(NULL) != 0);
	snprintf(command, sizeof command, "'%s' child popen", self);
	output = popen(command, "r");
	CHECK(output && fgets(command, sizeof command, output));
	printf("%s", command);
	CHECK(pclose(output) == 0);
	fflush(stdout);
	IN_CHILD(fork, execv(self, ARGV("execv")));
	IN_CHILD(fork, execvp(self, ARGV("execvp")));
	IN_CHILD(fork, execl(self, self, "child", "execl", NULL));
	IN_CHILD(fork, execlp(self, self, "child", "execlp", NULL));
	IN_CHILD(fork, syscall(SYS_execve, self, ARGV("direct"), environ));
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc == 3 && strcmp(argv[1], "child") == 0) {
		for (int i = 3; i < 800; i++)
			if (strcmp(argv[2], "closefrom") == 0)
				CHECK_FAILS(fcntl(i, F_GETFD), EBADF);
		report(argv[2]);
		return 0;
	}
	CHECK(argc == 2);
	report("first");
	cleaned();
	shells();
	return 0;
}
