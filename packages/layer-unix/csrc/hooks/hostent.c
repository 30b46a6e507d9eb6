/*
 * gethostbyname and its kin: one family, a struct hostent in the caller's memory or, as in libc, in memory of the
 * function's own that its next call takes again. Addresses in digits, and what libc refuses, are libc's.
 */
#include "address.h"
#include "hook.h"
#include "names.h"

#include <stdlib.h>
#include <strings.h>

enum { OWN = 16384 }; /* bytes behind a result of the functions without a buffer: some hundred addresses */

/* What is put into a struct hostent. */
struct found {
	int family;
	const char *name, *alias; /* alias: "" if there is none */
	const struct wire_address *addresses;
	size_t count;
};

static char *put_text(char **at, const char *text)
{
	size_t length = strlen(text) + 1;
	char *where = memcpy(*at, text, length);
	*at += length;
	return where;
}

/* Lays all out in a buffer. False: it is too small. */
static bool put(const struct found *found, struct hostent *host, char *buffer, size_t size)
{
	size_t each = found->family == AF_INET ? 4 : 16, skip = -(uintptr_t)buffer % sizeof(char *);
	size_t need = skip + (found->count + 3) * sizeof(char *) + found->count * each + strlen(found->name) + 1 +
	              strlen(found->alias) + 1;
	if (!buffer || size < need)
		return false;
	char **list = (char **)(void *)(buffer + skip), **aliases = list + found->count + 1, *at = (char *)(aliases + 2);
	for (size_t i = 0; i < found->count; i++, at += each)
		list[i] = memcpy(at, ADDRESS_HOST(&found->addresses[i]), each);
	list[found->count] = NULL;
	aliases[0] = found->alias[0] ? put_text(&at, found->alias) : NULL;
	aliases[1] = NULL;
	*host = (struct hostent){.h_name = put_text(&at, found->name),
	                         .h_aliases = aliases,
	                         .h_addrtype = found->family,
	                         .h_length = (int)each,
	                         .h_addr_list = list};
	return true;
}

/* How a search ended: an outcome, or that the buffer is too small. */
enum { TOO_SMALL = NAME_ERROR + 1 };

/*
 * Whether the name asked for is another than the canonical one, and not just its beginning, to which the search list gave
 * an end: then it is an alias.
 */
static bool is_alias(const char *asked, const char *canonical)
{
	size_t length = strlen(asked);
	if (length && asked[length - 1] == '.')
		length--;
	return strncasecmp(asked, canonical, length) != 0 || (canonical[length] && canonical[length] != '.');
}

static int find_addresses(const char *name, int family, struct hostent *host, char *buffer, size_t size)
{
	struct resolved resolved;
	struct wire_address *fitting = NULL;
	uint32_t flag = family == AF_INET ? WIRE_LAYER_RESOLVE_IPV4 : WIRE_LAYER_RESOLVE_IPV6;
	name_resolve(name, 1u << flag | 1u << WIRE_LAYER_RESOLVE_CANONICAL_NAME, 0, &resolved);
	int outcome = (int)resolved.outcome;
	if (outcome == NAME_FOUND) {
		struct found found = {.family = family, .name = resolved.name[0] ? resolved.name : name, .alias = ""};
		if (is_alias(name, found.name))
			found.alias = name;
		found.addresses = fitting = resolved.room;
		for (size_t i = 0; i < resolved.count; i++)
			if (resolved.addresses[i].family == (family == AF_INET ? 4 : 6))
				fitting[found.count++] = resolved.addresses[i];
		if (!found.count)
			outcome = NAME_NO_DATA;
		else if (!put(&found, host, buffer, size))
			outcome = TOO_SMALL;
	}
	int error = errno;
	resolved_drop(&resolved);
	errno = error;
	return outcome;
}

static int find_name(const void *address, int family, struct hostent *host, char *buffer, size_t size)
{
	char name[NAMES_LONGEST];
	struct wire_address own = {.family = family == AF_INET ? 4 : 6};
	memcpy(ADDRESS_HOST(&own), address, family == AF_INET ? 4 : 16);
	enum name_outcome outcome = name_of_address(&own, name);
	if (outcome != NAME_FOUND)
		return outcome;
	struct found found = {.family = family, .name = name, .alias = "", .addresses = &own, .count = 1};
	return put(&found, host, buffer, size) ? NAME_FOUND : TOO_SMALL;
}

static bool name_passes(const char *name, int family)
{
	return names_pass() || (family != AF_INET && family != AF_INET6) || name_is_here(name);
}

static bool address_passes(const void *address, socklen_t length, int family)
{
	static const uint8_t unspecified[16];
	if (names_pass() || !address)
		return true;
	if (family == AF_INET)
		return length != 4;
	return family != AF_INET6 || length != 16 || memcmp(address, unspecified, 16) == 0;
}

/* ---- with the caller's buffer: an errno is returned, as by libc, but for names that there aren't */

static int end_r(int outcome, int error, struct hostent *host, struct hostent **result, int *trouble)
{
	*result = NULL;
	if (outcome == TOO_SMALL) {
		*trouble = NETDB_INTERNAL;
		return errno = ERANGE;
	}
	*trouble = name_trouble((enum name_outcome)outcome);
	switch (outcome) {
	case NAME_FOUND:
		*result = host;
		break;
	case NAME_ERROR:
		return errno;
	case NAME_TRY_AGAIN:
		return errno = EAGAIN;
	default:
		break;
	}
	errno = error;
	return 0;
}

int hook_gethostbyname2_r(const char *name, int family, struct hostent *host, char *buffer, size_t size,
                          struct hostent **result, int *trouble)
{
	int error = errno, outcome = NAME_LOCAL;
	if (!name_passes(name, family))
		outcome = find_addresses(name, family, host, buffer, size);
	if (outcome == NAME_LOCAL)
		return libc.gethostbyname2_r(name, family, host, buffer, size, result, trouble);
	return end_r(outcome, error, host, result, trouble);
}

int hook_gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t size, struct hostent **result,
                         int *trouble)
{
	int error = errno, outcome = NAME_LOCAL;
	if (!name_passes(name, AF_INET))
		outcome = find_addresses(name, AF_INET, host, buffer, size);
	if (outcome == NAME_LOCAL)
		return libc.gethostbyname_r(name, host, buffer, size, result, trouble);
	return end_r(outcome, error, host, result, trouble);
}

int hook_gethostbyaddr_r(const void *address, socklen_t length, int family, struct hostent *host, char *buffer,
                         size_t size, struct hostent **result, int *trouble)
{
	int error = errno, outcome = NAME_LOCAL;
	if (!address_passes(address, length, family))
		outcome = find_name(address, family, host, buffer, size);
	if (outcome == NAME_LOCAL)
		return libc.gethostbyaddr_r(address, length, family, host, buffer, size, result, trouble);
	return end_r(outcome, error, host, result, trouble);
}

/* ---- with memory of the function's own */

struct own {
	struct hostent host;
	char buffer[OWN];
};

static struct hostent *end_own(int outcome, int error, struct own *own)
{
	if (outcome == NAME_FOUND) {
		errno = error;
		return &own->host;
	}
	h_errno = outcome == TOO_SMALL ? NETDB_INTERNAL : name_trouble((enum name_outcome)outcome);
	if (outcome == TOO_SMALL)
		errno = ERANGE;
	else if (outcome != NAME_ERROR)
		errno = error;
	return NULL;
}

struct hostent *hook_gethostbyname(const char *name)
{
	static struct own own;
	int error = errno, outcome = NAME_LOCAL;
	if (!name_passes(name, AF_INET))
		outcome = find_addresses(name, AF_INET, &own.host, own.buffer, sizeof own.buffer);
	return outcome == NAME_LOCAL ? libc.gethostbyname(name) : end_own(outcome, error, &own);
}

struct hostent *hook_gethostbyname2(const char *name, int family)
{
	static struct own own;
	int error = errno, outcome = NAME_LOCAL;
	if (!name_passes(name, family))
		outcome = find_addresses(name, family, &own.host, own.buffer, sizeof own.buffer);
	return outcome == NAME_LOCAL ? libc.gethostbyname2(name, family) : end_own(outcome, error, &own);
}

struct hostent *hook_gethostbyaddr(const void *address, socklen_t length, int family)
{
	static struct own own;
	int error = errno, outcome = NAME_LOCAL;
	if (!address_passes(address, length, family))
		outcome = find_name(address, family, &own.host, own.buffer, sizeof own.buffer);
	return outcome == NAME_LOCAL ? libc.gethostbyaddr(address, length, family) : end_own(outcome, error, &own);
}
