/*
 * Datagrams of every kind to two servers that echo: datagrams CASE HOST PORT PORT. On the plain system with servers of
 * this machine, under the layer with those of a target.
 */
#include "addresses.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *host;
static struct name one, two;

static int make(void)
{
	int made = socket(one.as.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(made >= 0);
	return made;
}

static void check_from(int end, const char *data, const struct name *source)
{
	struct name from = {.size = sizeof from.as};
	char got[64];
	errno = 77;
	CHECK(recvfrom(end, got, sizeof got, 0, &from.as.any, &from.size) == (ssize_t)strlen(data) && errno == 77);
	CHECK(memcmp(got, data, strlen(data)) == 0);
	CHECK(same_name(&from, source));
}

static void each(void)
{
	int end = make();
	for (int i = 0; i < 3; i++) {
		errno = 77;
		CHECK(sendto(end, "hello", 5, 0, &one.as.any, one.size) == 5 && errno == 77);
		check_from(end, "hello", &one);
		CHECK(sendto(end, "", 0, MSG_NOSIGNAL, &two.as.any, two.size) == 0);
		check_from(end, "", &two);
	}
	struct name own = own_name(end), cut = {.size = 5};
	CHECK(port_of(&own) > 0);
	CHECK(sendto(end, "again", 5, 0, &two.as.any, two.size) == 5);
	memset(&cut.as, 0xee, sizeof cut.as);
	char got[3];
	CHECK(recvfrom(end, got, 3, MSG_PEEK | MSG_TRUNC, &cut.as.any, &cut.size) == 5);
	CHECK(cut.size == two.size && memcmp(&cut.as, &two.as, 4) == 0 && ((uint8_t *)&cut.as)[5] == 0xee);
	check_from(end, "again", &two);
	CHECK_FAILS(recvfrom(end, got, 3, MSG_DONTWAIT, &cut.as.any, &cut.size), EAGAIN);
	CHECK(recvfrom(end, NULL, 0, MSG_DONTWAIT, NULL, NULL) == -1);
	CHECK_FAILS(sendto(end, NULL, 70000, 0, &one.as.any, one.size), EMSGSIZE);
	CHECK_FAILS(sendto(-1, "x", 1, 0, &one.as.any, one.size), EBADF);
	CHECK_FAILS(sendto(end, "x", 1, 0, NULL, 0), EDESTADDRREQ);
	struct name none = name(host, 0);
	CHECK_FAILS(sendto(end, "x", 1, 0, &none.as.any, none.size), EINVAL);
	CHECK(close(end) == 0);
}

static void messages(void)
{
	int yes = 1, end = make();
	char data[] = "message", got[16];
	union {
		struct cmsghdr head;
		char room[128];
	} control;
	struct name from;
	struct iovec part = {data, 7}, in = {got, sizeof got};
	struct msghdr message = {.msg_name = &one.as, .msg_namelen = one.size, .msg_iov = &part, .msg_iovlen = 1}, before;
	bool six = one.as.any.sa_family == AF_INET6;
	CHECK(setsockopt(end, SOL_SOCKET, SO_TIMESTAMP, &yes, sizeof yes) == 0);
	memcpy(&before, &message, sizeof before);
	CHECK(sendmsg(end, &message, 0) == 7);
	CHECK(memcmp(&before, &message, sizeof before) == 0);
	struct msghdr reply = {.msg_name = &from.as, .msg_namelen = sizeof from.as, .msg_iov = &in, .msg_iovlen = 1,
	                       .msg_control = &control, .msg_controllen = sizeof control};
	CHECK(recvmsg(end, &reply, 0) == 7 && memcmp(got, data, 7) == 0);
	from.size = reply.msg_namelen;
	CHECK(same_name(&from, &one) && reply.msg_name == &from.as);
	CHECK(reply.msg_controllen > 0 && CMSG_FIRSTHDR(&reply) && !(reply.msg_flags & (MSG_TRUNC | MSG_CTRUNC)));
	CHECK(syscall(SYS_sendmsg, end, &message, 0) == 7);
	in.iov_len = 3;
	reply = (struct msghdr){.msg_name = &from.as, .msg_namelen = 4, .msg_iov = &in, .msg_iovlen = 1};
	from.as.four.sin_addr.s_addr = 0x12345678;
	CHECK(syscall(SYS_recvmsg, end, &reply, 0) == 3 && reply.msg_flags & MSG_TRUNC);
	CHECK(reply.msg_namelen == one.size && memcmp(&from.as, &one.as, 4) == 0);
	CHECK(six || from.as.four.sin_addr.s_addr == 0x12345678);
	CHECK(sendmsg(end, &message, 0) == 7);
	reply = (struct msghdr){.msg_iov = &in, .msg_iovlen = 1};
	CHECK(recvmsg(end, &reply, 0) == 3);
	CHECK(close(end) == 0);
}

static void batches(void)
{
	enum { COUNT = 4 };
	int end = make();
	struct mmsghdr out[COUNT], in[COUNT];
	struct iovec parts[COUNT], rooms[COUNT];
	struct name from[COUNT];
	char data[COUNT][2], got[COUNT][8];
	memset(out, 0, sizeof out);
	memset(in, 0, sizeof in);
	for (int i = 0; i < COUNT; i++) {
		data[i][0] = (char)('a' + i);
		parts[i] = (struct iovec){data[i], 1};
		rooms[i] = (struct iovec){got[i], sizeof got[i]};
		const struct name *to = i % 2 ? &two : &one;
		out[i].msg_hdr = (struct msghdr){
			.msg_name = (void *)&to->as, .msg_namelen = to->size, .msg_iov = &parts[i], .msg_iovlen = 1};
		in[i].msg_hdr = (struct msghdr){.msg_name = &from[i].as, .msg_namelen = i == 3 ? 4 : sizeof from[i].as,
		                                .msg_iov = &rooms[i], .msg_iovlen = 1};
	}
	CHECK(sendmmsg(end, out, COUNT, 0) == COUNT);
	for (int i = 0; i < COUNT; i++)
		CHECK(out[i].msg_len == 1);
	int count = 0;
	while (count < COUNT) {
		int some = recvmmsg(end, in + count, (unsigned)(COUNT - count), MSG_WAITFORONE, NULL);
		CHECK(some > 0);
		count += some;
	}
	for (int i = 0; i < 3; i++) {
		from[i].size = in[i].msg_hdr.msg_namelen;
		CHECK(in[i].msg_len == 1 && same_name(&from[i], (got[i][0] - 'a') % 2 ? &two : &one));
	}
	CHECK(in[3].msg_hdr.msg_namelen == one.size);
	out[1].msg_hdr.msg_iov = NULL;
	out[1].msg_hdr.msg_iovlen = 70000;
	CHECK(sendmmsg(end, out, COUNT, 0) == 1); /* an error behind the first isn't told */
	CHECK_FAILS(sendmmsg(end, out + 1, 1, 0), EMSGSIZE);
	CHECK_FAILS(recvmmsg(-1, in, 1, 0, NULL), EBADF);
	CHECK(close(end) == 0);
}

static void connected(void)
{
	int end = make();
	char got[8];
	CHECK(connect(end, &one.as.any, one.size) == 0);
	struct name peer = peer_name(end), own;
	CHECK(same_name(&peer, &one));
	CHECK(send(end, "hello", 5, 0) == 5);
	check_from(end, "hello", &one);
	own = own_name(end);
	CHECK(port_of(&own) > 0 && own.as.any.sa_family == one.as.any.sa_family);
	CHECK(write(end, "hi", 2) == 2 && read(end, got, sizeof got) == 2);
	CHECK(connect(end, &two.as.any, two.size) == 0); /* elsewhere */
	peer = peer_name(end);
	CHECK(same_name(&peer, &two));
	CHECK(sendto(end, "there", 5, 0, &two.as.any, two.size) == 5);
	check_from(end, "there", &two);
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	CHECK(connect(end, &none, sizeof none) == 0);
	CHECK_FAILS(getpeername(end, &peer.as.any, &peer.size), ENOTCONN);
	CHECK(close(end) == 0);
}

typedef ssize_t (*receiver)(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);

static void fortified(void)
{
	receiver checked = (receiver)dlsym(RTLD_DEFAULT, "__recvfrom_chk");
	struct name from = {.size = sizeof from.as};
	char got[8];
	int end = make();
	if (!checked)
		return;
	CHECK(sendto(end, "hello", 5, 0, &one.as.any, one.size) == 5);
	CHECK(checked(end, got, 5, sizeof got, 0, &from.as.any, &from.size) == 5 && same_name(&from, &one));
}

static void *many(void *argument)
{
	(void)argument;
	for (int i = 0; i < 10; i++)
		each();
	return NULL;
}

static void threads(void)
{
	pthread_t made[4];
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&made[i], NULL, many, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(made[i], NULL) == 0);
}

/* So many datagrams of one socket that questions for each would show. */
static void crowd(void)
{
	int end = make();
	for (int i = 0; i < 200; i++) {
		CHECK(sendto(end, "x", 1, 0, &one.as.any, one.size) == 1);
		check_from(end, "x", &one);
	}
}

/* Between two halves the session forgets its sockets: a byte on standard output, one from standard input. */
static void forgotten(void)
{
	char go;
	int end = make();
	for (int i = 0; i < 2; i++) {
		CHECK(sendto(end, "x", 1, 0, &one.as.any, one.size) == 1);
		check_from(end, "x", &one);
		CHECK(write(1, "x", 1) == 1 && read(0, &go, 1) == 1);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{"each", each},           {"messages", messages}, {"batches", batches}, {"connected", connected},
		{"fortified", fortified}, {"threads", threads},   {"crowd", crowd},     {"forgotten", forgotten},
	};
	CHECK(argc == 5);
	host = argv[2];
	one = name(host, atoi(argv[3]));
	two = name(host, atoi(argv[4]));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (strcmp(cases[i].name, argv[1]) == 0) {
			cases[i].run();
			return 0;
		}
	return 2;
}
