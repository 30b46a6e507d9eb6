/*
 * One question to the session and its answer: the only file that talks to it. Each question brings its own channel, so
 * nothing is kept between two of them and threads, forked and vforked children need no care. docs/layer.md has the
 * format; the session's end is in Python.
 */
#include "layer.h"
#include "sys.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>

enum { TYPE = SOCK_SEQPACKET | SOCK_CLOEXEC };

/* A new connection by the session's abstract socket, at a high number. Negative: the session is gone, or EMFILE. */
static int reconnect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	size_t length = strlen(layer.name);
	long low = sys_socket(AF_UNIX, TYPE, 0);
	if (low < 0)
		return (int)low;
	memcpy(address.sun_path + 1, layer.name, length);
	long result;
	do
		result = sys_connect((int)low, &address, offsetof(struct sockaddr_un, sun_path) + 1 + length);
	while (result == -EINTR);
	if (result == 0 || result == -EISCONN) {
		int high = descriptor_high((int)low);
		result = high;
		if (high >= 0 && sys_fstat(high, &status) == 0)
			__atomic_store_n(&layer.link, descriptor_pack(high, status.st_ino), __ATOMIC_RELAXED);
	}
	sys_close((int)low);
	return (int)result;
}

int link_find(void)
{
	uint64_t link = __atomic_load_n(&layer.link, __ATOMIC_RELAXED);
	if (descriptor_holds(link))
		return descriptor_number(link);
	if (layer.home != link && descriptor_holds(layer.home)) {
		__atomic_store_n(&layer.link, layer.home, __ATOMIC_RELAXED);
		return descriptor_number(layer.home);
	}
	return reconnect();
}

/* A pair above the numbers of the standard streams, which may be closed. */
static long make_pair(int pair[2])
{
	long result = sys_socketpair(AF_UNIX, TYPE, 0, pair);
	for (int i = 0; result == 0 && i < 2; i++) {
		if (pair[i] > 2)
			continue;
		long other = sys_fcntl(pair[i], F_DUPFD_CLOEXEC, 3);
		if (other < 0) {
			sys_close(pair[0]);
			sys_close(pair[1]);
			return other;
		}
		sys_close(pair[i]);
		pair[i] = (int)other;
	}
	return result;
}

static long send_request(int link, int channel, const struct layer_request *request, const void *payload, size_t size)
{
	uint8_t message[LAYER_REQUEST_SIZE];
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.room = {0}};
	struct iovec parts[] = {{message, sizeof message}, {(void *)(uintptr_t)payload, size}};
	struct msghdr packet = {.msg_iov = parts,
	                        .msg_iovlen = size ? 2 : 1,
	                        .msg_control = &control,
	                        .msg_controllen = sizeof control.room};
	long result;
	layer_request_write(message, request);
	control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.header), &channel, sizeof channel);
	do
		result = sys_sendmsg(link, &packet, MSG_NOSIGNAL);
	while (result == -EINTR);
	return result;
}

/* To the lowest free number, where POSIX puts new descriptors; while it was received the channel was in the way. */
static int settle(int descriptor)
{
	long lowest = sys_fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
	if (lowest < 0)
		return descriptor;
	if (lowest > descriptor) {
		sys_close((int)lowest);
		return descriptor;
	}
	sys_close(descriptor);
	return (int)lowest;
}

static void take_descriptors(struct msghdr *packet, int descriptors[2])
{
	int count = 0;
	for (struct cmsghdr *header = CMSG_FIRSTHDR(packet); header; header = CMSG_NXTHDR(packet, header)) {
		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		size_t many = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < many; i++) {
			int descriptor;
			memcpy(&descriptor, CMSG_DATA(header) + i * sizeof descriptor, sizeof descriptor);
			if (count < 2)
				descriptors[count++] = descriptor;
			else
				sys_close(descriptor);
		}
	}
}

static void drop_descriptors(int descriptors[2])
{
	for (int i = 0; i < 2; i++) {
		if (descriptors[i] >= 0)
			sys_close(descriptors[i]);
		descriptors[i] = -1;
	}
}

/*
 * Waits for the answer. The link is watched beside the channel: the channel's other end may live on in a child that was
 * forked while we sent it, and then the session's death shows on the link alone. Returns 0 or an errno.
 */
static int receive(int link, int channel, struct answer *answer, void *room, size_t room_size)
{
	uint8_t message[LAYER_REPLY_SIZE];
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec parts[] = {{message, sizeof message}, {room, room_size}};
	struct msghdr packet = {.msg_iov = parts,
	                        .msg_iovlen = room_size ? 2 : 1,
	                        .msg_control = &control,
	                        .msg_controllen = sizeof control.room};
	struct pollfd ends[] = {{channel, POLLIN, 0}, {link, 0, 0}};
	long result;
	do {
		if (ends[1].revents & POLLNVAL) /* closed under our hands: the channel must do */
			ends[1].fd = -1;
		result = sys_poll(ends, 2);
	} while (result == -EINTR || (result > 0 && !ends[0].revents && ends[1].revents & POLLNVAL));
	if (result < 0 || !ends[0].revents)
		return EIO;
	do
		result = sys_recvmsg(channel, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (result == -EINTR);
	if (result <= 0)
		return result == -EFAULT ? EFAULT : EIO;
	take_descriptors(&packet, answer->descriptors);
	if (packet.msg_flags & MSG_CTRUNC)
		return EMFILE;
	if (packet.msg_flags & MSG_TRUNC)
		return EOVERFLOW;
	if (!layer_reply_read(message, (size_t)result, &answer->reply))
		return EIO;
	if (answer->reply.payload != (size_t)result - sizeof message)
		return EIO;
	if (answer->reply.outcome == WIRE_LAYER_OUTCOME_FAILED)
		return errno_number(answer->reply.errno_code);
	return answer->reply.outcome <= WIRE_LAYER_OUTCOME_LOCAL ? 0 : EIO;
}

void link_tell(const struct layer_request *request, const void *payload, size_t payload_size)
{
	struct layer_request sent = *request;
	int pair[2], link = link_find();
	sent.payload = (uint16_t)payload_size;
	sent.process = (uint32_t)sys_getpid();
	if (link < 0 || make_pair(pair) < 0)
		return;
	send_request(link, pair[1], &sent, payload, payload_size);
	sys_close(pair[0]);
	sys_close(pair[1]);
}

int link_ask(const struct layer_request *request, const void *payload, size_t payload_size, struct answer *answer,
             void *room, size_t room_size)
{
	struct layer_request sent = *request;
	int pair[2];
	answer->descriptors[0] = answer->descriptors[1] = -1;
	sent.payload = (uint16_t)payload_size;
	sent.process = (uint32_t)sys_getpid();
	int link = link_find();
	if (link < 0)
		return fail(link == -EMFILE || link == -ENFILE ? -link : EIO);
	long result = make_pair(pair);
	if (result < 0)
		return fail(result == -EMFILE || result == -ENFILE || result == -ENOMEM ? (int)-result : EIO);
	result = send_request(link, pair[1], &sent, payload, payload_size);
	sys_close(pair[1]);
	int code = result == -ETOOMANYREFS ? EMFILE : result < 0 ? EIO : receive(link, pair[0], answer, room, room_size);
	sys_close(pair[0]);
	if (code) {
		drop_descriptors(answer->descriptors);
		return fail(code);
	}
	for (int i = 0; i < 2; i++)
		if (answer->descriptors[i] >= 0)
			answer->descriptors[i] = settle(answer->descriptors[i]);
	return 0;
}
