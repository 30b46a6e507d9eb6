/*
 * getaddrinfo: the name is the target's, all else libc's. What libc makes of a number with the same hints and service
 * is the pattern for each address of the name, so sockets' types, ports and what it refuses are its own.
 *
 * A list is made as libc makes it, so whoever frees it needn't know.
 */
#include "address.h"
#include "hook.h"
#include "names.h"
#include "remote.h"

#include <stdlib.h>

/*
 * An entry and what both libcs keep behind it. glibc frees entry by entry, and each name. musl frees one block, at its
 * entries' last use: each has its number and the first has the count of those in use (an older musl just frees it).
 */
struct entry {
	struct addrinfo info;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address;
	int lock;
	short slot, used;
};

/* What is made into a list. */
struct making {
	const struct resolved *resolved;
	const struct addrinfo *pattern;
	const char *name; /* the canonical one, or NULL */
	int flags, family;
	bool mapped; /* IPv4 as IPv6 */
	int error;   /* errno as it is to be in the end */
};

static bool fits(const struct making *making, const struct wire_address *address)
{
	if (address->family == 4)
		return making->family != AF_INET6 || making->mapped;
	return making->family != AF_INET;
}

/* The service's port; of IPv6 it is at the same place. */
static uint16_t port_of(const struct addrinfo *pattern)
{
	return ntohs(((const struct sockaddr_in *)(const void *)pattern->ai_addr)->sin_port);
}

static void fill(struct entry *entry, const struct making *making, const struct wire_address *address,
                 const struct addrinfo *pattern)
{
	struct sockaddr_storage storage;
	struct wire_address with_port = *address;
	int family = address->family == 4 && !making->mapped ? AF_INET : AF_INET6;
	with_port.port = port_of(pattern);
	socklen_t size = address_write(&storage, &with_port, family);
	memcpy(&entry->address, &storage, size);
	entry->info = (struct addrinfo){
		.ai_flags = pattern->ai_flags ? making->flags : 0, /* musl tells none */
		.ai_family = family,
		.ai_socktype = pattern->ai_socktype,
		.ai_protocol = pattern->ai_protocol,
		.ai_addrlen = size,
		.ai_addr = &entry->address.any,
	};
}

/* How many entries there will be. */
static size_t count_entries(const struct making *making)
{
	size_t addresses = 0, each = 0;
	for (size_t i = 0; i < making->resolved->count; i++)
		addresses += fits(making, &making->resolved->addresses[i]);
	for (const struct addrinfo *pattern = making->pattern; pattern; pattern = pattern->ai_next)
		each++;
	return addresses * each;
}

/* Calls for each entry in turn: addresses in their order, and for each what the pattern has. */
#define EACH_ENTRY(making, address, pattern)                                                                      \
	for (const struct wire_address *address = (making)->resolved->addresses,                                  \
	                               *last = address + (making)->resolved->count;                               \
	     address < last; address++)                                                                           \
		for (const struct addrinfo *pattern = fits(making, address) ? (making)->pattern : NULL; pattern;  \
		     pattern = pattern->ai_next)

static struct addrinfo *make_for_musl(const struct making *making)
{
	size_t count = count_entries(making), at = 0, length = making->name ? strlen(making->name) : 0;
	struct entry *block = count <= SHRT_MAX ? calloc(1, count * sizeof *block + length + 1) : NULL;
	if (!block)
		return NULL;
	char *name = memcpy(block + count, making->name ? making->name : "", length);
	EACH_ENTRY(making, address, pattern)
	{
		struct entry *entry = &block[at];
		fill(entry, making, address, pattern);
		entry->slot = (short)at++;
		entry->info.ai_canonname = making->name ? name : NULL;
		entry->info.ai_next = at < count ? &entry[1].info : NULL;
	}
	block->used = (short)count;
	return &block->info;
}

static struct addrinfo *make_for_glibc(const struct making *making)
{
	struct addrinfo *list = NULL, **end = &list;
	EACH_ENTRY(making, address, pattern)
	{
		struct entry *entry = malloc(sizeof *entry);
		if (!entry) {
			freeaddrinfo(list);
			return NULL;
		}
		fill(entry, making, address, pattern);
		*end = &entry->info;
		end = &entry->info.ai_next;
	}
	if (list && making->name) {
		list->ai_canonname = strdup(making->name);
		if (!list->ai_canonname) {
			freeaddrinfo(list);
			return NULL;
		}
	}
	return list;
}

/* musl tells the canonical name whether or not it is wanted, and in every entry. */
static bool tells_name(const struct making *making)
{
	return making->flags & AI_CANONNAME || libc_is_musl();
}

/* The EAI_* of an outcome that isn't good. */
static int code_of(enum name_outcome outcome, struct making *making)
{
	switch (outcome) {
	case NAME_NO_DATA:
		return libc_is_musl() ? EAI_NONAME : EAI_NODATA;
	case NAME_TRY_AGAIN:
		return EAI_AGAIN;
	case NAME_FAILED:
		return EAI_FAIL;
	case NAME_ERROR:
		if (errno == ENOMEM)
			return EAI_MEMORY;
		making->error = errno;
		return EAI_SYSTEM;
	default:
		return EAI_NONAME;
	}
}

/* Makes the list of what was found. */
static int make(struct making *making, const char *node, struct addrinfo **result)
{
	char *converted = NULL;
	int code = 0;
	if (tells_name(making)) {
		making->name = making->resolved->name[0] ? making->resolved->name : node;
		if (making->flags & AI_CANONIDN) {
			code = name_from_dns(making->name, &converted);
			if (code && code != EAI_IDN_ENCODE)
				return code;
			making->name = code ? making->name : converted;
		}
	}
	if (!count_entries(making)) {
		code = code_of(NAME_NO_DATA, making);
	} else {
		struct addrinfo *list = libc_is_musl() ? make_for_musl(making) : make_for_glibc(making);
		code = list ? 0 : EAI_MEMORY;
		if (list)
			*result = list;
	}
	free(converted);
	return code;
}

/* What to ask for so that all of it is wanted. */
static uint32_t wanted(const struct making *making)
{
	uint32_t flags = 0;
	if (making->family != AF_INET6 || making->flags & AI_V4MAPPED)
		flags |= 1 << WIRE_LAYER_RESOLVE_IPV4;
	if (making->family != AF_INET)
		flags |= 1 << WIRE_LAYER_RESOLVE_IPV6;
	if (tells_name(making))
		flags |= 1 << WIRE_LAYER_RESOLVE_CANONICAL_NAME;
	if (making->flags & AI_ADDRCONFIG)
		flags |= 1 << WIRE_LAYER_RESOLVE_CONFIGURED_ONLY;
	return flags;
}

/* Whether addresses of IPv4 are to be in the list of IPv6: all, or where there are no others. */
static bool maps(const struct making *making)
{
	if (making->family != AF_INET6 || !(making->flags & AI_V4MAPPED))
		return false;
	if (making->flags & AI_ALL)
		return true;
	for (size_t i = 0; i < making->resolved->count; i++)
		if (making->resolved->addresses[i].family == 6)
			return false;
	return true;
}

enum { ASK_LIBC = 1 }; /* EAI_* are below 0 */

/* With the pattern at hand. 0, an EAI_*, or ASK_LIBC. */
static int find(const char *node, struct making *making, struct addrinfo **result)
{
	struct resolved resolved;
	char *converted = NULL;
	if (making->flags & AI_IDN) {
		int code = name_to_dns(node, &converted);
		if (code)
			return code;
		node = converted;
	}
	name_resolve(node, wanted(making), port_of(making->pattern), &resolved);
	making->resolved = &resolved;
	making->mapped = maps(making);
	int code = resolved.outcome == NAME_LOCAL   ? ASK_LIBC
	           : resolved.outcome == NAME_FOUND ? make(making, node, result)
	                                            : code_of(resolved.outcome, making);
	resolved_drop(&resolved);
	free(converted);
	return code;
}

int hook_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	if (names_pass() || (hints && hints->ai_flags & AI_NUMERICHOST) || name_is_here(node))
		return libc.getaddrinfo(node, service, hints, result);
	/* glibc's habit where there are no hints. */
	struct making making = {
		.flags = libc_is_musl() ? 0 : AI_V4MAPPED | AI_ADDRCONFIG, .family = AF_UNSPEC, .error = errno};
	struct addrinfo number = {.ai_family = AF_UNSPEC}, *pattern;
	if (hints) {
		number = *hints;
		making.flags = hints->ai_flags;
		making.family = hints->ai_family;
	}
	number.ai_flags = (making.flags & ~(AI_ADDRCONFIG | AI_CANONNAME)) | AI_NUMERICHOST;
	if (number.ai_family == AF_UNSPEC)
		number.ai_family = AF_INET;
	int code = libc.getaddrinfo(number.ai_family == AF_INET6 ? "::" : "0.0.0.0", service, &number, &pattern);
	if (code)
		return code;
	making.pattern = pattern;
	code = find(node, &making, result);
	freeaddrinfo(pattern);
	errno = making.error;
	return code == ASK_LIBC ? libc.getaddrinfo(node, service, hints, result) : code;
}

/*
 * libc's threads would ask without us. All is answered before this returns, whatever the mode, so that nothing is left
 * to wait for or to cancel; then libc tells the program in the way it wants, of a list without a request.
 */
int hook_getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
	if (names_pass() || (mode != GAI_WAIT && mode != GAI_NOWAIT))
		return LATE(getaddrinfo_a)(mode, list, count, event);
	for (int i = 0; i < count; i++)
		if (list[i])
			list[i]->__return = hook_getaddrinfo(list[i]->ar_name, list[i]->ar_service, list[i]->ar_request,
			                                     &list[i]->ar_result);
	return mode == GAI_NOWAIT ? LATE(getaddrinfo_a)(mode, list, 0, event) : 0;
}
