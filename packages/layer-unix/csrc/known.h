/*
 * What this process was told of addresses, so that it needn't ask twice. Keyed by the socket's inode, which the kernel
 * doesn't use again. Lock-free: an entry that another thread is writing is skipped. Forgetting costs a question.
 */
#ifndef MIRRORD_KNOWN_H
#define MIRRORD_KNOWN_H

#include "wire.h"

#include <stdbool.h>

enum known_kind { KNOWN_ENDS = 1, KNOWN_DESTINATION };

/* All bytes count: made by an initializer, so that none is left over. */
struct known_key {
	uint64_t inode;
	uint32_t kind; /* enum known_kind */
	uint32_t port; /* the socket's own port */
	struct wire_address peer; /* as the kernel has it; of a datagram, as the program has it */
};

struct known {
	struct wire_address own, peer; /* KNOWN_ENDS: as the target sees them; KNOWN_DESTINATION: where to send to, in `peer` */
	uint64_t time;                 /* KNOWN_DESTINATION: seconds of the monotonic clock */
};

bool known_recall(const struct known_key *key, struct known *known);
/* For a socket that is connected anew, between the same ports, to somebody else. */
void known_forget(const struct known_key *key);
void known_remember(const struct known_key *key, const struct known *known);

#endif
