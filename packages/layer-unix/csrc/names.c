/* Questions about names: see names.h. What programs get from the answers is made in hooks/. */
#include "names.h"

#include "hook.h"

#include <stdlib.h>
#include <strings.h>

enum { ROOM = 65536 }; /* what the session sends at most, in bytes */

bool names_pass(void)
{
	const struct table *table = layer.shared;
	return table && table->network & TABLE_NAMES_LOCAL;
}

/* Whether libc takes the name for an address: 10.1 and 0x7f000001 are some, 1.example is none. */
static bool is_numeric(const char *name)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list;
	int error = errno;
	bool numeric = libc.getaddrinfo(name, NULL, &hints, &list) == 0;
	if (numeric)
		freeaddrinfo(list);
	errno = error;
	return numeric;
}

bool name_is_here(const char *name)
{
	if (!name || !name[0] || strcmp(name, "*") == 0 || strchr(name, ':'))
		return true;
	if (strcasecmp(name, "localhost") == 0 || strcasecmp(name, "localhost.") == 0)
		return true;
	if (strnlen(name, NAMES_LONGEST) == NAMES_LONGEST) /* libc says what it thinks of it */
		return true;
	return name[0] >= '0' && name[0] <= '9' && is_numeric(name);
}

int name_trouble(enum name_outcome outcome)
{
	switch (outcome) {
	case NAME_FOUND:
		return 0;
	case NAME_NO_NAME:
		return HOST_NOT_FOUND;
	case NAME_NO_DATA:
		return NO_DATA;
	case NAME_TRY_AGAIN:
		return TRY_AGAIN;
	case NAME_ERROR:
		return NETDB_INTERNAL;
	default:
		return NO_RECOVERY;
	}
}

static enum name_outcome broken(void)
{
	fail(EIO);
	return NAME_ERROR;
}

/*
 * Asks, with the answer's payload to `room`. Whether the agent has a name or not, it is done; that it can't be asked at
 * all is a matter of trying again, but for what is wrong with this process.
 */
static enum name_outcome question(const struct layer_request *request, const void *payload, size_t size,
                                  struct answer *answer, void *room, size_t room_size)
{
	if (link_ask(request, payload, size, answer, room, room_size) != 0) {
		bool ours = errno == EIO || errno == EMFILE || errno == ENFILE || errno == ENOMEM;
		return ours ? NAME_ERROR : NAME_TRY_AGAIN;
	}
	if (answer->reply.outcome == WIRE_LAYER_OUTCOME_LOCAL)
		return NAME_LOCAL;
	return answer->reply.length <= NAME_FAILED ? (enum name_outcome)answer->reply.length : broken();
}

/* The names behind the addresses, with a NUL between each two, and room for two more. False: they can't be names. */
static bool take_names(struct resolved *resolved, char *text, size_t length)
{
	text[length] = text[length + 1] = 0;
	resolved->name = text;
	if (strlen(text) >= NAMES_LONGEST)
		return false;
	text += strlen(text) + 1;
	resolved->aliases = text > resolved->name + length ? "" : text;
	for (; text < resolved->name + length; text += strlen(text) + 1)
		if (!text[0] || strlen(text) >= NAMES_LONGEST)
			return false;
	return true;
}

static enum name_outcome take(struct resolved *resolved, const struct answer *answer)
{
	size_t size = answer->reply.payload, count = answer->reply.offset;
	if (count > size / sizeof *resolved->addresses)
		return broken();
	resolved->addresses = resolved->room;
	for (size_t i = 0; i < count; i++)
		if (resolved->addresses[i].family != 4 && resolved->addresses[i].family != 6)
			return broken();
	resolved->count = count;
	size_t before = count * sizeof *resolved->addresses;
	return take_names(resolved, (char *)resolved->room + before, size - before) ? NAME_FOUND : broken();
}

static void look_up(const struct layer_request *request, const void *payload, size_t size, struct resolved *resolved)
{
	struct answer answer;
	*resolved = (struct resolved){.outcome = NAME_ERROR, .name = "", .aliases = "", .room = malloc(ROOM + 2)};
	if (!resolved->room)
		return;
	resolved->outcome = question(request, payload, size, &answer, resolved->room, ROOM);
	if (resolved->outcome == NAME_FOUND)
		resolved->outcome = take(resolved, &answer);
}

void name_resolve(const char *name, uint32_t flags, uint16_t port, struct resolved *resolved)
{
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_RESOLVE, .flags = flags, .offset = port};
	look_up(&request, name, strlen(name), resolved);
	if (resolved->outcome == NAME_FOUND && !resolved->count)
		resolved->outcome = NAME_NO_DATA;
}

void name_of_address(const struct wire_address *address, struct resolved *resolved)
{
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_REVERSE};
	look_up(&request, address, sizeof *address, resolved);
	if (resolved->outcome == NAME_FOUND && !resolved->name[0])
		resolved->outcome = NAME_NO_NAME;
	resolved->addresses = address;
	resolved->count = 1;
}

void resolved_drop(struct resolved *resolved)
{
	int error = errno;
	free(resolved->room);
	errno = error;
}

/* ---- names beyond ASCII */

/* By a function that glibc has for itself since 2.28: which conversion is right is its own business. */
static int convert(const char *function, const char *name, char **converted)
{
	int (*call)(const char *, char **);
	void *found = find_function(function);
	if (!found)
		return EAI_IDN_ENCODE;
	memcpy(&call, &found, sizeof call);
	return call(name, converted);
}

int name_to_dns(const char *name, char **converted)
{
	return convert("__idna_to_dns_encoding", name, converted);
}

int name_from_dns(const char *name, char **converted)
{
	return convert("__idna_from_dns_encoding", name, converted);
}

/* ---- the host's own name */

enum { HOST = 65 }; /* bytes of utsname's `nodename` */

/* What was asked for once; `known_length` last, and 0 until then. Two threads that ask at once write the same. */
static char known[HOST];
static size_t known_length;

enum name_outcome host_name(char name[HOST])
{
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_HOSTNAME};
	struct answer answer;
	const struct table *table = layer.shared;
	size_t length = __atomic_load_n(&known_length, __ATOMIC_ACQUIRE);
	if (table && table->network & TABLE_HOSTNAME_LOCAL)
		return NAME_LOCAL;
	if (!length) {
		if (link_ask(&request, NULL, 0, &answer, name, HOST - 1) != 0)
			return NAME_ERROR;
		if (answer.reply.outcome == WIRE_LAYER_OUTCOME_LOCAL)
			return NAME_LOCAL;
		length = answer.reply.payload;
		if (!length || memchr(name, 0, length))
			return broken();
		memcpy(known, name, length);
		__atomic_store_n(&known_length, length, __ATOMIC_RELEASE);
	}
	memcpy(name, known, length);
	memset(name + length, 0, HOST - length);
	return NAME_FOUND;
}
