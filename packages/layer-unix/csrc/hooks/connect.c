/*
 * socket and connect, and how a connect ended. The program's socket is connected to an address of the session's on this
 * machine, by the kernel, in all cases: so poll, signals, time limits and a second connect are the kernel's business.
 *
 * The session's listener doesn't answer until the target has. Then both ends are connected at once (a simultaneous
 * open), or the program's is reset without ever having been connected. What is left to say is the target's errno.
 */
#include "hook.h"
#include "known.h"
#include "network.h"

#include <netinet/tcp.h>

#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif

int hook_socket(int domain, int type, int protocol)
{
	if (__builtin_expect(domain == AF_INET6 && network_flags() & TABLE_IPV6_OFF, 0))
		return fail(EAFNOSUPPORT);
	return libc.socket(domain, type, protocol);
}

/*
 * Fails as a connect that was begun: a wait that was broken off leaves it going, and of an error that SO_ERROR took away
 * nothing is known but that there was one (ECONNABORTED).
 */
__attribute__((noinline)) static int begun(const struct socket_facts *socket, int code)
{
	if (code == EINTR || code == EALREADY || code == EISCONN || code == EINPROGRESS || code == ECONNABORTED)
		return fail(code);
	return fail(network_outcome(socket, code));
}

/*
 * Begins to connect a blocking socket without waiting. Where fast open is switched off the socket is made one that
 * doesn't block for a moment; else nobody can see a change, nor jump out of it by a signal.
 */
static long begin(int descriptor, const void *address, socklen_t length)
{
	long result = sys_sendto(descriptor, NULL, 0, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL, address, length);
	if (result != -EOPNOTSUPP)
		return result;
	long flags = sys_fcntl(descriptor, F_GETFL, 0);
	sys_fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
	result = sys_connect(descriptor, address, length);
	sys_fcntl(descriptor, F_SETFL, flags);
	return result;
}

/* Connects to a listener that answers when the target has. */
static int connect_held(const struct socket_facts *socket, const struct wire_address *to, bool blocking)
{
	struct sockaddr_storage name;
	struct wire_address own;
	socklen_t length = address_write(&name, to, socket->domain);
	if (!length)
		return fail(EIO);
	long result = blocking ? begin(socket->descriptor, &name, length) : sys_connect(socket->descriptor, &name, length);
	if (result != -EINPROGRESS)
		return result < 0 ? begun(socket, (int)-result) : (int)settled(result);
	if (socket_own(socket->descriptor, &own)) {
		struct known_key key = {.inode = socket->inode, .kind = KNOWN_ENDS, .port = own.port, .peer = *to};
		known_forget(&key);
		network_tell(WIRE_LAYER_OPERATION_CONNECTING, socket, &own, sizeof own);
	}
	if (!blocking)
		return fail(EINPROGRESS);
	int error = errno;
	if (libc.connect(socket->descriptor, (struct sockaddr *)&name, length) == 0) {
		errno = error;
		return 0;
	}
	return errno == EALREADY ? fail(EINPROGRESS) : begun(socket, errno); /* SO_SNDTIMEO */
}

/*
 * Whether a stream's connect was begun before; then `*result` is what the kernel says of it. An address too short is
 * looked at only by a connect that is the first, which it makes fail and leaves undone.
 */
static bool was_begun(const struct socket_facts *socket, int *result)
{
	const struct sockaddr none = {.sa_family = (sa_family_t)socket->domain};
	int error = errno;
	*result = libc.connect(socket->descriptor, &none, sizeof none.sa_family);
	if (*result == 0 || errno != EINVAL) {
		if (*result == 0)
			errno = error;
		else
			*result = begun(socket, errno);
		return true;
	}
	errno = error;
	return false;
}

/* The real connect, to where an answer says, or as the program wants it. */
static int connect_to(const struct socket_facts *socket, const struct wire_address *to, const struct sockaddr *wanted,
                      socklen_t wanted_length)
{
	struct sockaddr_storage name;
	socklen_t length = address_write(&name, to, socket->domain);
	if (to->family == 0)
		return libc.connect(socket->descriptor, wanted, wanted_length);
	return length ? libc.connect(socket->descriptor, (struct sockaddr *)&name, length) : fail(EIO);
}

__attribute__((noinline)) static int connect_ip(int descriptor, const struct sockaddr *address, socklen_t length)
{
	struct socket_facts socket = socket_find(descriptor);
	struct network_answer answer;
	struct wire_address to;
	uint32_t flags = 0;
	int result;
	bool stream = socket.kind == SOCKET_TCP, foreign = address->sa_family != socket.domain;
	if (socket.kind == SOCKET_OTHER || socket.kind == SOCKET_UNIX || (foreign && (stream || socket.domain == AF_INET)) ||
	    network_flags() & (stream ? TABLE_TCP_LOCAL : TABLE_UDP_LOCAL))
		return libc.connect(descriptor, address, length);
	if (stream && was_begun(&socket, &result))
		return result;
	/* In a simultaneous open, MPTCP loses a byte: then the session answers when the target has. */
	bool held = stream && socket.protocol != IPPROTO_MPTCP;
	long mode = sys_fcntl(descriptor, F_GETFL, 0);
	if (held || (mode & O_NONBLOCK && !stream))
		flags |= 1u << WIRE_LAYER_SOCKET_NON_BLOCKING;
	address_read(&to, address, length);
	if (network_ask(WIRE_LAYER_OPERATION_CONNECT, &socket, flags, &to, sizeof to, 1, &answer) != 0)
		return -1;
	if (answer.outcome == WIRE_LAYER_OUTCOME_DONE && held)
		return connect_held(&socket, &answer.address, !(mode & O_NONBLOCK));
	if (answer.outcome == WIRE_LAYER_OUTCOME_DONE && !answer.address.family)
		return fail(EIO);
	result = connect_to(&socket, &answer.address, address, length);
	if (result == 0 && answer.outcome == WIRE_LAYER_OUTCOME_LOCAL)
		network_tell_port(descriptor);
	return result;
}

/* A path as long as it is, or NUL and an abstract name: what a payload holds. */
static size_t path_size(const struct sockaddr_un *address, socklen_t length)
{
	size_t size = length - offsetof(struct sockaddr_un, sun_path);
	return address->sun_path[0] ? strnlen(address->sun_path, size) : size;
}

__attribute__((noinline)) static int connect_unix(int descriptor, const struct sockaddr *address, socklen_t length)
{
	struct socket_facts socket = socket_find(descriptor);
	struct network_answer answer;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	const struct sockaddr_un *to = (const struct sockaddr_un *)address;
	uint32_t flags = 0;
	socklen_t room = sizeof name;
	if (socket.kind != SOCKET_UNIX || length > sizeof name)
		return libc.connect(descriptor, address, length);
	if (sys_getpeername(descriptor, &name, &room) == 0)
		return fail(EISCONN);
	if (sys_fcntl(descriptor, F_GETFL, 0) & O_NONBLOCK)
		flags |= 1u << WIRE_LAYER_SOCKET_NON_BLOCKING;
	if (network_ask(WIRE_LAYER_OPERATION_CONNECT, &socket, flags, to->sun_path, path_size(to, length), 0, &answer) != 0)
		return -1;
	if (answer.outcome == WIRE_LAYER_OUTCOME_LOCAL && !answer.size)
		return libc.connect(descriptor, address, length);
	if (!answer.size || answer.size > sizeof name.sun_path)
		return fail(EIO);
	name.sun_family = AF_UNIX;
	memcpy(name.sun_path, answer.payload, answer.size);
	size_t end = offsetof(struct sockaddr_un, sun_path) + answer.size;
	return libc.connect(descriptor, (struct sockaddr *)&name, (socklen_t)end);
}

int hook_connect(int descriptor, const struct sockaddr *address, socklen_t length)
{
	if (network_passes(address, length))
		return libc.connect(descriptor, address, length);
	return address->sa_family == AF_UNIX ? connect_unix(descriptor, address, length)
	                                     : connect_ip(descriptor, address, length);
}

/* Not inlined: there is an error, and it may be one of the target's. */
__attribute__((noinline)) static int explain(int descriptor, int code)
{
	struct socket_facts socket = socket_find(descriptor);
	int error = errno;
	if (socket.kind == SOCKET_TCP)
		code = network_outcome(&socket, code);
	errno = error;
	return code;
}

int hook_getsockopt(int descriptor, int level, int name, void *value, socklen_t *length)
{
	int result = libc.getsockopt(descriptor, level, name, value, length), code;
	if (__builtin_expect(level != SOL_SOCKET || name != SO_ERROR || result != 0, 1) || *length < sizeof code)
		return result;
	memcpy(&code, value, sizeof code);
	if (code != 0 && network_relays()) {
		code = explain(descriptor, code);
		memcpy(value, &code, sizeof code);
	}
	return result;
}
