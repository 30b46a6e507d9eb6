/* Addresses between the system's form and the wire's: see address.h. No system call, no allocation. */
#include "address.h"

#include <string.h>

_Static_assert(sizeof(struct wire_address) == 24, "LayerAddress of the schema");

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t zeros[16];

/* The four bytes of an IPv4 address, mapped or not, or NULL. */
static const uint8_t *ipv4(const struct wire_address *address)
{
	const uint8_t *host = ADDRESS_HOST(address);
	if (address->family == 4)
		return host;
	return address->family == 6 && memcmp(host, mapped, sizeof mapped) == 0 ? host + sizeof mapped : NULL;
}

bool address_read(struct wire_address *to, const struct sockaddr *from, socklen_t length)
{
	*to = (struct wire_address){.family = 0};
	if (length < sizeof from->sa_family)
		return false;
	if (from->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;
		to->family = 4;
		to->port = ntohs(in->sin_port);
		memcpy(ADDRESS_HOST(to), &in->sin_addr, 4);
		return true;
	}
	/* Without a scope it is as old programs know it, and the kernel takes it. */
	if (from->sa_family == AF_INET6 && length >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)from;
		to->family = 6;
		to->port = ntohs(in->sin6_port);
		to->scope = length >= sizeof *in ? in->sin6_scope_id : 0;
		memcpy(ADDRESS_HOST(to), &in->sin6_addr, 16);
		return true;
	}
	return false;
}

socklen_t address_write(struct sockaddr_storage *to, const struct wire_address *from, int domain)
{
	const uint8_t *four = ipv4(from);
	if (domain == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)to;
		if (!four)
			return 0;
		*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(from->port)};
		memcpy(&in->sin_addr, four, 4);
		return sizeof *in;
	}
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)to;
	if (domain != AF_INET6 || (from->family != 4 && from->family != 6))
		return 0;
	*in = (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = htons(from->port), .sin6_scope_id = from->scope};
	if (four) {
		memcpy(&in->sin6_addr, mapped, sizeof mapped);
		memcpy((uint8_t *)&in->sin6_addr + sizeof mapped, four, 4);
	} else {
		memcpy(&in->sin6_addr, ADDRESS_HOST(from), 16);
	}
	return sizeof *in;
}

bool address_is_ipv4(const struct wire_address *address)
{
	return ipv4(address) != NULL;
}

bool address_is_any(const struct wire_address *address)
{
	const uint8_t *four = ipv4(address);
	return four ? memcmp(four, zeros, 4) == 0 : address->family == 6 && memcmp(ADDRESS_HOST(address), zeros, 16) == 0;
}

bool address_is_loopback(const struct wire_address *address)
{
	const uint8_t *four = ipv4(address), *host = ADDRESS_HOST(address);
	if (address_is_any(address))
		return true;
	if (four)
		return four[0] == 127;
	return address->family == 6 && memcmp(host, zeros, 15) == 0 && host[15] == 1;
}

bool address_is_many(const struct wire_address *address)
{
	const uint8_t *four = ipv4(address);
	if (four)
		return four[0] >> 4 == 14 || (four[0] & four[1] & four[2] & four[3]) == 255;
	return address->family == 6 && ADDRESS_HOST(address)[0] == 255;
}
