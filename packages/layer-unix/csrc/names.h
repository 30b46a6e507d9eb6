/*
 * What hooks of names share: the questions to the session about them, and what a name is before anybody is asked.
 *
 * Like libc's own, these calls are for ordinary code: they allocate, with the program's malloc, and are neither for
 * signal handlers nor for vfork children. They hold no lock.
 */
#ifndef MIRRORD_NAMES_H
#define MIRRORD_NAMES_H

#include "layer.h"

enum { NAMES_LONGEST = 1025 }; /* NI_MAXHOST: a name with its NUL */

/* How a question about a name ended: first the outcomes of the schema's Resolved, by their numbers. */
enum name_outcome {
	NAME_FOUND,
	NAME_NO_NAME,
	NAME_NO_DATA,
	NAME_TRY_AGAIN,
	NAME_FAILED,
	NAME_LOCAL, /* ask libc */
	NAME_ERROR, /* errno is set: there is no session, no descriptor, no memory */
};

/* Addresses of a name, in the order in which they are to be tried, or names of an address. */
struct resolved {
	enum name_outcome outcome;
	size_t count;
	const struct wire_address *addresses;
	const char *name;    /* the canonical one; "" if it wasn't asked for */
	const char *aliases; /* other names, each with its NUL; "" behind the last */
	void *room;          /* what they are in */
};

/* Whether names are this machine's, all of them. Costs nothing. */
bool names_pass(void);

/*
 * Whether libc answers for a name, without a server: an address in digits, `localhost`, no name at all. Keeps errno.
 */
bool name_is_here(const char *name);

/*
 * Asks for the addresses of a name. `flags` are bits of LayerResolve; `port` is the service's, 0 if there is none: a
 * filter may speak of it. resolved_drop() gives the memory back, whatever the outcome.
 */
void name_resolve(const char *name, uint32_t flags, uint16_t port, struct resolved *resolved);
void resolved_drop(struct resolved *resolved);

/* Asks for the name of an address, and its aliases. As name_resolve(), with that address in the answer. */
void name_of_address(const struct wire_address *address, struct resolved *resolved);

/* h_errno of an outcome that isn't good. */
int name_trouble(enum name_outcome outcome);

/*
 * A name in the spelling of the DNS, as libc converts it for AI_IDN, or back, as for AI_CANONIDN and NI_IDN: 0 and a
 * string that the caller frees, or libc's EAI_* (EAI_IDN_ENCODE where this libc can't).
 */
int name_to_dns(const char *name, char **converted);
int name_from_dns(const char *name, char **converted);

/* The target's host name, in 65 bytes. Asked for once; then a fact of this process. */
enum name_outcome host_name(char name[65]);

#endif
