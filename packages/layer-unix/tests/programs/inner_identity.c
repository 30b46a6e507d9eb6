/* Identities from within: what a descriptor is, and how often the session has to be asked for it. */
#include "check.h"

#include "layer.h"
#include "sys.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *folder;

/* Opens a remote file; its descriptor. */
static int open_remote(const char *name, struct ask *ask)
{
	char *path = below(folder, name);
	*ask = (struct ask){0};
	CHECK(ask_path(WIRE_LAYER_OPERATION_OPEN, INTENT_READ, AT_FDCWD, path, 0, 0, ask) == SIDE_DONE);
	CHECK(ask->answer.descriptors[0] >= 0);
	free(path);
	return ask->answer.descriptors[0];
}

static enum wire_layer_form form_of(int descriptor)
{
	return identity_of(descriptor).form;
}

static void forms(void)
{
	struct ask ask;
	int memory = memfd_create("own", 0), local = open("/proc/self/exe", O_RDONLY), ends[2];
	CHECK(memory >= 0 && local >= 0 && pipe(ends) == 0);
	CHECK(form_of(memory) == WIRE_LAYER_FORM_FOREIGN);

	int whole = open_remote("whole", &ask), large = open_remote("large", &ask), request = open_remote("request", &ask);
	int directory = open_remote("directory", &ask);
	CHECK(form_of(whole) == WIRE_LAYER_FORM_WHOLE);
	CHECK(form_of(large) == WIRE_LAYER_FORM_FILLING);
	CHECK(form_of(request) == WIRE_LAYER_FORM_REQUEST);
	CHECK(form_of(directory) == WIRE_LAYER_FORM_DIRECTORY);
	CHECK(form_of(dup(whole)) == WIRE_LAYER_FORM_WHOLE);
	CHECK(form_of(memory) == WIRE_LAYER_FORM_FOREIGN);
	CHECK(form_of(local) == WIRE_LAYER_FORM_FOREIGN);
	CHECK(form_of(ends[0]) == WIRE_LAYER_FORM_FOREIGN);
	CHECK(form_of(-1) == WIRE_LAYER_FORM_FOREIGN);

	CHECK(identity_watched(whole).form == WIRE_LAYER_FORM_FOREIGN);
	CHECK(identity_watched(large).form == WIRE_LAYER_FORM_FILLING);
	CHECK(identity_watched(request).form == WIRE_LAYER_FORM_REQUEST);
	CHECK(identity_of_directory(directory).form == WIRE_LAYER_FORM_DIRECTORY);
	CHECK(identity_of_directory(whole).form == WIRE_LAYER_FORM_FOREIGN);
	CHECK(identity_of_directory(AT_FDCWD).form == WIRE_LAYER_FORM_FOREIGN);
	CHECK(fchdir(directory) == 0);
	CHECK(identity_of_directory(AT_FDCWD).form == WIRE_LAYER_FORM_DIRECTORY);

	struct layer_reply reply;
	struct identity identity = identity_of(whole);
	CHECK(identity_stat(&identity, &reply) == 0 && reply.stat.size == 5 && S_ISREG(reply.stat.mode));
	identity = identity_of(directory);
	CHECK(identity_stat(&identity, &reply) == 0 && S_ISDIR(reply.stat.mode));
	identity.inode += 1000000;
	CHECK_FAILS(identity_stat(&identity, &reply), EIO);

	pid_t child = vfork(); /* closing in a child takes nothing from the parent */
	if (child == 0) {
		close(whole);
		_exit(form_of(large) == WIRE_LAYER_FORM_FILLING ? 0 : 1);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(form_of(whole) == WIRE_LAYER_FORM_WHOLE);
}

/* Prints nothing; the test counts questions. */
static void inherited(void)
{
	for (int i = 0; i < 3; i++)
		CHECK(form_of(0) == WIRE_LAYER_FORM_WHOLE);
}

static void waits(void)
{
	enum { CHUNK = 65536 };
	struct ask ask;
	char byte;
	int large = open_remote("large", &ask);
	struct identity identity = identity_watched(large);
	uint64_t size = ask.answer.reply.stat.size;
	for (uint64_t at = 0; at < 3 * CHUNK; at += 1000) { /* four questions: four chunks are touched */
		CHECK(identity_wait(&identity, at, 1000) == 0);
		CHECK(pread(large, &byte, 1, (off_t)at) == 1 && byte == (char)(1 + at % 251));
	}
	CHECK(identity_wait(&identity, 10 * CHUNK, 5) == 0); /* the fifth */
	CHECK(identity_wait(&identity, 11 * CHUNK - 5, 5) == 0);
	CHECK(identity_wait(&identity, 11 * CHUNK - 5, 6) == 0); /* the sixth */
	CHECK(identity_wait(&identity, 5, 5) == 0);
	CHECK(identity_wait(&identity, size, 1000) == 0);
	CHECK(identity_wait(&identity, size + 5, UINT64_MAX) == 0);
	CHECK(identity_wait(&identity, 0, 0) == 0);
	CHECK(identity_wait(&identity, 0, UINT64_MAX) == 0); /* the seventh: all of it */
	CHECK(identity_wait(&identity, 7 * CHUNK, UINT64_MAX) == 0);
	CHECK(identity_watched(large).form == WIRE_LAYER_FORM_FOREIGN);
}

static void *look(void *descriptors)
{
	for (int round = 0; round < 4; round++)
		for (int *each = descriptors; *each >= 0; each++)
			CHECK(form_of(*each) == WIRE_LAYER_FORM_WHOLE);
	return NULL;
}

/* More files than the cache has room for, and threads that change it under each other. */
static void many(void)
{
	enum { FILES = 400, THREADS = 4 };
	static int descriptors[FILES + 1];
	pthread_t threads[THREADS];
	struct ask ask;
	for (int i = 0; i < FILES; i++) {
		char name[24];
		sprintf(name, "many/%d", i);
		descriptors[i] = open_remote(name, &ask);
	}
	descriptors[FILES] = -1;
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, look, descriptors) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

/* The session ends while a file is being filled: an error, never zeros in place of bytes. */
static void gone(void)
{
	struct ask ask;
	char byte;
	int large = open_remote("large", &ask), memory = memfd_create("own", 0);
	CHECK(read(0, &byte, 1) == 0); /* the test ends the session, then our input */
	struct identity identity = identity_watched(large);
	CHECK(identity.form == WIRE_LAYER_FORM_FILLING);
	CHECK_FAILS(identity_wait(&identity, 0, 1), EIO);
	CHECK(identity_watched(memory).form == WIRE_LAYER_FORM_FOREIGN);
	errno = 77;
	CHECK(form_of(memory) == WIRE_LAYER_FORM_FOREIGN && errno == 77);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {{"forms", forms}, {"inherited", inherited}, {"waits", waits}, {"many", many}, {"gone", gone}};
	CHECK(argc == 3);
	folder = argv[1];
	CHECK(layer_ready());
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (strcmp(cases[i].name, argv[2]) == 0) {
			cases[i].run();
			return 0;
		}
	return 9;
}
