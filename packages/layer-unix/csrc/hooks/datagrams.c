/*
 * sendto and its kin: a datagram of a socket that isn't connected goes to the session's address that stands for its
 * destination. The program's structures are only read: what differs is in copies.
 */
#include "hook.h"
#include "known.h"
#include "network.h"

#include <time.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

enum { KEPT = 25 }; /* seconds since the last datagram; the session keeps a destination for 30 */

static uint64_t seconds(void)
{
	struct timespec now = {0, 0};
	sys_call2(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, (long)&now);
	return (uint64_t)now.tv_sec;
}

/* Whether a destination is passed on at once. */
static bool passes(const struct sockaddr *to, socklen_t length, int flags)
{
	if (network_passes(to, length) || to->sa_family == AF_UNIX)
		return true;
	return !(flags & MSG_FASTOPEN) && network_flags() & TABLE_UDP_LOCAL;
}

/* The socket's own address, bound now if it wasn't: the session must know where answers go to. */
static void bind_own(const struct socket_facts *socket, struct wire_address *own)
{
	struct sockaddr_storage any;
	const struct wire_address unspecified = {.family = 4};
	if (socket_own(socket->descriptor, own) && own->port)
		return;
	socklen_t length = socket->domain == AF_INET ? address_write(&any, &unspecified, AF_INET) : sizeof(struct sockaddr_in6);
	if (socket->domain == AF_INET6) /* :: and not ::ffff:0.0.0.0, which would be IPv4 alone */
		*(struct sockaddr_in6 *)&any = (struct sockaddr_in6){.sin6_family = AF_INET6};
	sys_bind(socket->descriptor, &any, length);
	socket_own(socket->descriptor, own);
}

static bool recall(const struct known_key *key, struct known *known)
{
	uint64_t now = seconds();
	if (!known_recall(key, known) || now - known->time > KEPT)
		return false;
	if (known->peer.family && address_is_loopback(&known->peer) && !network_is_relayed(&known->peer))
		return false;
	if (known->time != now) {
		known->time = now;
		known_remember(key, known);
	}
	return true;
}

/* Where a datagram goes: 1, to `moved`; 0, where the program wants; -1 with errno. Keeps errno else. */
__attribute__((noinline)) static int place(int descriptor, const struct sockaddr *to, socklen_t length, int flags,
                                           struct sockaddr_storage *moved, socklen_t *moved_length)
{
	struct socket_facts socket = socket_find(descriptor);
	struct wire_address ends[2];
	struct network_answer answer;
	struct known known = {.time = 0};
	if (socket.kind == SOCKET_TCP && flags & MSG_FASTOPEN && !(network_flags() & TABLE_TCP_LOCAL))
		return socket_peer(descriptor, &ends[1]) ? 0 : fail(EOPNOTSUPP); /* as if it were switched off */
	if (socket.kind != SOCKET_UDP || network_flags() & TABLE_UDP_LOCAL || !address_read(&ends[1], to, length))
		return 0;
	bind_own(&socket, &ends[0]);
	struct known_key key = {
		.inode = socket.inode, .kind = KNOWN_DESTINATION, .port = ends[0].port, .peer = ends[1]};
	if (!recall(&key, &known)) {
		if (network_ask(WIRE_LAYER_OPERATION_SEND, &socket, 0, ends, sizeof ends, 1, &answer) != 0)
			return -1;
		known.peer = answer.address;
		known.time = seconds();
		if (answer.outcome == WIRE_LAYER_OUTCOME_DONE ? known.peer.family != 0 : !address_is_loopback(&ends[1]))
			known_remember(&key, &known);
	}
	if (!known.peer.family)
		return 0;
	*moved_length = address_write(moved, &known.peer, socket.domain);
	return *moved_length ? 1 : fail(EIO);
}

/* Not inlined: the room for an address. */
__attribute__((noinline)) static ssize_t send_moved(int descriptor, const void *data, size_t size, int flags,
                                                    const struct sockaddr *to, socklen_t length)
{
	struct sockaddr_storage moved;
	switch (place(descriptor, to, length, flags, &moved, &length)) {
	case 0:
		return network_told(descriptor, libc.sendto(descriptor, data, size, flags, to, length));
	case 1:
		return network_told(descriptor, libc.sendto(descriptor, data, size, flags, (struct sockaddr *)&moved, length));
	default:
		return -1;
	}
}

ssize_t hook_sendto(int descriptor, const void *data, size_t size, int flags, const struct sockaddr *to,
                    socklen_t length)
{
	if (passes(to, length, flags))
		return network_told(descriptor, libc.sendto(descriptor, data, size, flags, to, length));
	return send_moved(descriptor, data, size, flags, to, length);
}

__attribute__((noinline)) static ssize_t send_message_moved(int descriptor, const struct msghdr *message, int flags)
{
	struct sockaddr_storage moved;
	struct msghdr copy = *message;
	switch (place(descriptor, message->msg_name, message->msg_namelen, flags, &moved, &copy.msg_namelen)) {
	case 0:
		return network_told(descriptor, libc.sendmsg(descriptor, message, flags));
	case 1:
		copy.msg_name = &moved;
		return network_told(descriptor, libc.sendmsg(descriptor, &copy, flags));
	default:
		return -1;
	}
}

ssize_t hook_sendmsg(int descriptor, const struct msghdr *message, int flags)
{
	if (!may_be_memory(message) || passes(message->msg_name, message->msg_namelen, flags))
		return network_told(descriptor, libc.sendmsg(descriptor, message, flags));
	return send_message_moved(descriptor, message, flags);
}

/* One by one, as the kernel does it: an error counts only if nothing was sent before it. */
__attribute__((noinline)) static int send_each(int descriptor, struct mmsghdr *messages, unsigned count, int flags)
{
	int error = errno;
	for (unsigned i = 0; i < count; i++) {
		ssize_t sent = hook_sendmsg(descriptor, &messages[i].msg_hdr, flags);
		if (sent < 0) {
			if (!i)
				return -1;
			errno = error;
			return (int)i;
		}
		messages[i].msg_len = (unsigned)sent;
	}
	return (int)count;
}

int hook_sendmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags)
{
	if (count > 1024) /* UIO_MAXIOV, the kernel's limit */
		count = 1024;
	for (unsigned i = 0; may_be_memory(messages) && i < count; i++)
		if (!passes(messages[i].msg_hdr.msg_name, messages[i].msg_hdr.msg_namelen, flags))
			return send_each(descriptor, messages, count, flags);
	return libc.sendmmsg(descriptor, messages, count, flags);
}
