/* The link from within: one question at a time, from threads, children and signal handlers, and when things break. */
#include "check.h"

#include "layer.h"
#include "sys.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *file; /* a remote file that holds "hello" */

static int ask_file(enum wire_layer_operation operation, struct answer *answer, void *room, size_t size)
{
	struct layer_request request = {.operation = operation};
	return link_ask(&request, file, strlen(file), answer, room, size);
}

static void check_open(void)
{
	struct answer answer;
	char text[8] = "";
	errno = 77;
	CHECK(ask_file(WIRE_LAYER_OPERATION_OPEN, &answer, NULL, 0) == 0);
	CHECK(errno == 77);
	CHECK(answer.reply.form == WIRE_LAYER_FORM_WHOLE && answer.reply.stat.size == 5);
	CHECK(read(answer.descriptors[0], text, sizeof text) == 5 && strcmp(text, "hello") == 0);
	CHECK(fcntl(answer.descriptors[0], F_GETFD) == FD_CLOEXEC);
	CHECK(answer.descriptors[1] == -1);
	CHECK(close(answer.descriptors[0]) == 0);
}

static void plain(void)
{
	struct answer answer;
	int lowest = dup(0);
	close(lowest);
	CHECK(ask_file(WIRE_LAYER_OPERATION_OPEN, &answer, NULL, 0) == 0);
	CHECK(answer.descriptors[0] == lowest);
	close(lowest);
	check_open();

	/* What doesn't fit into the caller's room. */
	char room[64];
	CHECK(ask_file(WIRE_LAYER_OPERATION_REALPATH, &answer, room, sizeof room) == 0);
	CHECK(answer.reply.payload == strlen(file) && memcmp(room, file, strlen(file)) == 0);
	CHECK_FAILS(ask_file(WIRE_LAYER_OPERATION_REALPATH, &answer, room, 3), EOVERFLOW);
	CHECK_FAILS(ask_file(WIRE_LAYER_OPERATION_REALPATH, &answer, NULL, 0), EOVERFLOW);

	/* The target's errno. */
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_STAT};
	CHECK_FAILS(link_ask(&request, "/remote-files/none", 18, &answer, NULL, 0), ENOENT);
	CHECK_FAILS(link_ask(&request, "/remote-files/file/x", 20, &answer, NULL, 0), ENOTDIR);
}

static void *ask_often(void *unused)
{
	for (int i = 0; i < 50; i++)
		check_open();
	return unused;
}

static void crowd(void)
{
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, ask_often, NULL) == 0);
	for (int i = 0; i < 4; i++) {
		pid_t child = fork();
		if (child == 0) {
			ask_often(NULL);
			_exit(0);
		}
		int status;
		CHECK(waitpid(child, &status, 0) == child && status == 0);
	}
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	pid_t child = vfork();
	if (child == 0) {
		check_open();
		_exit(0);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* The inherited end is closed by a system call that nobody sees; it comes back by the socket's name, once. */
static void closed(void)
{
	CHECK(sys_close(descriptor_number(layer.link)) == 0);
	check_open();
	int link = descriptor_number(layer.link);
	CHECK(link >= LAYER_LOWEST && layer_owns(link));
	check_open();
	CHECK(descriptor_number(layer.link) == link);
	/* A vfork child closes its copy and comes back: the parent's still stands. */
	pid_t child = vfork();
	if (child == 0) {
		sys_close(descriptor_number(layer.link));
		check_open();
		_exit(0);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	check_open();
}

/* Numbers run out: first for the channel, then for what comes back. */
static void full(void)
{
	struct answer answer;
	struct rlimit limit = {1024, 1024};
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	int last = -1, next;
	while ((next = dup(0)) >= 0)
		last = next;
	CHECK(last > 0 && errno == EMFILE);
	CHECK_FAILS(ask_file(WIRE_LAYER_OPERATION_OPEN, &answer, NULL, 0), EMFILE);
	close(last);
	CHECK_FAILS(ask_file(WIRE_LAYER_OPERATION_OPEN, &answer, NULL, 0), EMFILE);
	close(last - 1);
	check_open(); /* the channel's far end is closed before the answer comes */

	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_LIST};
	CHECK_FAILS(link_ask(&request, "/remote-files", 13, &answer, NULL, 0), EMFILE); /* two descriptors, room for one */
	CHECK_FAILS(fcntl(last, F_GETFD), EBADF);
	CHECK_FAILS(fcntl(last - 1, F_GETFD), EBADF);
}

/* The standard streams may be closed; nothing of ours stays there. */
static void streams(void)
{
	struct answer answer;
	for (int i = 0; i < 3; i++)
		close(i);
	CHECK(sys_close(descriptor_number(layer.link)) == 0);
	for (int i = 0; i < 3; i++) {
		if (ask_file(WIRE_LAYER_OPERATION_OPEN, &answer, NULL, 0) != 0 || answer.descriptors[0] != i)
			_exit(1);
	}
	if (descriptor_number(layer.link) < LAYER_LOWEST)
		_exit(2);
}

static int ticks;

static void tick(int unused)
{
	int error = errno;
	struct answer answer;
	(void)unused;
	if (write(atoi(getenv("TICKS")), "t", 1) != 1) /* the session waits for three of these before it answers */
		_exit(3);
	if (++ticks == 2 && ask_file(WIRE_LAYER_OPERATION_STAT, &answer, NULL, 0) != 0)
		_exit(4);
	errno = error;
}

static void signals(void)
{
	struct sigaction action = {.sa_handler = tick}; /* without SA_RESTART */
	struct itimerval timer = {{0, 2000}, {0, 2000}};
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
	check_open();
	timer = (struct itimerval){{0, 0}, {0, 0}};
	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
	CHECK(ticks >= 3);
}

static void gone(void)
{
	struct answer answer;
	CHECK_FAILS(ask_file(WIRE_LAYER_OPERATION_OPEN, &answer, NULL, 0), EIO);
	CHECK(answer.descriptors[0] == -1);
	CHECK_FAILS(ask_file(WIRE_LAYER_OPERATION_STAT, &answer, NULL, 0), EIO);
	sys_close(descriptor_number(layer.link));
	CHECK_FAILS(ask_file(WIRE_LAYER_OPERATION_STAT, &answer, NULL, 0), EIO);
}

static void *ask_in_vain(void *unused)
{
	gone();
	return unused;
}

/* More questions than the link's queue holds; the session looks at none of them and ends. */
static void flood(void)
{
	enum { THREADS = 16 };
	pthread_t threads[THREADS];
	int small = 1;
	CHECK(setsockopt(descriptor_number(layer.link), SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, ask_in_vain, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {{"plain", plain}, {"crowd", crowd},     {"closed", closed}, {"full", full},
	             {"streams", streams}, {"signals", signals}, {"gone", gone}, {"flood", flood}};
	CHECK(argc == 3);
	file = below(argv[1], "file");
	CHECK(layer_ready());
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (strcmp(cases[i].name, argv[2]) == 0) {
			cases[i].run();
			return 0;
		}
	return 9;
}
