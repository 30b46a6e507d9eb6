/* Others who read the same file at the same time: threads, children, signal handlers. */
#include "content.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

static unsigned char buffer[4 << 20];

static size_t counts[1 << 16];

static void *share(void *argument)
{
	int descriptor = *(int *)argument;
	static __thread uint64_t words[8192];
	ssize_t got;
	while ((got = read(descriptor, words, 1000 * 8)) > 0) {
		size_t whole = (size_t)got / 8;
		check_content(words, (size_t)got, words[0] - WORD);
		__atomic_add_fetch(&counts[(words[0] - WORD) / 8000], whole, __ATOMIC_RELAXED);
	}
	CHECK(got == 0);
	return NULL;
}

static void threads(void)
{
	int descriptor = open_it();
	pthread_t thread[6];
	for (int i = 0; i < 6; i++)
		CHECK(pthread_create(&thread[i], NULL, share, &descriptor) == 0);
	for (int i = 0; i < 6; i++)
		pthread_join(thread[i], NULL);
	size_t whole = size / 8, each;
	for (size_t i = 0; i * 1000 < whole; i++) {
		each = whole - i * 1000 < 1000 ? whole - i * 1000 : 1000;
		CHECK(counts[i] == each);
	}
	CHECK(lseek(descriptor, 0, SEEK_CUR) == (off_t)size);
}

static void forked(void)
{
	int descriptor = open_it(), status;
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(read(descriptor, buffer, 1000) == 1000);
		check_content(buffer, 1000, 0);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	pid = vfork();
	if (pid == 0)
		_exit(read(descriptor, buffer, 3000) != 3000);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	check_content(buffer, 3000, 1000);
	CHECK(read(descriptor, buffer, 50) == 50);
	check_content(buffer, 50, 4000);
}

static unsigned char other[100];
static int watched;
static volatile sig_atomic_t handled;

static void handler(int number)
{
	(void)number;
	off_t at = handled * 40000 % (off_t)(size - 100);
	int error = errno;
	handled++;
	errno = 3;
	CHECK(pread(watched, other, 100, at) == 100);
	CHECK(errno == 3);
	check_content(other, 100, (uint64_t)at);
	errno = error;
}

static void *signal_often(void *thread)
{
	while (handled < 100)
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return NULL;
}

static void interrupted(void)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	pthread_t self = pthread_self(), thread;
	watched = open_it();
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, signal_often, &self) == 0);
	while (handled < 100) {
		int descriptor = open_it();
		errno = 8;
		CHECK(read(descriptor, buffer, 5000) == 5000);
		CHECK(errno == 8);
		check_content(buffer, 5000, 0);
		close(descriptor);
	}
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	static const struct content_case cases[] = {
		{"threads", threads},
		{"forked", forked},
		{"interrupted", interrupted},
		{NULL, NULL},
	};
	return content_main(argc, argv, cases);
}
