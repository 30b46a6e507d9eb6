/*
 * getsockname and getpeername: the kernel's answer first, then, of a socket whose other end is the session's, how the
 * target sees it. A bound socket that had to go elsewhere tells where it was wanted.
 */
#include "hook.h"
#include "network.h"

#include "table.h"

/* A socket's address that the kernel has told into a caller's room: whole, or asked for again if it was cut. */
static bool told(long (*call)(int, void *, socklen_t *), int descriptor, struct sockaddr *address, socklen_t length,
                 socklen_t room, struct sockaddr_storage *name)
{
	socklen_t size = sizeof *name;
	if (length <= room && length <= sizeof *name) {
		memcpy(name, address, length);
		return length >= sizeof name->ss_family;
	}
	return call(descriptor, name, &size) == 0;
}

/* A bound socket without a peer may be wanted elsewhere: one of this process was, or it is a listener of the session's. */
static bool may_be_moved(int descriptor, const struct wire_address *own)
{
	const struct table *table = layer.shared;
	int listens = 0;
	socklen_t size = sizeof listens;
	if (own->port == 0 || network_flags() & TABLE_INCOMING_LOCAL)
		return false;
	if (__atomic_load_n(&network_moved, __ATOMIC_RELAXED))
		return true;
	return table && table_owns(table, layer.shared_size, own->port) &&
	       sys_getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

__attribute__((noinline)) static void tell_own(int descriptor, struct sockaddr *address, socklen_t *length,
                                               socklen_t room)
{
	struct sockaddr_storage name;
	struct wire_address own, peer, ends[2];
	if (!told(sys_getsockname, descriptor, address, *length, room, &name))
		return;
	if (!address_read(&own, (struct sockaddr *)&name, sizeof name))
		return;
	bool ours = socket_peer(descriptor, &peer) ? network_is_relayed(&peer) : may_be_moved(descriptor, &own);
	if (ours && network_describe(descriptor, &peer, ends))
		address_tell(address, length, room, &ends[0], name.ss_family);
}

int hook_getsockname(int descriptor, struct sockaddr *address, socklen_t *length)
{
	bool free = !network_relays() && !network_relayed_datagrams() && network_flags() & TABLE_INCOMING_LOCAL;
	socklen_t room = address && may_be_memory(length) && !free ? *length : 0;
	int result = libc.getsockname(descriptor, address, length);
	if (result == 0 && room)
		tell_own(descriptor, address, length, room);
	return result;
}

/* Of a Unix stream: where the program wanted to connect to. */
static void tell_path(int descriptor, struct sockaddr *address, socklen_t *length, socklen_t room)
{
	struct socket_facts socket = socket_find(descriptor);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct network_answer answer;
	int error = errno;
	if (socket.kind != SOCKET_UNIX ||
	    network_ask(WIRE_LAYER_OPERATION_DESCRIBE, &socket, 0, NULL, 0, 0, &answer) != 0 ||
	    answer.outcome != WIRE_LAYER_OUTCOME_DONE || !answer.size || answer.size > sizeof name.sun_path) {
		errno = error;
		return;
	}
	memcpy(name.sun_path, answer.payload, answer.size);
	size_t size = offsetof(struct sockaddr_un, sun_path) + answer.size;
	size += name.sun_path[0] && answer.size < sizeof name.sun_path; /* the kernel counts a path's NUL */
	memcpy(address, &name, size < room ? size : room);
	*length = (socklen_t)size;
}

__attribute__((noinline)) static void tell_peer(int descriptor, struct sockaddr *address, socklen_t *length,
                                                socklen_t room)
{
	struct sockaddr_storage name;
	struct wire_address peer, ends[2];
	if (!told(sys_getpeername, descriptor, address, *length, room, &name))
		return;
	if (name.ss_family == AF_UNIX) {
		const struct sockaddr_un *path = (const struct sockaddr_un *)&name;
		bool abstract = *length > offsetof(struct sockaddr_un, sun_path) && !path->sun_path[0];
		if (abstract && !(network_flags() & TABLE_UNIX_LOCAL))
			tell_path(descriptor, address, length, room);
		return;
	}
	if (address_read(&peer, (struct sockaddr *)&name, sizeof name) && network_is_relayed(&peer) &&
	    network_describe(descriptor, &peer, ends))
		address_tell(address, length, room, &ends[1], name.ss_family);
}

int hook_getpeername(int descriptor, struct sockaddr *address, socklen_t *length)
{
	bool free = !network_relays() && !network_relayed_datagrams() && network_flags() & TABLE_UNIX_LOCAL;
	socklen_t room = address && may_be_memory(length) && !free ? *length : 0;
	int result = libc.getpeername(descriptor, address, length);
	if (result == 0 && room)
		tell_peer(descriptor, address, length, room);
	return result;
}
