/*
 * The shared table, as docs/layer.md lays it out: what layers may decide without a question. The session writes it,
 * also while we read; nothing in it is trusted to lie within the mapping.
 */
#ifndef MIRRORD_TABLE_H
#define MIRRORD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TABLE_VERSION = 2, TABLE_STEPS = 32 };
enum { TABLE_OFF = 1, TABLE_CHANGES_ASK = 2, TABLE_RELATIVE_ASK = 4 }; /* bits of `flags` */
enum { /* bits of `network` */
	TABLE_NAMES_LOCAL = 1,
	TABLE_TCP_LOCAL = 2,
	TABLE_UDP_LOCAL = 4,
	TABLE_UNIX_LOCAL = 8,
	TABLE_INCOMING_LOCAL = 16,
	TABLE_LOOPBACK_LOCAL = 32, /* outgoing connections to loopback */
	TABLE_HOSTNAME_LOCAL = 64,
	TABLE_BINDS_ASK = 256, /* bind() is asked about before it is done */
	TABLE_IPV6_OFF = 128, /* there is no IPv6 on the target: no sockets of it either */
};
enum { TABLE_PORTS_SIZE = 8192 }; /* bytes of a bitmap of ports */
enum { TABLE_LOCAL_READ = 1, TABLE_LOCAL_CHANGE = 2 }; /* what table_lookup() returns, and bits of a slot's flags */

struct table {
	uint8_t magic[8];
	uint32_t version, size;
	uint64_t memory_device, temporary_device, directory_device;
	uint32_t flags;
	uint32_t watched, files, directories;
	uint32_t prefixes, prefix_offset;
	uint32_t slots, slot_offset;
	uint32_t names, name_offset;
	uint32_t network;
	uint32_t relays; /* how many sockets were relayed so far; 0: no socket can be ours */
	uint32_t own_offset, relayed_offset;
	uint32_t relayed_datagrams; /* as `relays`, for UDP */
	uint32_t unused;
};

struct table_prefix {
	uint64_t head; /* the first eight bytes in lower case, whatever `fold` is: most prefixes are told apart by them */
	uint32_t text;
	uint16_t length;
	uint8_t verdict, fold;
};

struct table_slot {
	uint64_t hash;
	uint32_t text;
	uint16_t length;
	uint8_t flags, unused;
};

/* Whether `size` mapped bytes are a table of our version that claims no more than them. */
bool table_valid(const struct table *table, size_t size);

/*
 * For which intents (TABLE_LOCAL_* bits) a path is known to be this machine's; 0: ask. A path that is not absolute, or
 * has an empty, "." or ".." component, is always asked about. `size` is the mapping's, as given to table_valid().
 */
unsigned table_lookup(const struct table *table, size_t size, const char *path, size_t length);

/* Whether a path and all that may be below it are known to be this machine's, for every intent. False: maybe not. */
bool table_covers(const struct table *table, size_t size, const char *path, size_t length);

/* Whether a program's base name is one of those in which the layer stays inert. */
bool table_names(const struct table *table, size_t size, const char *name, size_t length);

/* Whether a port of loopback is one to which connections stay on this machine. */
bool table_owns(const struct table *table, size_t size, unsigned port);

/* Whether a port of loopback is one that the session relays from. */
bool table_relays(const struct table *table, size_t size, unsigned port);

#endif
