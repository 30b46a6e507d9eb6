/*
 * Listeners: listening CASE HOST PORT [HOST PORT ...]. `plain` holds on the plain system too; the others are for the
 * layer, where the test lets connections come to the target. What is ready is told on standard output.
 */
#include "addresses.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char **arguments;
static struct name here;

static struct name argument(int at)
{
	return name(arguments[at], atoi(arguments[at + 1]));
}

static int bound(const struct name *to)
{
	int yes = 1, made = socket(to->as.any.sa_family, SOCK_STREAM, 0);
	CHECK(made >= 0 && setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0);
	errno = 77;
	CHECK(bind(made, &to->as.any, to->size) == 0 && errno == 77);
	return made;
}

static int listening(const struct name *to)
{
	int made = bound(to);
	errno = 77;
	CHECK(listen(made, 8) == 0 && errno == 77);
	return made;
}

static bool listens(int descriptor)
{
	int value = -1;
	socklen_t size = sizeof value;
	CHECK(getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0);
	return value;
}

/* Connections within this machine are what they always are. */
static void plain(void)
{
	struct name to = {.size = sizeof to.as}, from;
	int server = listening(&here);
	CHECK(listen(server, 4) == 0); /* again */
	to = own_name(server);
	CHECK(port_of(&to) > 0);
	CHECK_FAILS(getpeername(server, &to.as.any, &to.size), ENOTCONN);
	int client = socket(to.as.any.sa_family, SOCK_STREAM, 0);
	CHECK(connect(client, &to.as.any, to.size) == 0);
	struct name own = own_name(client), got = {.size = sizeof got.as};
	errno = 77;
	int made = accept(server, &got.as.any, &got.size);
	CHECK(made >= 0 && errno == 77 && same_name(&got, &own));
	from = peer_name(made);
	CHECK(same_name(&from, &own));
	from = own_name(made);
	CHECK(port_of(&from) == port_of(&to));
	CHECK(close(made) == 0 && close(client) == 0);
	CHECK(fcntl(server, F_SETFL, O_NONBLOCK) == 0);
	CHECK_FAILS(accept(server, NULL, NULL), EAGAIN);
	client = socket(to.as.any.sa_family, SOCK_STREAM, 0);
	CHECK_FAILS(accept(client, NULL, NULL), EINVAL);
	CHECK(connect(client, &to.as.any, to.size) == 0);
	made = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(made >= 0 && fcntl(made, F_GETFL) & O_NONBLOCK && fcntl(made, F_GETFD) == FD_CLOEXEC);
	CHECK_FAILS(bind(made, NULL, 16), EFAULT);
	CHECK_FAILS(bind(client, &to.as.any, to.size), EINVAL);
	CHECK_FAILS(listen(client, 1), EINVAL);
	CHECK_FAILS(listen(-1, 1), EBADF);
	int other = socket(to.as.any.sa_family, SOCK_STREAM, 0);
	CHECK_FAILS(bind(other, &to.as.any, to.size), EADDRINUSE);
	int pair[2];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK_FAILS(listen(pair[0], 1), EINVAL);
	CHECK(listen(other, 1) == 0); /* bound by that */
}

static void ready(int server)
{
	struct name own = own_name(server);
	dprintf(1, "%d\n", port_of(&own));
}

static void serve_one(int server, int how, const struct name *client, const struct name *at)
{
	struct name got = {.size = how == 1 ? 5 : sizeof got.as}, seen;
	char data[2];
	int made;
	memset(&got.as, 0xee, sizeof got.as);
	errno = 77;
	if (how == 0 || how == 1)
		made = accept(server, &got.as.any, &got.size);
	else if (how == 2)
		made = accept4(server, &got.as.any, &got.size, SOCK_CLOEXEC);
	else if (how == 3)
		made = (int)syscall(SYS_accept4, server, &got.as.any, &got.size, 0);
	else
		made = accept(server, NULL, NULL);
	CHECK(made >= 0 && errno == 77);
	if (how == 1) {
		CHECK(got.size == client->size && memcmp(&got.as, &client->as, 5) == 0);
		CHECK(((uint8_t *)&got.as)[5] == 0xee);
	} else if (how != 4) {
		CHECK(same_name(&got, client));
	}
	seen = peer_name(made);
	CHECK(same_name(&seen, client));
	seen = own_name(made);
	CHECK(same_name(&seen, at));
	CHECK(recv(made, data, 2, MSG_WAITALL) == 2 && send(made, data, 2, MSG_NOSIGNAL) == 2);
	CHECK(close(made) == 0);
}

/* Five clients of the target, each accepted in another way. */
static void served(void)
{
	struct name client = argument(2), at = argument(4);
	int server = listening(&here);
	ready(server);
	for (int how = 0; how < 5; how++)
		serve_one(server, how, &client, &at);
}

/* Children that inherit a listener, one of them a new image. */
static void inherited(void)
{
	struct name client = argument(2), at = argument(4);
	int server = listening(&here), status;
	if (getenv("LISTENER")) {
		server = atoi(getenv("LISTENER"));
		serve_one(server, 0, &client, &at);
		return;
	}
	ready(server);
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();
		char number[12];
		sprintf(number, "%d", server);
		if (child == 0 && i) {
			CHECK(setenv("LISTENER", number, 1) == 0);
			execv(arguments[-2], arguments - 2);
			_exit(3);
		}
		if (child == 0) {
			serve_one(server, 0, &client, &at);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && status == 0);
	}
}

/* The port is taken here: the program doesn't see where its listener is instead, nor does a new image. */
static void moved(void)
{
	struct name seen;
	if (getenv("LISTENER")) {
		seen = own_name(atoi(getenv("LISTENER")));
		CHECK(same_name(&seen, &here));
		return;
	}
	int server = bound(&here);
	seen = own_name(server);
	CHECK(same_name(&seen, &here));
	CHECK(listen(server, 3) == 0);
	seen = own_name(server);
	CHECK(same_name(&seen, &here));
	struct name cut = {.size = 3};
	CHECK(getsockname(server, &cut.as.any, &cut.size) == 0 && cut.size == here.size);
	int other = socket(here.as.any.sa_family, SOCK_STREAM, 0);
	struct name free = here;
	free.as.four.sin_port = 0;
	CHECK(bind(other, &free.as.any, free.size) == 0);
	seen = own_name(other);
	CHECK(port_of(&seen) > 0 && port_of(&seen) != port_of(&here));
	char number[12];
	sprintf(number, "%d", server);
	CHECK(setenv("LISTENER", number, 1) == 0);
	execv(arguments[-2], arguments - 2);
}

/* Addresses that nobody can bind, here or there; and one that is another session's on the target. */
static void refused(void)
{
	int made = socket(here.as.any.sa_family, SOCK_STREAM, 0), datagrams = socket(here.as.any.sa_family, SOCK_DGRAM, 0);
	struct name foreign = argument(2), forbidden = argument(4), elsewhere = argument(6);
	CHECK_FAILS(bind(made, &foreign.as.any, foreign.size), EADDRNOTAVAIL);
	CHECK_FAILS(bind(datagrams, &foreign.as.any, foreign.size), EADDRNOTAVAIL);
	CHECK_FAILS(bind(made, &forbidden.as.any, forbidden.size), EACCES);
	errno = 77;
	CHECK(bind(datagrams, &elsewhere.as.any, elsewhere.size) == 0 && errno == 77);
	CHECK(bind(made, &here.as.any, here.size) == 0);
	for (int i = 0; i < 2; i++) {
		CHECK_FAILS(listen(made, 1), EADDRINUSE);
		CHECK(!listens(made));
		CHECK_FAILS(accept(made, NULL, NULL), EINVAL);
	}
	struct name own = own_name(made);
	CHECK(same_name(&own, &here)); /* still bound */
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{"plain", plain}, {"served", served}, {"inherited", inherited}, {"moved", moved}, {"refused", refused},
	};
	CHECK(argc >= 4 && argc % 2 == 0);
	arguments = argv + 2;
	here = argument(0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (strcmp(cases[i].name, argv[1]) == 0) {
			cases[i].run();
			return 0;
		}
	return 2;
}
