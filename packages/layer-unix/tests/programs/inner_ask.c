/* Where paths go, from within: what is decided here, what is asked, and what the answers become. */
#include "check.h"

#include "layer.h"
#include "sys.h"

#include <limits.h>
#include <unistd.h>

static enum side ask(int intent, int directory, const char *path, struct ask *ask)
{
	static char room[PATH_MAX];
	*ask = (struct ask){.path = room, .path_size = sizeof room};
	CHECK(ask_passes(intent, directory, path) == false ||
	      ask_path(WIRE_LAYER_OPERATION_STAT, intent, directory, path, 0, 0, ask) == SIDE_LOCAL);
	return ask_path(WIRE_LAYER_OPERATION_STAT, intent, directory, path, 0, 0, ask);
}

static void sides(void)
{
	static char longest[PATH_MAX + 1];
	struct ask answer;
	memset(longest, '/', PATH_MAX);
	CHECK(ask_passes(INTENT_READ, AT_FDCWD, NULL));
	CHECK(ask_passes(INTENT_READ, AT_FDCWD, ""));
	CHECK(ask_passes(INTENT_READ, AT_FDCWD, "file"));
	CHECK(ask_passes(INTENT_READ, AT_FDCWD, "/usr/bin/env"));
	CHECK(ask_passes(INTENT_READ | INTENT_CHANGE, AT_FDCWD, "/usr/bin/env"));
	CHECK(ask_passes(INTENT_READ, AT_FDCWD, longest));
	CHECK(!ask_passes(INTENT_READ, AT_FDCWD, "/remote-files"));
	CHECK(!ask_passes(INTENT_READ, AT_FDCWD, "/usr/../remote-files"));

	CHECK(ask(INTENT_READ, AT_FDCWD, "/remote-files/file", &answer) == SIDE_DONE);
	CHECK(answer.answer.reply.stat.size == 5);
	CHECK(ask(INTENT_READ, 12345, "/remote-files/file", &answer) == SIDE_DONE); /* the directory doesn't matter */
	CHECK(ask(INTENT_READ, AT_FDCWD, "/usr/./bin", &answer) == SIDE_LOCAL);
	CHECK(ask(INTENT_READ, AT_FDCWD, "/remote-files/hidden", &answer) == SIDE_FAILED && errno == ENOENT);
	CHECK(ask(INTENT_READ, AT_FDCWD, "/remote-files/mapped", &answer) == SIDE_DONE);
	CHECK(ask(INTENT_READ, AT_FDCWD, "/usr/./mapped", &answer) == SIDE_MOVED);
	CHECK(strcmp(answer.path, "/usr/elsewhere") == 0 && answer.path_length == 14);
}

static void relative(void)
{
	struct ask answer;
	char room[PATH_MAX];
	struct ask opened = {0};
	CHECK(ask_path(WIRE_LAYER_OPERATION_ENTER, INTENT_READ, AT_FDCWD, "/remote-files/folder", 0, 0, &opened) == SIDE_DONE);
	int folder = opened.answer.descriptors[0];
	CHECK(ask(INTENT_READ, folder, "inside", &answer) == SIDE_DONE && answer.answer.reply.stat.size == 6);
	CHECK(ask(INTENT_READ, folder, "../file", &answer) == SIDE_DONE && answer.answer.reply.stat.size == 5);
	CHECK(ask(INTENT_READ, folder, "../../usr/bin", &answer) == SIDE_MOVED);
	CHECK(ask(INTENT_READ, folder, "none", &answer) == SIDE_FAILED && errno == ENOENT);
	CHECK(ask_passes(INTENT_READ, AT_FDCWD, "inside"));

	int directory = folder;
	CHECK(ask_place(&directory, "new", room) == room && directory == AT_FDCWD);
	CHECK(strcmp(room, "/remote-files/folder/new") == 0);
	CHECK(fchdir(folder) == 0);
	CHECK(ask(INTENT_READ, AT_FDCWD, "inside", &answer) == SIDE_DONE);
	directory = AT_FDCWD;
	CHECK(ask_place(&directory, "new", room) == room && strcmp(room, "/remote-files/folder/new") == 0);
	CHECK(chdir("/") == 0);
	CHECK(ask_passes(INTENT_READ, AT_FDCWD, "inside"));
}

/* Changes ask only where a mapping or a not_found pattern could matter; the test sets the table's flags. */
static void places(void)
{
	char room[PATH_MAX];
	int directory = AT_FDCWD;
	const char *plain = "/some/path", *mapped = "/var/./mapped", *relative = "hidden";
	struct ask answer;
	CHECK(ask_place(&directory, NULL, room) == NULL);
	CHECK(ask_place(&directory, plain, room) == plain);
	CHECK(ask_place(&directory, relative, room) == (layer.shared->flags ? NULL : relative));
	if (layer.shared->flags) {
		CHECK(ask_place(&directory, mapped, room) == room && strcmp(room, "/var/elsewhere") == 0);
		CHECK(ask(INTENT_READ, AT_FDCWD, "hidden", &answer) == SIDE_FAILED && errno == ENOENT);
		CHECK(ask(INTENT_READ, AT_FDCWD, "shown", &answer) == SIDE_LOCAL);
	} else {
		CHECK(ask_place(&directory, mapped, room) == mapped);
	}
	CHECK(directory == AT_FDCWD);
}

/* The table says that everything is local. */
static void off(void)
{
	char room[PATH_MAX];
	int directory = AT_FDCWD;
	const char *path = "/remote-files/file";
	CHECK(ask_passes(INTENT_READ, AT_FDCWD, path));
	CHECK(ask_place(&directory, path, room) == path);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {{"sides", sides}, {"relative", relative}, {"places", places}, {"off", off}};
	CHECK(argc == 3);
	CHECK(layer_ready());
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (strcmp(cases[i].name, argv[2]) == 0) {
			cases[i].run();
			return 0;
		}
	return 9;
}
