/*
 * recvfrom and its kin: a datagram that came from the session's address has the source that the target sees. While no
 * datagrams were relayed, or nobody wants to know the source, all is passed on.
 */
#include "hook.h"
#include "network.h"

/* Puts the true source of a datagram in place of one that the kernel told, of `length` bytes in `room`. */
__attribute__((noinline)) static void tell_source(int descriptor, const struct sockaddr *source, socklen_t size,
                                                  struct sockaddr *to, socklen_t *length, socklen_t room)
{
	struct wire_address peer, ends[2];
	if (!address_read(&peer, source, size) || !network_is_relayed(&peer))
		return;
	if (network_describe(descriptor, &peer, ends))
		address_tell(to, length, room, &ends[1], source->sa_family);
}

/* Whether sources have to be looked at. */
static bool concerns(const void *source)
{
	return __builtin_expect(may_be_memory(source) && network_relayed_datagrams(), 0);
}

/* Gives a caller the source that came into our own room. */
static void hand_over(int descriptor, const struct sockaddr_storage *name, socklen_t size, struct sockaddr *source,
                      socklen_t *length, socklen_t room)
{
	memcpy(source, name, size < room ? size : room);
	*length = size;
	tell_source(descriptor, (const struct sockaddr *)name, size, source, length, room);
}

ssize_t hook_recvfrom(int descriptor, void *data, size_t size, int flags, struct sockaddr *source, socklen_t *length)
{
	struct sockaddr_storage name;
	socklen_t name_size = sizeof name;
	if (!concerns(source) || !may_be_memory(length) || (int)*length < 0)
		return network_told(descriptor, libc.recvfrom(descriptor, data, size, flags, source, length));
	ssize_t result = libc.recvfrom(descriptor, data, size, flags, (struct sockaddr *)&name, &name_size);
	if (result < 0)
		return network_told(descriptor, result);
	hand_over(descriptor, &name, name_size, source, length, *length);
	return result;
}

ssize_t hook___recvfrom_chk(int descriptor, void *data, size_t size, size_t room, int flags, struct sockaddr *source,
                            socklen_t *length)
{
	if (!concerns(source) || size > room) /* libc ends the program */
		return libc.__recvfrom_chk(descriptor, data, size, room, flags, source, length);
	return hook_recvfrom(descriptor, data, size, flags, source, length);
}

ssize_t hook_recvmsg(int descriptor, struct msghdr *message, int flags)
{
	struct sockaddr_storage name;
	if (!may_be_memory(message) || !concerns(message->msg_name) || (int)message->msg_namelen < 0)
		return network_told(descriptor, libc.recvmsg(descriptor, message, flags));
	struct msghdr copy = *message;
	copy.msg_name = &name;
	copy.msg_namelen = sizeof name;
	ssize_t result = libc.recvmsg(descriptor, &copy, flags);
	if (result < 0)
		return network_told(descriptor, result);
	message->msg_controllen = copy.msg_controllen;
	message->msg_flags = copy.msg_flags;
	hand_over(descriptor, &name, copy.msg_namelen, message->msg_name, &message->msg_namelen, message->msg_namelen);
	return result;
}

enum { MOST = 1024 }; /* UIO_MAXIOV, the kernel's limit */

/* The kernel fills the caller's structures; how much room there was for each source must be known from before. */
__attribute__((noinline)) static int receive_many(int descriptor, struct mmsghdr *messages, unsigned count, int flags,
                                                  struct timespec *limit)
{
	uint8_t rooms[MOST];
	count = count < MOST ? count : MOST;
	for (unsigned i = 0; i < count; i++) {
		socklen_t room = messages[i].msg_hdr.msg_name ? messages[i].msg_hdr.msg_namelen : 0;
		rooms[i] = room < UINT8_MAX ? (uint8_t)room : UINT8_MAX;
	}
	int result = libc.recvmmsg(descriptor, messages, count, flags, limit);
	for (int i = 0; i < result; i++) {
		struct msghdr *message = &messages[i].msg_hdr;
		struct sockaddr *source = message->msg_name;
		if (rooms[i] >= message->msg_namelen) /* a source that was cut can't be told from others */
			tell_source(descriptor, source, message->msg_namelen, source, &message->msg_namelen, rooms[i]);
	}
	return result;
}

int hook_recvmmsg(int descriptor, struct mmsghdr *messages, unsigned count, int flags, struct timespec *limit)
{
	if (!concerns(messages))
		return libc.recvmmsg(descriptor, messages, count, flags, limit);
	return receive_many(descriptor, messages, count, flags, limit);
}
