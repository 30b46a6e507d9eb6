/* Addresses by text, for programs that make sockets: `10.0.0.1`, `::1`, `::ffff:10.0.0.1`. */
#ifndef ADDRESSES_H
#define ADDRESSES_H

#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

struct name {
	socklen_t size;
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
		struct sockaddr_storage room;
	} as;
};

static inline struct name name(const char *host, int port)
{
	struct name made = {.size = 0};
	if (strchr(host, ':')) {
		made.size = sizeof made.as.six;
		made.as.six.sin6_family = AF_INET6;
		made.as.six.sin6_port = htons((uint16_t)port);
		CHECK(inet_pton(AF_INET6, host, &made.as.six.sin6_addr) == 1);
	} else {
		made.size = sizeof made.as.four;
		made.as.four.sin_family = AF_INET;
		made.as.four.sin_port = htons((uint16_t)port);
		CHECK(inet_pton(AF_INET, host, &made.as.four.sin_addr) == 1);
	}
	return made;
}

/* The port, whatever the family. */
static inline int port_of(const struct name *of)
{
	return ntohs(of->as.any.sa_family == AF_INET ? of->as.four.sin_port : of->as.six.sin6_port);
}

/* Whether both are the same, scopes and flows left out. */
static inline bool same_name(const struct name *a, const struct name *b)
{
	if (a->size != b->size || a->as.any.sa_family != b->as.any.sa_family || port_of(a) != port_of(b))
		return false;
	if (a->as.any.sa_family == AF_INET)
		return a->as.four.sin_addr.s_addr == b->as.four.sin_addr.s_addr;
	return memcmp(&a->as.six.sin6_addr, &b->as.six.sin6_addr, 16) == 0;
}

static inline struct name own_name(int descriptor)
{
	struct name of = {.size = sizeof of.as};
	CHECK(getsockname(descriptor, &of.as.any, &of.size) == 0);
	return of;
}

static inline struct name peer_name(int descriptor)
{
	struct name of = {.size = sizeof of.as};
	CHECK(getpeername(descriptor, &of.as.any, &of.size) == 0);
	return of;
}

/* SO_ERROR, which is zero afterwards. */
static inline int socket_error(int descriptor)
{
	int code = -1;
	socklen_t size = sizeof code;
	CHECK(getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) == 0 && size == sizeof code);
	return code;
}

#endif
