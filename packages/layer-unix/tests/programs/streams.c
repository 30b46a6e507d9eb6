/* Streams of stdio on files that are being filled or are read by request, standard input among them. */
#include "content.h"

#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

static unsigned char buffer[4 << 20];

static void check_stream(FILE *stream)
{
	char *line = NULL;
	size_t room = 0, total = 0, got;
	CHECK(stream);
	CHECK(fseek(stream, 3, SEEK_SET) == 0);
	check_content((int[]){fgetc(stream)}, 1, 3);
	CHECK(fseek(stream, 0, SEEK_SET) == 0);
	CHECK((got = (size_t)getdelim(&line, &room, 1, stream)) < size);
	check_content(line, got, 0);
	for (total = got; (got = fread(buffer, 1, 50001, stream)) > 0; total += got)
		check_content(buffer, got, total);
	CHECK(feof(stream) && total == size && ftell(stream) == (long)size);
	free(line);
}

static void opened_stream(void)
{
	struct stat status;
	FILE *stream = fopen(name, "rbe");
	check_stream(stream);
	CHECK(fcntl(fileno(stream), F_GETFD) == FD_CLOEXEC);
	struct stat true_status;
	CHECK(fstat(fileno(stream), &status) == 0 && stat(name, &true_status) == 0);
	CHECK(status.st_ino == true_status.st_ino && status.st_nlink == 1);
	CHECK(fclose(stream) == 0);
}

static void stream_of_descriptor(void)
{
	int descriptor = open_it();
	FILE *stream = fdopen(descriptor, "r");
	CHECK(fileno(stream) == descriptor);
	check_stream(stream);
	CHECK(fclose(stream) == 0);
}

static void reopened_stream(void)
{
	int descriptor = open("/dev/null", O_RDONLY);
	FILE *stream = fdopen(descriptor, "r");
	CHECK(freopen(name, "r", stream) == stream && fileno(stream) == descriptor);
	check_stream(stream);
	CHECK(!freopen(below(folder, "none"), "r", stream) && errno == ENOENT);
	CHECK_FAILS(fcntl(descriptor, F_GETFD), EBADF);
}

static void stream_by_name(void)
{
	char path[64];
	int descriptor = open_it();
	sprintf(path, "/proc/self/fd/%d", descriptor);
	FILE *stream = fopen(path, "r");
	check_stream(stream);
	fclose(stream);
	close(descriptor);
}

static void duplicated_input(void)
{
	int descriptor = open_it();
	CHECK(dup2(descriptor, 0) == 0 && close(descriptor) == 0);
	check_stream(stdin);
}

static void duplicated_by_number(void)
{
	int descriptor = open_it();
	CHECK(close(0) == 0 && fcntl(descriptor, F_DUPFD_CLOEXEC, 0) == 0 && close(descriptor) == 0);
	check_stream(stdin);
}

/* In a thread whose stack is as small as threads' stacks may be. */
static void *read_there(void *unused)
{
	int null = open("/dev/null", O_WRONLY), descriptor = open_it();
	FILE *stream = fopen(name, "r");
	CHECK(stream && fgetc(stream) == content_at(0) && fclose(stream) == 0);
	CHECK(sendfile(null, descriptor, NULL, 1000) == 1000);
	close(descriptor);
	close(null);
	return unused;
}

static void small_stack(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 16384) == 0);
	CHECK(pthread_create(&thread, &attributes, read_there, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

static void opened_input(void)
{
	close(0);
	CHECK(open_it() == 0);
	check_stream(stdin);
}

/* Another image, which gets the file as standard input. */
static void inherited(void)
{
	pid_t child = fork();
	if (child == 0) {
		int descriptor = open_it();
		if (descriptor != 5)
			CHECK(dup2(descriptor, 5) == 5);
		CHECK(fcntl(descriptor, F_GETFD) == 0);
		receive_as_input(5);
		execl("/proc/self/exe", "filling", folder, name, "child", NULL);
		_exit(9);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void child(void)
{
	ssize_t got = pread(5, buffer, 1000, 900000);
	CHECK(got == 1000);
	check_content(buffer, 1000, 900000);
	check_stream(stdin);
}

/* In a program without the layer: nobody waits for it. */
static void input(void)
{
	check_stream(stdin);
}

int main(int argc, char **argv)
{
	static const struct content_case cases[] = {
		{"opened_stream", opened_stream},
		{"stream_of_descriptor", stream_of_descriptor},
		{"reopened_stream", reopened_stream},
		{"stream_by_name", stream_by_name},
		{"duplicated_input", duplicated_input},
		{"duplicated_by_number", duplicated_by_number},
		{"small_stack", small_stack},
		{"opened_input", opened_input},
		{"inherited", inherited},
		{"child", child},
		{"input", input},
		{NULL, NULL},
	};
	return content_main(argc, argv, cases);
}
