/*
 * Connects that the target hasn't decided: held CASE HOST PORT. A byte on standard output asks the test to let the target
 * decide, which it does as the test says. Only under the layer: a server of this machine decides at once.
 */
#include "addresses.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static struct name there;
static volatile sig_atomic_t ticks;

static int make(int flags)
{
	int made = socket(there.as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	CHECK(made >= 0);
	return made;
}

static void decide(void)
{
	CHECK(write(1, "x", 1) == 1);
}

/* Nothing is decided, whatever is asked. */
static void check_undecided(int end)
{
	struct pollfd one = {end, POLLIN | POLLOUT, 0};
	struct name peer = {.size = sizeof peer.as};
	CHECK(poll(&one, 1, 0) == 0);
	CHECK(socket_error(end) == 0);
	CHECK_FAILS(getpeername(end, &peer.as.any, &peer.size), ENOTCONN);
	CHECK_FAILS(send(end, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL), EAGAIN);
	int flags = fcntl(end, F_GETFL);
	CHECK(fcntl(end, F_SETFL, flags | O_NONBLOCK) == 0);
	CHECK_FAILS(connect(end, &there.as.any, there.size), EALREADY);
	CHECK(fcntl(end, F_SETFL, flags) == 0);
}

static void check_connected(int end)
{
	struct pollfd one = {end, POLLOUT, 0};
	char got[2];
	CHECK(poll(&one, 1, 20000) == 1 && one.revents == POLLOUT);
	CHECK(socket_error(end) == 0);
	struct name peer = peer_name(end);
	CHECK(same_name(&peer, &there));
	CHECK(fcntl(end, F_SETFL, 0) == 0);
	CHECK(send(end, "hi", 2, MSG_NOSIGNAL) == 2 && recv(end, got, 2, MSG_WAITALL) == 2);
	CHECK(close(end) == 0);
}

static void tick(int signal)
{
	(void)signal;
	ticks++;
}

static void tick_and_decide(int signal)
{
	(void)signal;
	if (ticks++ == 0)
		(void)!write(1, "x", 1);
}

static void tick_every(int microseconds, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
	struct itimerval timer = {{0, microseconds}, {0, microseconds}};
	CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void interrupted(void)
{
	struct itimerval none = {{0, 0}, {0, 0}};
	int end = make(0);
	tick_every(20000, tick, 0);
	CHECK_FAILS(connect(end, &there.as.any, there.size), EINTR);
	CHECK(ticks > 0);
	CHECK_FAILS(connect(end, &there.as.any, there.size), EINTR); /* it waits on */
	CHECK(setitimer(ITIMER_REAL, &none, NULL) == 0);
	check_undecided(end);
	decide();
	check_connected(end);
}

static void restarted(void)
{
	int end = make(0);
	tick_every(20000, tick_and_decide, SA_RESTART);
	CHECK(connect(end, &there.as.any, there.size) == 0);
	CHECK(ticks > 0);
	check_connected(end);
}

static void limited(void)
{
	struct timeval limit = {0, 30000};
	int end = make(0);
	CHECK(setsockopt(end, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
	CHECK_FAILS(connect(end, &there.as.any, there.size), EINPROGRESS);
	CHECK_FAILS(connect(end, &there.as.any, there.size), EALREADY);
	check_undecided(end);
	decide();
	check_connected(end);
}

static void started(void)
{
	int end = make(SOCK_NONBLOCK);
	CHECK_FAILS(connect(end, &there.as.any, there.size), EINPROGRESS);
	check_undecided(end);
	decide();
	check_connected(end);
}

static void closed(void)
{
	int end = make(SOCK_NONBLOCK);
	CHECK_FAILS(connect(end, &there.as.any, there.size), EINPROGRESS);
	CHECK(close(end) == 0);
	decide();
}

static void late(void)
{
	struct pollfd one;
	int end = make(SOCK_NONBLOCK);
	CHECK_FAILS(connect(end, &there.as.any, there.size), EINPROGRESS);
	check_undecided(end);
	decide();
	one = (struct pollfd){end, POLLOUT, 0};
	CHECK(poll(&one, 1, 20000) == 1 && one.revents == (POLLOUT | POLLERR | POLLHUP));
	CHECK(socket_error(end) == ETIMEDOUT && socket_error(end) == 0);
	CHECK(close(end) == 0);
	end = make(0);
	CHECK_FAILS(connect(end, &there.as.any, there.size), ETIMEDOUT);
}

/* The session ends: what was begun ends, and nothing new begins. */
static void gone(void)
{
	int end = make(0);
	decide();
	CHECK_FAILS(connect(end, &there.as.any, there.size), ENETDOWN);
	CHECK_FAILS(connect(end, &there.as.any, there.size), ENETDOWN);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{"interrupted", interrupted}, {"restarted", restarted}, {"limited", limited}, {"started", started},
		{"closed", closed},           {"late", late},           {"gone", gone},
	};
	CHECK(argc == 4);
	there = name(argv[2], atoi(argv[3]));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (strcmp(cases[i].name, argv[1]) == 0) {
			cases[i].run();
			return 0;
		}
	return 2;
}
