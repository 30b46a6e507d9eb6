/*
 * What the hooks of sockets share: which calls are passed on, what a socket is, questions about it, and its addresses
 * as the target sees them. docs/network.md has the operations; docs/layer.md says how calls behave.
 */
#ifndef MIRRORD_NETWORK_H
#define MIRRORD_NETWORK_H

#include "address.h"
#include "layer.h"

#include <errno.h>
#include <sys/un.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* The table's network flags; without a table none, so that everything is asked about. */
uint32_t network_flags(void);
/* How many sockets were relayed so far, connections and datagrams; of a table alone. */
uint32_t network_relays(void);
uint32_t network_relayed_datagrams(void);

/* False for pointers that can't be any, which some programs try: EFAULT is the kernel's to say. */
static inline bool may_be_memory(const void *pointer)
{
	return (uintptr_t)pointer >= 4096 && (uintptr_t)pointer < UINTPTR_MAX >> 8;
}

/*
 * Whether a call towards this address is to be passed on at once: it is no IP address or Unix path, all sockets of its
 * kind are local, or it is one of those that always are: port 0, multicast, listeners of this session's programs on
 * loopback. No system call.
 */
bool network_passes(const struct sockaddr *address, socklen_t length);

enum socket_kind { SOCKET_OTHER, SOCKET_TCP, SOCKET_UDP, SOCKET_UNIX }; /* SOCKET_UNIX: streams alone */

struct socket_facts {
	int descriptor;
	int domain;
	int protocol; /* IPPROTO_MPTCP is SOCKET_TCP too */
	enum socket_kind kind;
	uint64_t device, inode;
};

/* What a descriptor is. Never fails: SOCKET_OTHER for what can't be ours. Keeps errno. */
struct socket_facts socket_find(int descriptor);

/* Its own address, or its peer's, as the kernel has them. False: none (family 0). Keeps errno. */
bool socket_own(int descriptor, struct wire_address *own);
bool socket_peer(int descriptor, struct wire_address *peer);

enum { NETWORK_TEXT = 1024 }; /* room for an answer's payload: an address and a text */

struct network_answer {
	enum wire_layer_outcome outcome;
	struct wire_address address; /* family 0: none came */
	size_t size;
	uint8_t payload[NETWORK_TEXT];
};

/*
 * Asks about a socket. `flags` are bits of LayerSocket beside those that follow from the socket. Of the answer's payload
 * the first `addresses` LayerAddresses, at most 2, are for the caller; what follows is text for standard error.
 * 0, or -1 with errno: of the outcome `failed`, or ENETDOWN (the session is gone), EMFILE.
 */
int network_ask(enum wire_layer_operation operation, const struct socket_facts *socket, uint32_t flags,
                const void *payload, size_t size, size_t addresses, struct network_answer *answer);

/* Tells the session something that has no answer. Keeps errno. */
void network_tell(enum wire_layer_operation operation, const struct socket_facts *socket, const void *payload,
                  size_t size);

/*
 * Tells the session that a datagram socket has a port that others on this machine may send to, so that their datagrams
 * stay here. Nothing for other sockets, and where such datagrams stay here anyway. Keeps errno.
 */
void network_tell_port(int descriptor);

/* The target's errno for a socket whose connect failed here with `code`; `code` itself if it isn't ours. */
int network_outcome(const struct socket_facts *socket, int code);

/* Fails as a call on a socket that was reset, or, if it never was connected, with the target's errno. */
long network_reset(int descriptor);
/* The result of a call that sends or receives. The first one after a connect that failed says how. */
static inline long network_told(int descriptor, long result)
{
	return __builtin_expect(result < 0 && errno == ECONNRESET, 0) ? network_reset(descriptor) : result;
}

/* Microseconds of SO_SNDTIMEO, 0: none. */
uint64_t socket_patience(int descriptor);

/*
 * A socket's addresses as the target sees them: in place of its own, and of the peer (or the source of a datagram) that
 * the kernel tells. False: not ours, they are right as they are. Known answers cost no question. Keeps errno.
 */
bool network_describe(int descriptor, const struct wire_address *peer, struct wire_address ends[2]);

/* Whether the session relays from this peer: a port of loopback that is marked in the table. */
bool network_is_relayed(const struct wire_address *peer);

/*
 * Puts an address where a caller of the kernel wants one: cut to its room, with its whole length told. The room is what
 * `*length` was before the call. Nothing changes if a socket of `domain` can't have such an address.
 */
void address_tell(struct sockaddr *to, socklen_t *length, socklen_t room, const struct wire_address *from, int domain);

/* How many binds of this process went elsewhere: while there are none, unconnected sockets need no question. */
extern uint32_t network_moved __attribute__((visibility("hidden")));

#endif
