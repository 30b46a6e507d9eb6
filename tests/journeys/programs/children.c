/*
 * Children in the ways of C: fork, vfork with an empty environment, posix_spawn, and one that closed every descriptor.
 * Each prints how it was made and the file named by the argument; the parent goes on reading in between.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *nothing[] = {NULL};

static void show(const char *how, const char *path)
{
	char text[64] = "";
	int descriptor = open(path, O_RDONLY);
	if (descriptor < 0 || read(descriptor, text, sizeof text - 1) < 0)
		perror(path);
	close(descriptor);
	dprintf(1, "%s %s", how, text);
}

static void wait_for(pid_t child)
{
	int status;
	if (waitpid(child, &status, 0) != child || status != 0)
		fprintf(stderr, "status %x\n", status);
}

int main(int argc, char **argv)
{
	char *again[] = {argv[0], argv[1], "vfork", NULL};
	pid_t child;
	if (argc > 2) {
		show(argv[2], argv[1]);
		return 0;
	}
	if ((child = fork()) == 0) {
		show("fork", argv[1]);
		_exit(0);
	}
	wait_for(child);
	int kept = open(argv[1], O_RDONLY);
	if ((child = vfork()) == 0) {
		close(kept); /* of the child's table only; the memory is the parent's */
		execve(argv[0], again, nothing);
		_exit(1);
	}
	wait_for(child);
	char byte;
	if (read(kept, &byte, 1) != 1)
		perror("kept");
	again[2] = "spawn";
	if (posix_spawn(&child, argv[0], NULL, NULL, again, nothing) != 0)
		perror("posix_spawn");
	wait_for(child);
	if ((child = fork()) == 0) {
		close_range(3, ~0u, 0);
		show("closed", argv[1]);
		_exit(0);
	}
	wait_for(child);
	return 0;
}
