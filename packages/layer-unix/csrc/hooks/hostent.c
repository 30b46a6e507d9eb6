/*
 * gethostbyname and its kin: one family, a struct hostent in the caller's memory or, as in libc, in memory of the
 * function's own that its next call takes again. Addresses in digits, and what libc refuses, are libc's.
 */
#include "address.h"
#include "hook.h"
#include "names.h"
#include "remote.h"

enum { OWN = 16384 }; /* bytes behind a result of the functions without a buffer: some hundred addresses */

/* How a search ended: an outcome, or that the buffer is too small. */
enum { TOO_SMALL = NAME_ERROR + 1 };
enum { LEAST = 3 * sizeof(char *) + 4 + 2 }; /* bytes of the smallest answer; who has less room needn't ask */

static char *put_text(char **at, const char *text)
{
	size_t length = strlen(text) + 1;
	char *where = memcpy(*at, text, length);
	*at += length;
	return where;
}

/* Lays all out in a buffer; addresses of another family are left away. An outcome, or TOO_SMALL. */
static int put(const struct resolved *found, const char *name, int family, struct hostent *host, char *buffer,
               size_t size)
{
	size_t each = family == AF_INET ? 4 : 16, skip = -(uintptr_t)buffer % sizeof(char *), count = 0, aliases = 0;
	size_t need = skip + strlen(name) + 1;
	for (const char *alias = found->aliases; *alias; alias += strlen(alias) + 1, aliases++)
		need += strlen(alias) + 1;
	for (size_t i = 0; i < found->count; i++)
		count += found->addresses[i].family == (family == AF_INET ? 4 : 6);
	need += (count + 1 + aliases + 1) * sizeof(char *) + count * each;
	if (!count)
		return NAME_NO_DATA;
	if (!buffer || size < need)
		return TOO_SMALL;
	char **list = (char **)(void *)(buffer + skip), **others = list + count + 1;
	char *at = (char *)(others + aliases + 1);
	*host = (struct hostent){.h_aliases = others, .h_addrtype = family, .h_length = (int)each, .h_addr_list = list};
	for (size_t i = 0; i < found->count; i++) {
		if (found->addresses[i].family != (family == AF_INET ? 4 : 6))
			continue;
		*list++ = memcpy(at, ADDRESS_HOST(&found->addresses[i]), each);
		at += each;
	}
	*list = NULL;
	for (const char *alias = found->aliases; *alias; alias += strlen(alias) + 1)
		*others++ = put_text(&at, alias);
	*others = NULL;
	host->h_name = put_text(&at, name);
	return NAME_FOUND;
}

static int find_addresses(const char *name, int family, struct hostent *host, char *buffer, size_t size)
{
	struct resolved resolved;
	if (size < LEAST)
		return TOO_SMALL;
	uint32_t flag = family == AF_INET ? WIRE_LAYER_RESOLVE_IPV4 : WIRE_LAYER_RESOLVE_IPV6;
	name_resolve(name, 1u << flag | 1u << WIRE_LAYER_RESOLVE_CANONICAL_NAME, 0, &resolved);
	int outcome = (int)resolved.outcome;
	if (outcome == NAME_FOUND)
		outcome = put(&resolved, resolved.name[0] ? resolved.name : name, family, host, buffer, size);
	resolved_drop(&resolved);
	return outcome;
}

static int find_name(const void *address, int family, struct hostent *host, char *buffer, size_t size)
{
	struct wire_address own = {.family = family == AF_INET ? 4 : 6};
	struct resolved resolved;
	if (size < LEAST)
		return TOO_SMALL;
	memcpy(ADDRESS_HOST(&own), address, family == AF_INET ? 4 : 16);
	name_of_address(&own, &resolved);
	int outcome = (int)resolved.outcome;
	if (outcome == NAME_FOUND)
		outcome = put(&resolved, resolved.name, family, host, buffer, size);
	resolved_drop(&resolved);
	return outcome;
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
	if (outcome != NAME_FOUND && !libc_is_musl())
		h_errno = *trouble; /* where CPython looks */
	switch (outcome) {
	case NAME_FOUND:
		*result = host;
		break;
	case NAME_ERROR:
		return errno;
	case NAME_TRY_AGAIN:
		if (libc_is_musl())
			return errno = EAGAIN;
		break;
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
