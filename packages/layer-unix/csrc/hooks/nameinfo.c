/*
 * getnameinfo: the host's name is the target's; numbers, services and what is refused are libc's. libc is asked for the
 * host in digits, with the service as it is wanted; then the digits give way to the name, if there is one.
 */
#include "address.h"
#include "hook.h"
#include "names.h"
#include "remote.h"

#include <stdlib.h>
#include <strings.h>

enum { DIGITS = 64 }; /* bytes of an IPv6 address with its interface */

#ifndef NI_IDN
#define NI_IDN 32
#endif

static int put(char *host, socklen_t size, const char *name)
{
	size_t length = strlen(name) + 1;
	if (length > size)
		return EAI_OVERFLOW;
	memcpy(host, name, length);
	return 0;
}

/* The domain of the target's own name, with its dot: from that name, or from what it stands for. */
static bool own_domain(char domain[NAMES_LONGEST])
{
	char host[65];
	const char *dot = NULL;
	struct resolved resolved = {.room = NULL};
	if (host_name(host) != NAME_FOUND)
		return false;
	dot = strchr(host, '.');
	if (!dot) {
		name_resolve(host, 1 << WIRE_LAYER_RESOLVE_IPV4 | 1 << WIRE_LAYER_RESOLVE_IPV6 |
		                     1 << WIRE_LAYER_RESOLVE_CANONICAL_NAME, 0, &resolved);
		if (resolved.outcome == NAME_FOUND)
			dot = strchr(resolved.name, '.');
	}
	if (dot)
		strcpy(domain, dot);
	resolved_drop(&resolved);
	return dot != NULL;
}

/* Leaves the domain away if it is the target's own. */
static void shorten(char *name)
{
	char domain[NAMES_LONGEST];
	size_t length = strlen(name);
	if (!strchr(name, '.') || !own_domain(domain))
		return;
	size_t size = strlen(domain);
	if (length > size && strcasecmp(name + length - size, domain) == 0)
		name[length - size] = 0;
}

/* Not inlined: the room for a name. */
__attribute__((noinline)) static int put_name(char *host, socklen_t size, const char *found, int flags)
{
	char name[NAMES_LONGEST], *converted = NULL;
	strcpy(name, found);
	if (flags & NI_NOFQDN && !libc_is_musl()) /* which takes no notice */
		shorten(name);
	if (flags & NI_IDN) {
		int code = name_from_dns(name, &converted);
		if (code && code != EAI_IDN_ENCODE)
			return code;
	}
	int code = put(host, size, converted ? converted : name);
	free(converted);
	return code;
}

enum { ASK_LIBC = 1 }; /* EAI_* are below 0 */

static int find(const struct wire_address *address, char *host, socklen_t size, const char *digits, int flags)
{
	struct resolved resolved;
	int code = flags & NI_NAMEREQD ? EAI_NONAME : put(host, size, digits);
	name_of_address(address, &resolved);
	switch (resolved.outcome) {
	case NAME_FOUND:
		code = put_name(host, size, resolved.name, flags);
		break;
	case NAME_LOCAL:
		code = ASK_LIBC;
		break;
	case NAME_ERROR:
		code = errno == ENOMEM ? EAI_MEMORY : EAI_SYSTEM;
		break;
	case NAME_TRY_AGAIN:
		code = libc_is_musl() ? code : EAI_AGAIN;
		break;
	default:
		break;
	}
	resolved_drop(&resolved);
	return code;
}

int hook_getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size, char *service,
                     socklen_t service_size, int flags)
{
	char digits[DIGITS];
	struct wire_address asked;
	int error = errno;
	/* What has no name, what isn't to be named, and what libc refuses. */
	if (names_pass() || !host || !host_size || flags & NI_NUMERICHOST || !address ||
	    !address_read(&asked, address, size))
		return libc.getnameinfo(address, size, host, host_size, service, service_size, flags);
	int code = libc.getnameinfo(address, size, digits, sizeof digits, service, service_size,
	                            (flags | NI_NUMERICHOST) & ~NI_NAMEREQD);
	if (code)
		return code;
	code = find(&asked, host, host_size, digits, flags);
	if (code == ASK_LIBC)
		return libc.getnameinfo(address, size, host, host_size, service, service_size, flags);
	if (code != EAI_SYSTEM)
		errno = error;
	return code;
}
