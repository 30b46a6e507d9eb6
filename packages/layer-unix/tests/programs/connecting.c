/*
 * Connects of every kind to a server that echoes and to one that refuses. What it asserts holds on the plain system with
 * servers on this machine, and under the layer with those of a target: connecting CASE HOST ECHO REFUSED [native].
 */
#include "addresses.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *host;
static struct name echo, refused;
static bool native;

static int make(int flags)
{
	int made = socket(echo.as.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	CHECK(made >= 0);
	return made;
}

/* A connected socket that works, and tells the truth. */
static void check_connected(int end)
{
	char got[5];
	struct name peer = peer_name(end), own = own_name(end);
	int flags = fcntl(end, F_GETFL);
	CHECK(same_name(&peer, &echo));
	CHECK(own.as.any.sa_family == echo.as.any.sa_family && port_of(&own) > 0);
	CHECK(socket_error(end) == 0);
	CHECK(fcntl(end, F_SETFL, flags & ~O_NONBLOCK) == 0);
	CHECK(send(end, "hello", 5, MSG_NOSIGNAL) == 5);
	CHECK(recv(end, got, 5, MSG_WAITALL) == 5 && memcmp(got, "hello", 5) == 0);
	CHECK(connect(end, &echo.as.any, echo.size) == 0 || errno == EISCONN); /* the first after one that didn't wait */
	CHECK_FAILS(connect(end, &echo.as.any, echo.size), EISCONN);
	CHECK(shutdown(end, SHUT_WR) == 0 && recv(end, got, 5, 0) == 0);
	CHECK(close(end) == 0);
}

static void blocking(void)
{
	int end = make(0);
	errno = 77;
	CHECK(connect(end, &echo.as.any, echo.size) == 0 && errno == 77);
	CHECK(!(fcntl(end, F_GETFL) & O_NONBLOCK));
	check_connected(end);
	end = make(0);
	for (int i = 0; i < 3; i++) {
		CHECK_FAILS(connect(end, &refused.as.any, refused.size), ECONNREFUSED);
		CHECK(socket_error(end) == 0);
		struct name peer = {.size = sizeof peer.as};
		CHECK_FAILS(getpeername(end, &peer.as.any, &peer.size), ENOTCONN);
	}
	CHECK(connect(end, &echo.as.any, echo.size) == 0);
	check_connected(end);
}

static void by_number(void)
{
	int code = 0;
	socklen_t size = sizeof code;
	int end = (int)syscall(SYS_socket, echo.as.any.sa_family, SOCK_STREAM, 0);
	CHECK(end >= 0 && syscall(SYS_connect, end, &echo.as.any, echo.size) == 0);
	struct name peer = {.size = sizeof peer.as};
	CHECK(syscall(SYS_getpeername, end, &peer.as.any, &peer.size) == 0 && same_name(&peer, &echo));
	CHECK(syscall(SYS_getsockopt, end, SOL_SOCKET, SO_ERROR, &code, &size) == 0 && code == 0);
	check_connected(end);
	end = make(0);
	CHECK_FAILS(syscall(SYS_connect, end, &refused.as.any, refused.size), ECONNREFUSED);
	CHECK(close(end) == 0);
}

/* Begins without waiting. False: refused at once, as this machine's ports refuse; they are connected at once too. */
static bool begin(int end, const struct name *to)
{
	errno = 0;
	if (connect(end, &to->as.any, to->size) == 0) {
		CHECK(native);
		return true;
	}
	CHECK(errno == EINPROGRESS || (native && errno == ECONNREFUSED));
	return errno == EINPROGRESS;
}

static void await(int end, short wanted)
{
	struct pollfd one = {end, POLLOUT, 0};
	CHECK(poll(&one, 1, 20000) == 1);
	CHECK(one.revents == wanted);
}

static void polled(void)
{
	int end = make(SOCK_NONBLOCK);
	CHECK(begin(end, &echo));
	await(end, POLLOUT);
	CHECK(native || connect(end, &echo.as.any, echo.size) == 0); /* the first after it is done */
	check_connected(end);
	end = make(SOCK_NONBLOCK);
	CHECK(begin(end, &echo));
	await(end, POLLOUT);
	check_connected(end);
	end = make(SOCK_NONBLOCK);
	if (begin(end, &refused)) {
		await(end, POLLOUT | POLLERR | POLLHUP);
		CHECK(socket_error(end) == ECONNREFUSED);
		CHECK(socket_error(end) == 0);
		CHECK_FAILS(connect(end, &refused.as.any, refused.size), ECONNABORTED); /* its error was taken */
	}
	if (begin(end, &refused)) {
		await(end, POLLOUT | POLLERR | POLLHUP);
		CHECK_FAILS(connect(end, &refused.as.any, refused.size), ECONNREFUSED);
		CHECK(socket_error(end) == 0);
	}
	CHECK(begin(end, &echo));
	await(end, POLLOUT);
	check_connected(end);
}

/* Programs that ask for no error, and send or receive: the first call tells it. */
static void used(void)
{
	for (int how = 0; how < 10; how++) {
		char data[4] = "";
		struct iovec part = {data, 1};
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t (*receive)(int, void *, size_t, size_t, int) = NULL;
#ifdef __GLIBC__
		receive = dlsym(RTLD_DEFAULT, "__recv_chk");
#endif
		int end = make(SOCK_NONBLOCK);
		if (begin(end, &refused)) {
			await(end, POLLOUT | POLLERR | POLLHUP);
			errno = 0;
			CHECK((how == 0   ? write(end, "x", 1)
			       : how == 1 ? writev(end, &part, 1)
			       : how == 2 ? send(end, "x", 1, MSG_NOSIGNAL)
			       : how == 3 ? recv(end, data, 1, 0)
			       : how == 4 ? read(end, data, 1)
			       : how == 5 ? readv(end, &part, 1)
			       : how == 6 ? sendto(end, "x", 1, 0, NULL, 0)
			       : how == 7 ? recvfrom(end, data, 1, 0, NULL, NULL)
			       : how == 8 ? sendmsg(end, &message, 0)
			       : receive  ? receive(end, data, 1, sizeof data, 0)
			                  : recvmsg(end, &message, 0)) == -1);
			CHECK(errno == ECONNREFUSED);
			CHECK_FAILS(send(end, "x", 1, MSG_NOSIGNAL), EPIPE);
			CHECK(recv(end, data, 1, 0) == 0);
		}
		CHECK(close(end) == 0);
	}
}

static void selected(void)
{
	fd_set reading, writing;
	struct timeval limit = {20, 0};
	int end = make(SOCK_NONBLOCK);
	CHECK(begin(end, &echo));
	FD_ZERO(&writing);
	FD_SET(end, &writing);
	CHECK(select(end + 1, NULL, &writing, NULL, &limit) == 1 && FD_ISSET(end, &writing));
	check_connected(end);
	end = make(SOCK_NONBLOCK);
	if (begin(end, &refused)) {
		FD_ZERO(&reading);
		FD_ZERO(&writing);
		FD_SET(end, &reading);
		FD_SET(end, &writing);
		CHECK(select(end + 1, &reading, &writing, NULL, &limit) == 2);
		CHECK(socket_error(end) == ECONNREFUSED);
	}
	CHECK(close(end) == 0);
}

/* Every change of state that epoll shows, up to the last one: of a failure none may look like success. */
static void edges(void)
{
	struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {0}};
	int set = epoll_create1(EPOLL_CLOEXEC), end = make(SOCK_NONBLOCK);
	CHECK(begin(end, &echo));
	CHECK(epoll_ctl(set, EPOLL_CTL_ADD, end, &event) == 0);
	CHECK(epoll_wait(set, &event, 1, 20000) == 1 && event.events == EPOLLOUT);
	check_connected(end);
	for (int i = 0; i < 50; i++) {
		end = make(SOCK_NONBLOCK);
		if (begin(end, &refused)) {
			event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
			CHECK(epoll_ctl(set, EPOLL_CTL_ADD, end, &event) == 0);
			CHECK(epoll_wait(set, &event, 1, 20000) == 1);
			CHECK(event.events == (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP));
			CHECK(socket_error(end) == ECONNREFUSED);
		}
		CHECK(close(end) == 0);
	}
	CHECK(close(set) == 0);
}

static void arguments(void)
{
	int end = make(0), file = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct name other = name(strchr(host, ':') ? "10.99.0.1" : "2001:db8::1", 7);
	CHECK_FAILS(connect(-1, &echo.as.any, echo.size), EBADF);
	CHECK_FAILS(connect(file, &echo.as.any, echo.size), ENOTSOCK);
	CHECK_FAILS(connect(end, NULL, echo.size), EFAULT);
	CHECK_FAILS(connect(end, (void *)8, echo.size), EFAULT);
	CHECK_FAILS(connect(end, (void *)-8, echo.size), EFAULT);
	CHECK_FAILS(connect(end, &echo.as.any, 7), EINVAL);
	CHECK_FAILS(connect(end, &other.as.any, other.size), strchr(host, ':') ? EINVAL : EAFNOSUPPORT);
	CHECK_FAILS(getsockopt(end, SOL_SOCKET, SO_ERROR, NULL, NULL), EFAULT);
	CHECK(connect(end, &echo.as.any, echo.size) == 0);
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	CHECK(connect(end, &none, sizeof none) == 0); /* no more connected */
	CHECK(connect(end, &echo.as.any, echo.size) == 0);
	struct name cut = {.size = 6};
	memset(&cut.as, 0xee, sizeof cut.as);
	CHECK(getpeername(end, &cut.as.any, &cut.size) == 0 && cut.size == echo.size);
	CHECK(((uint8_t *)&cut.as)[5] != 0xee || ((uint8_t *)&echo.as)[5] == 0xee);
	CHECK(((uint8_t *)&cut.as)[6] == 0xee && memcmp(&cut.as, &echo.as, 4) == 0);
	CHECK_FAILS(getpeername(end, NULL, &cut.size), EFAULT);
	check_connected(end);
	CHECK(close(file) == 0);
}

static void options(void)
{
	int yes = 1, end = make(0);
	CHECK(setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
	struct timeval limit = {20, 0};
	CHECK(setsockopt(end, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
	CHECK(connect(end, &echo.as.any, echo.size) == 0);
	socklen_t size = sizeof yes;
	yes = 0;
	CHECK(getsockopt(end, IPPROTO_TCP, TCP_NODELAY, &yes, &size) == 0 && yes);
	check_connected(end);
#ifdef TCP_FASTOPEN_CONNECT
	for (int flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
		end = make(flags);
		yes = 1;
		CHECK(setsockopt(end, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &yes, sizeof yes) == 0);
		if (flags) {
			CHECK(begin(end, &echo));
			await(end, POLLOUT);
		} else {
			CHECK(connect(end, &echo.as.any, echo.size) == 0);
		}
		check_connected(end);
	}
#endif
	end = make(0);
	struct name any = name(strchr(host, ':') ? "::" : "0.0.0.0", 0);
	CHECK(bind(end, &any.as.any, any.size) == 0);
	CHECK(connect(end, &echo.as.any, echo.size) == 0);
	check_connected(end);
#ifdef IPPROTO_MPTCP
	for (int flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
		end = socket(echo.as.any.sa_family, SOCK_STREAM | flags, IPPROTO_MPTCP);
		if (end < 0)
			return;
		if (flags) {
			CHECK(begin(end, &echo));
			await(end, POLLOUT);
		} else {
			CHECK(connect(end, &echo.as.any, echo.size) == 0);
		}
		check_connected(end);
		end = socket(echo.as.any.sa_family, SOCK_STREAM, IPPROTO_MPTCP);
		CHECK_FAILS(connect(end, &refused.as.any, refused.size), ECONNREFUSED);
		CHECK(close(end) == 0);
	}
#endif
}

static void *many(void *argument)
{
	(void)argument;
	for (int i = 0; i < 20; i++) {
		int end = make(i % 2 ? SOCK_NONBLOCK : 0);
		if (i % 2) {
			CHECK(begin(end, &echo));
			await(end, POLLOUT);
		} else {
			CHECK(connect(end, &echo.as.any, echo.size) == 0);
		}
		check_connected(end);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t made[8];
	for (int i = 0; i < 8; i++)
		CHECK(pthread_create(&made[i], NULL, many, NULL) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(pthread_join(made[i], NULL) == 0);
}

static void await_child(pid_t child)
{
	int status;
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

/* Whoever has the descriptor, whatever its number: what it is, is the kernel's to say. */
static void processes(void)
{
	int end = make(0), copy = dup(end);
	pid_t child = fork();
	if (child == 0)
		_exit(connect(end, &echo.as.any, echo.size) != 0);
	await_child(child);
	CHECK(close(end) == 0);
	check_connected(copy);
	end = make(SOCK_NONBLOCK);
	CHECK(begin(end, &echo));
	child = fork();
	if (child == 0) {
		await(end, POLLOUT);
		check_connected(end);
		_exit(0);
	}
	CHECK(close(end) == 0);
	await_child(child);
	end = make(0);
	child = vfork();
	if (child == 0)
		_exit(connect(end, &echo.as.any, echo.size) != 0);
	await_child(child);
	copy = fcntl(end, F_DUPFD_CLOEXEC, 100);
	CHECK(syscall(SYS_close_range, 3, 99, 0) == 0);
	check_connected(copy);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{"blocking", blocking}, {"by-number", by_number}, {"polled", polled},   {"selected", selected}, {"used", used},
		{"edges", edges},       {"arguments", arguments}, {"options", options}, {"threads", threads},
		{"processes", processes},
	};
	CHECK(argc >= 5);
	host = argv[2];
	echo = name(host, atoi(argv[3]));
	refused = name(host, atoi(argv[4]));
	native = argc > 5;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (strcmp(cases[i].name, argv[1]) == 0) {
			cases[i].run();
			return 0;
		}
	return 2;
}
