/* Connects and datagrams that are not what they were, or must not be: unusual CASE HOST PORT. Only under the layer. */
#include "addresses.h"

#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

static struct name there;

static void check_echo(int end)
{
	char got[5];
	CHECK(send(end, "hello", 5, MSG_NOSIGNAL) == 5);
	CHECK(recv(end, got, 5, MSG_WAITALL) == 5 && memcmp(got, "hello", 5) == 0);
}

/* Data with the first segment: refused as where it is switched off, so that programs connect first. */
static void fast_open(void)
{
	int end = socket(there.as.any.sa_family, SOCK_STREAM, 0);
	struct iovec part = {(void *)"hi", 2};
	struct msghdr message = {
		.msg_name = &there.as, .msg_namelen = there.size, .msg_iov = &part, .msg_iovlen = 1};
	CHECK_FAILS(sendto(end, "hi", 2, MSG_FASTOPEN, &there.as.any, there.size), EOPNOTSUPP);
	CHECK_FAILS(sendmsg(end, &message, MSG_FASTOPEN), EOPNOTSUPP);
	CHECK(connect(end, &there.as.any, there.size) == 0);
	CHECK_FAILS(sendto(end, "hi", 2, MSG_FASTOPEN, &there.as.any, there.size), EISCONN);
	check_echo(end);
}

/* A connect that this machine answers: the program reaches what listens here. */
static void here(void)
{
	int end = socket(there.as.any.sa_family, SOCK_STREAM, 0);
	CHECK(connect(end, &there.as.any, there.size) == 0);
	check_echo(end);
	CHECK(close(end) == 0);
}

static void no_ipv6(void)
{
	CHECK_FAILS(socket(AF_INET6, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_FAILS(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), EAFNOSUPPORT);
	CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

/* Sockets that reach IPv6 alone: by an option, or by what they are bound to. */
static void six_only(void)
{
	int yes = 1, end = socket(AF_INET6, SOCK_STREAM, 0);
	struct name loopback = name("::1", 0);
	CHECK(setsockopt(end, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) == 0);
	CHECK(connect(end, &there.as.any, there.size) == 0);
	struct name peer = peer_name(end);
	CHECK(same_name(&peer, &there));
	check_echo(end);
	end = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(bind(end, &loopback.as.any, loopback.size) == 0);
	CHECK(connect(end, &there.as.any, there.size) == 0);
	check_echo(end);
}

static socklen_t unix_name(struct sockaddr_un *made, const char *path)
{
	memset(made, 0, sizeof *made);
	made->sun_family = AF_UNIX;
	size_t size = strlen(path + (path[0] == '@')) + (path[0] == '@');
	memcpy(made->sun_path, path, size);
	if (path[0] == '@')
		made->sun_path[0] = 0;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] != '@'));
}

/* Unix streams: /run/there and an abstract one are the target's, /run/nothing is nobody's. */
static void unix_streams(void)
{
	const char *paths[] = {"/run/there.sock", "@there"};
	struct sockaddr_un to, peer;
	for (int i = 0; i < 2; i++) {
		int end = socket(AF_UNIX, SOCK_STREAM | (i ? SOCK_NONBLOCK : 0), 0);
		socklen_t size = unix_name(&to, paths[i]), got = sizeof peer;
		errno = 77;
		CHECK(connect(end, (struct sockaddr *)&to, size) == 0 && errno == 77);
		CHECK(getpeername(end, (struct sockaddr *)&peer, &got) == 0 && got == size);
		CHECK(memcmp(&peer, &to, size) == 0);
		got = 4;
		memset(&peer, 0xee, sizeof peer);
		CHECK(getpeername(end, (struct sockaddr *)&peer, &got) == 0 && got == size);
		CHECK(memcmp(&peer, &to, 4) == 0 && ((uint8_t *)&peer)[4] == 0xee);
		CHECK_FAILS(connect(end, (struct sockaddr *)&to, size), EISCONN);
		if (i == 0)
			check_echo(end);
		CHECK(close(end) == 0);
	}
	int end = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t size = unix_name(&to, "/run/nothing.sock");
	CHECK_FAILS(connect(end, (struct sockaddr *)&to, size), ENOENT);
	CHECK_FAILS(connect(end, (struct sockaddr *)&to, 2), EINVAL);
	CHECK_FAILS(connect(end, (struct sockaddr *)&to, sizeof to + 1), EINVAL);
	int pair[2];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	socklen_t got = sizeof peer;
	CHECK(getpeername(pair[0], (struct sockaddr *)&peer, &got) == 0 && got == 2);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{"fast-open", fast_open}, {"here", here}, {"no-ipv6", no_ipv6}, {"six-only", six_only}, {"unix", unix_streams},
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
