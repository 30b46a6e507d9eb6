/*
 * Addresses between the system's form (struct sockaddr) and the wire's (struct wire_address: family 0 none, 4 or 6; the
 * host's bytes in network order). IPv4 inside IPv6 (::ffff:a.b.c.d) is kept as it is written. Pure.
 */
#ifndef MIRRORD_ADDRESS_H
#define MIRRORD_ADDRESS_H

#include "wire.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

/* The host of an address as bytes: 4 or 16 of them count. */
#define ADDRESS_HOST(address) ((uint8_t *)&(address)->first)

/* Reads an IPv4 or IPv6 address of `length` bytes. False: it is none, or cut short; `to` has family 0 then. */
bool address_read(struct wire_address *to, const struct sockaddr *from, socklen_t length);

/*
 * Writes an address for a socket of `domain`, AF_INET or AF_INET6: an IPv4 one for AF_INET6 in its mapped form, a mapped
 * one for AF_INET plainly. The length written, or 0 if such a socket can't have it.
 */
socklen_t address_write(struct sockaddr_storage *to, const struct wire_address *from, int domain);

/* Whether it is this machine's loopback, or unspecified, which means loopback to connect(). */
bool address_is_loopback(const struct wire_address *address);

/* Whether it is one of IPv4, mapped or not. */
bool address_is_ipv4(const struct wire_address *address);

/* Whether it is unspecified: 0.0.0.0 or :: */
bool address_is_any(const struct wire_address *address);

/* Whether it stands for many: multicast, or the limited broadcast. */
bool address_is_many(const struct wire_address *address);

#endif
