/* What the hooks of sockets share: see network.h. System calls are our own; nothing is locked or allocated. */
#include "network.h"

#include "known.h"
#include "sys.h"

#include <errno.h>
#include <string.h>

uint32_t network_moved;

uint32_t network_flags(void)
{
	const struct table *table = layer.shared;
	return table ? table->network : 0;
}

uint32_t network_relays(void)
{
	const struct table *table = layer.shared;
	return table ? __atomic_load_n(&table->relays, __ATOMIC_ACQUIRE) : 0;
}

uint32_t network_relayed_datagrams(void)
{
	const struct table *table = layer.shared;
	return table ? __atomic_load_n(&table->relayed_datagrams, __ATOMIC_ACQUIRE) : 0;
}

bool network_is_relayed(const struct wire_address *peer)
{
	const struct table *table = layer.shared;
	return table && address_is_loopback(peer) && table_relays(table, layer.shared_size, peer->port);
}

bool network_passes(const struct sockaddr *address, socklen_t length)
{
	const struct table *table = layer.shared;
	const uint32_t locals = TABLE_TCP_LOCAL | TABLE_UDP_LOCAL;
	uint32_t flags = network_flags();
	struct wire_address to;
	if (!may_be_memory(address) || length < sizeof address->sa_family)
		return true;
	if (address->sa_family == AF_UNIX)
		return flags & TABLE_UNIX_LOCAL || length <= offsetof(struct sockaddr_un, sun_path);
	if ((address->sa_family != AF_INET && address->sa_family != AF_INET6) || (flags & locals) == locals)
		return true;
	if (!address_read(&to, address, length) || to.port == 0 || address_is_many(&to))
		return true;
	return address_is_loopback(&to) &&
	       (flags & TABLE_LOOPBACK_LOCAL || (table && table_owns(table, layer.shared_size, to.port)));
}

static int option(int descriptor, int name)
{
	int value = -1;
	socklen_t size = sizeof value;
	return sys_getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

struct socket_facts socket_find(int descriptor)
{
	struct socket_facts facts = {.descriptor = descriptor, .domain = option(descriptor, SO_DOMAIN)};
	struct stat status;
	if (facts.domain != AF_INET && facts.domain != AF_INET6 && facts.domain != AF_UNIX)
		return facts;
	int type = option(descriptor, SO_TYPE);
	facts.protocol = option(descriptor, SO_PROTOCOL);
	if (facts.domain == AF_UNIX)
		facts.kind = type == SOCK_STREAM ? SOCKET_UNIX : SOCKET_OTHER;
	else if (type == SOCK_STREAM && (facts.protocol == IPPROTO_TCP || facts.protocol == IPPROTO_MPTCP))
		facts.kind = SOCKET_TCP;
	else if (type == SOCK_DGRAM && facts.protocol == IPPROTO_UDP)
		facts.kind = SOCKET_UDP;
	if (facts.kind == SOCKET_OTHER || sys_fstat(descriptor, &status) != 0)
		facts.kind = SOCKET_OTHER;
	else
		facts.device = status.st_dev, facts.inode = status.st_ino;
	return facts;
}

static bool name_of(long (*call)(int, void *, socklen_t *), int descriptor, struct wire_address *address)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof name;
	if (call(descriptor, &name, &size) == 0)
		return address_read(address, (struct sockaddr *)&name, size);
	*address = (struct wire_address){.family = 0};
	return false;
}

bool socket_own(int descriptor, struct wire_address *own)
{
	return name_of(sys_getsockname, descriptor, own);
}

bool socket_peer(int descriptor, struct wire_address *peer)
{
	return name_of(sys_getpeername, descriptor, peer);
}

uint64_t socket_patience(int descriptor)
{
	struct timeval time = {0, 0};
	socklen_t size = sizeof time;
	if (sys_getsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, &size) != 0)
		return 0;
	return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

/*
 * Whether only IPv6 addresses can be reached by a socket: it is set so, or it is bound to one of them, and then this
 * machine's 127.0.0.1 has no way to it.
 */
static bool is_six_only(int descriptor)
{
	struct wire_address own;
	int six = 0;
	socklen_t size = sizeof six;
	if (sys_getsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &six, &size) == 0 && six)
		return true;
	return socket_own(descriptor, &own) && !address_is_any(&own) && !address_is_ipv4(&own);
}

static uint32_t flags_of(const struct socket_facts *socket)
{
	uint32_t flags = 0;
	if (socket->kind == SOCKET_UDP)
		flags |= 1u << WIRE_LAYER_SOCKET_DATAGRAM;
	if (socket->kind == SOCKET_UNIX)
		flags |= 1u << WIRE_LAYER_SOCKET_UNIX;
	if (socket->domain == AF_INET6)
		flags |= 1u << WIRE_LAYER_SOCKET_IPV6;
	if (socket->domain == AF_INET6 && is_six_only(socket->descriptor))
		flags |= 1u << WIRE_LAYER_SOCKET_IPV6_ONLY;
	return flags;
}

static struct layer_request request_of(enum wire_layer_operation operation, const struct socket_facts *socket)
{
	return (struct layer_request){.operation = operation,
	                              .flags = flags_of(socket),
	                              .device = socket->device,
	                              .inode = socket->inode};
}

int network_ask(enum wire_layer_operation operation, const struct socket_facts *socket, uint32_t flags,
                const void *payload, size_t size, size_t addresses, struct network_answer *answer)
{
	struct layer_request request = request_of(operation, socket);
	struct answer got = {.reply = {.outcome = WIRE_LAYER_OUTCOME_DONE}};
	size_t taken = addresses * sizeof answer->address;
	request.flags |= flags;
	if (operation == WIRE_LAYER_OPERATION_CONNECT)
		request.length = socket_patience(socket->descriptor);
	answer->address = (struct wire_address){.family = 0};
	int result = link_ask(&request, payload, size, &got, answer->payload, sizeof answer->payload);
	answer->outcome = got.reply.outcome;
	answer->size = got.reply.payload;
	if (result != 0 && answer->outcome != WIRE_LAYER_OUTCOME_FAILED)
		return fail(errno == EIO ? ENETDOWN : errno);
	/* A destination may be elsewhere on this machine; of nothing else does `local` bring an address. */
	bool there = operation == WIRE_LAYER_OPERATION_CONNECT || operation == WIRE_LAYER_OPERATION_SEND;
	if (result != 0 || (answer->outcome == WIRE_LAYER_OUTCOME_LOCAL && !there))
		taken = 0;
	if (socket->kind == SOCKET_UNIX) /* a path as long as it is */
		return result;
	if (answer->size < taken)
		taken = 0;
	if (taken)
		memcpy(&answer->address, answer->payload, sizeof answer->address);
	if (answer->size > taken) {
		int code = errno;
		sys_write(2, answer->payload + taken, answer->size - taken);
		errno = code;
	}
	answer->size = taken;
	return result;
}

void network_tell(enum wire_layer_operation operation, const struct socket_facts *socket, const void *payload,
                  size_t size)
{
	struct layer_request request = request_of(operation, socket);
	int error = errno;
	link_tell(&request, payload, size);
	errno = error;
}

__attribute__((noinline)) void network_tell_port(int descriptor)
{
	struct wire_address own;
	if (network_flags() & (TABLE_UDP_LOCAL | TABLE_LOOPBACK_LOCAL))
		return;
	struct socket_facts socket = socket_find(descriptor);
	if (socket.kind == SOCKET_UDP && socket_own(descriptor, &own) && own.port && address_is_loopback(&own))
		network_tell(WIRE_LAYER_OPERATION_LISTEN, &socket, &own, sizeof own);
}

int network_outcome(const struct socket_facts *socket, int code)
{
	struct network_answer answer;
	if (!network_relays() && layer.shared)
		return code;
	if (network_ask(WIRE_LAYER_OPERATION_OUTCOME, socket, 0, NULL, 0, 0, &answer) == 0)
		return code;
	if (answer.outcome == WIRE_LAYER_OUTCOME_FAILED && errno != EINPROGRESS)
		return errno;
	/* Nobody of the target's has refused: the session has gone or is about to, and its listeners went first. */
	bool ends = answer.outcome == WIRE_LAYER_OUTCOME_FAILED || errno == ENETDOWN;
	return ends && code == ECONNREFUSED ? ENETDOWN : code;
}

__attribute__((noinline)) long network_reset(int descriptor)
{
	struct socket_facts socket = socket_find(descriptor);
	return fail(socket.kind == SOCKET_TCP ? network_outcome(&socket, ECONNRESET) : ECONNRESET);
}

/* Not inlined: the room on the stack is for those alone who have to ask. */
__attribute__((noinline)) static bool ask_ends(int descriptor, const struct known_key *key,
                                               const struct wire_address payload[2], struct known *known)
{
	struct socket_facts socket = socket_find(descriptor);
	struct network_answer answer;
	int error = errno;
	if (socket.kind != SOCKET_TCP && socket.kind != SOCKET_UDP)
		return false;
	if (network_ask(WIRE_LAYER_OPERATION_DESCRIBE, &socket, 0, payload, 2 * sizeof *payload, 2, &answer) != 0) {
		errno = error;
		return false;
	}
	if (answer.outcome != WIRE_LAYER_OUTCOME_DONE || answer.size != 2 * sizeof *payload)
		return false;
	memcpy(&known->own, answer.payload, sizeof known->own);
	memcpy(&known->peer, answer.payload + sizeof known->own, sizeof known->peer);
	known_remember(key, known);
	return true;
}

bool network_describe(int descriptor, const struct wire_address *peer, struct wire_address ends[2])
{
	struct wire_address payload[2] = {{.family = 0}, *peer};
	struct known known = {.time = 0};
	struct stat status;
	if (!socket_own(descriptor, &payload[0]) || sys_fstat(descriptor, &status) != 0)
		return false;
	struct known_key key = {
		.inode = status.st_ino, .kind = KNOWN_ENDS, .port = payload[0].port, .peer = *peer};
	if (!known_recall(&key, &known) && !ask_ends(descriptor, &key, payload, &known))
		return false;
	ends[0] = known.own;
	ends[1] = known.peer;
	return true;
}

void address_tell(struct sockaddr *to, socklen_t *length, socklen_t room, const struct wire_address *from, int domain)
{
	struct sockaddr_storage name;
	socklen_t size = address_write(&name, from, domain);
	if (!size)
		return;
	memcpy(to, &name, size < room ? size : room);
	*length = size;
}
