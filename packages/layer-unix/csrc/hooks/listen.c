/*
 * bind, listen, accept. A program's listener is its own and on this machine; the session tells whether its port is the
 * target's too, and connects to it for each connection that comes there. A port that can't be had here is moved.
 */
#include "hook.h"
#include "network.h"

/* Binds to what an answer says. */
static int bind_moved(const struct socket_facts *socket, const struct wire_address *to)
{
	struct sockaddr_storage name;
	socklen_t length = address_write(&name, to, socket->domain);
	if (!length)
		return fail(EIO);
	int result = libc.bind(socket->descriptor, (struct sockaddr *)&name, length);
	if (result == 0)
		__atomic_add_fetch(&network_moved, 1, __ATOMIC_RELAXED);
	return result;
}

/* Asks where to bind instead. 1: `to` says; 0: as wanted, as far as the session knows; -1 with errno. */
static int ask_bind(const struct socket_facts *socket, const struct sockaddr *address, socklen_t length,
                    struct wire_address *to)
{
	struct network_answer answer;
	struct wire_address wanted;
	address_read(&wanted, address, length);
	if (network_ask(WIRE_LAYER_OPERATION_BIND, socket, 0, &wanted, sizeof wanted, 1, &answer) != 0)
		return answer.outcome == WIRE_LAYER_OUTCOME_FAILED ? -1 : 0;
	*to = answer.address;
	return answer.outcome == WIRE_LAYER_OUTCOME_DONE && to->family != 0;
}

/* Whether a bind that failed with `code` may be made elsewhere: of a listener, or of an address of the target's. */
static bool may_move(const struct socket_facts *socket, int code)
{
	uint32_t flags = network_flags();
	bool elsewhere = code == EADDRNOTAVAIL;
	if (socket->kind == SOCKET_UDP)
		return elsewhere && !(flags & TABLE_UDP_LOCAL);
	return socket->kind == SOCKET_TCP && (!(flags & TABLE_INCOMING_LOCAL) || (elsewhere && !(flags & TABLE_TCP_LOCAL)));
}

__attribute__((noinline)) static int bind_elsewhere(int descriptor, const struct sockaddr *address, socklen_t length,
                                                    int code, int error)
{
	struct socket_facts socket = socket_find(descriptor);
	struct wire_address to;
	if (!may_move(&socket, code))
		return fail(code);
	int found = ask_bind(&socket, address, length, &to);
	if (found <= 0)
		return found == 0 ? fail(code) : -1;
	int result = bind_moved(&socket, &to);
	if (result == 0)
		errno = error;
	return result;
}

/* For a listener's port that the user moved: asks before there is an error. */
__attribute__((noinline)) static int bind_asked(int descriptor, const struct sockaddr *address, socklen_t length)
{
	struct socket_facts socket = socket_find(descriptor);
	struct wire_address wanted, to;
	int error = errno;
	address_read(&wanted, address, length);
	if (socket.kind != SOCKET_TCP || wanted.port == 0)
		return libc.bind(descriptor, address, length);
	int found = ask_bind(&socket, address, length, &to);
	if (found < 0)
		return -1;
	errno = error;
	return found ? bind_moved(&socket, &to) : libc.bind(descriptor, address, length);
}

static bool is_ip(const struct sockaddr *address, socklen_t length)
{
	return may_be_memory(address) && length >= sizeof(struct sockaddr_in) &&
	       (address->sa_family == AF_INET || address->sa_family == AF_INET6);
}

static int bind_somewhere(int descriptor, const struct sockaddr *address, socklen_t length)
{
	int error = errno;
	if (network_flags() & TABLE_BINDS_ASK)
		return bind_asked(descriptor, address, length);
	int result = libc.bind(descriptor, address, length);
	if (__builtin_expect(result != 0, 0) && (errno == EADDRINUSE || errno == EACCES || errno == EADDRNOTAVAIL))
		return bind_elsewhere(descriptor, address, length, errno, error);
	return result;
}

int hook_bind(int descriptor, const struct sockaddr *address, socklen_t length)
{
	const uint32_t none = TABLE_INCOMING_LOCAL | TABLE_TCP_LOCAL | TABLE_UDP_LOCAL;
	if ((network_flags() & none) == none || !is_ip(address, length))
		return libc.bind(descriptor, address, length);
	int result = bind_somewhere(descriptor, address, length);
	if (result == 0)
		network_tell_port(descriptor);
	return result;
}

static bool is_listening(int descriptor)
{
	int value = 0;
	socklen_t size = sizeof value;
	return sys_getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value;
}

/* Tells of a listener. One that can't be the target's must not be one here either, unless it was before. */
__attribute__((noinline)) static int listen_there(int descriptor, bool before)
{
	struct socket_facts socket = socket_find(descriptor);
	struct network_answer answer;
	struct wire_address own;
	if (socket.kind != SOCKET_TCP || !socket_own(descriptor, &own))
		return 0;
	if (network_ask(WIRE_LAYER_OPERATION_LISTEN, &socket, 0, &own, sizeof own, 0, &answer) == 0)
		return 0;
	if (!before)
		sys_call2(SYS_shutdown, descriptor, SHUT_RD); /* out of LISTEN, still bound */
	return -1;
}

int hook_listen(int descriptor, int backlog)
{
	if (network_flags() & TABLE_INCOMING_LOCAL)
		return libc.listen(descriptor, backlog);
	bool before = is_listening(descriptor);
	int result = libc.listen(descriptor, backlog);
	return result == 0 ? listen_there(descriptor, before) : result;
}

/* Not inlined, as all that needs more than a look at the table. */
__attribute__((noinline)) static void tell_peer(int made, struct sockaddr *address, socklen_t *length, socklen_t room,
                                                const struct wire_address *peer)
{
	struct wire_address ends[2];
	if (network_describe(made, peer, ends))
		address_tell(address, length, room, &ends[1], address->sa_family);
}

/* In place of the session's address, which the kernel tells, puts that of who came to the target. */
static int accepted(int made, struct sockaddr *address, socklen_t *length, socklen_t room)
{
	struct wire_address peer;
	if (made < 0 || room < sizeof address->sa_family || !network_relays())
		return made;
	if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
		return made;
	if (!(*length <= room ? address_read(&peer, address, *length) : socket_peer(made, &peer)))
		return made;
	if (network_is_relayed(&peer))
		tell_peer(made, address, length, room, &peer);
	return made;
}

int hook_accept(int descriptor, struct sockaddr *address, socklen_t *length)
{
	socklen_t room = address && may_be_memory(length) ? *length : 0;
	return accepted(libc.accept(descriptor, address, length), address, length, room);
}

int hook_accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags)
{
	socklen_t room = address && may_be_memory(length) ? *length : 0;
	return accepted(libc.accept4(descriptor, address, length, flags), address, length, room);
}
