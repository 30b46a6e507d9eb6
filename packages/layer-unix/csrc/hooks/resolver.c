/*
 * res_query and its kin: a question in the DNS' own format goes to the target's servers. The query is made here, since
 * libc's would be of this machine's configuration, which it would read for that.
 *
 * Each call has up to four names: with or without the resolver's state, by the name that people write and by the one
 * that <resolv.h> turns it into. Where libc is to be asked it is the one that the program called.
 */
#include <resolv.h>
#undef res_nquery
#undef res_nquerydomain
#undef res_nsearch
#undef res_nsend
#undef res_query
#undef res_querydomain
#undef res_search
#undef res_send

#include "dns.h"
#include "hook.h"
#include "names.h"
#include "remote.h"

#include <stdlib.h>

enum { SEARCH = 1 };       /* the flag of `query`: complete the name as the target does */
enum { ASK_LIBC = -2 };    /* what programs never see */
enum { MINIMUM = DNS_HEAD }; /* bytes of an answer that is one */

static int trouble(struct __res_state *state, int number, int result)
{
	h_errno = number;
	if (!libc_is_musl()) {
		if (!state)
			state = __res_state();
		state->res_h_errno = number;
	}
	return result;
}

/* Asks; what doesn't fit into `answer` is cut off and marked so. Returns the whole answer's size, ASK_LIBC or -1. */
static int ask(const uint8_t *message, size_t length, uint32_t flags, uint8_t *answer, int size)
{
	struct layer_request request = {.operation = WIRE_LAYER_OPERATION_QUERY, .flags = flags};
	struct answer got;
	int error = errno, result = ASK_LIBC;
	if (size < MINIMUM || length < DNS_HEAD || length > DNS_LARGEST)
		return fail(EINVAL);
	uint8_t *room = malloc(DNS_LARGEST);
	if (!room)
		return -1;
	if (link_ask(&request, message, length, &got, room, DNS_LARGEST) != 0) {
		error = errno;
		result = -1;
	} else if (got.reply.outcome != WIRE_LAYER_OUTCOME_LOCAL) {
		result = (int)got.reply.payload;
		if (result < MINIMUM) {
			error = EIO;
			result = -1;
		} else {
			memcpy(room, message, 2); /* the program's own number of its question */
			if (result > size)
				room[2] |= 2; /* truncated */
			memcpy(answer, room, (size_t)(result < size ? result : size));
		}
	}
	free(room);
	errno = error;
	return result;
}

static uint16_t random_number(void)
{
	uint16_t number = 0;
	if (sys_call3(SYS_getrandom, (long)&number, sizeof number, 0) != sizeof number)
		number = (uint16_t)(sys_getpid() ^ (long)(uintptr_t)&number >> 4);
	return number;
}

/* musl leaves it to the caller to see what kind of bad answer it is, but for these. */
static int judge(struct __res_state *state, const uint8_t *answer, int result)
{
	switch (dns_code(answer)) {
	case 0: /* no error */
		return dns_answers(answer) ? result : trouble(state, NO_DATA, -1);
	case 3: /* no such name */
		return trouble(state, HOST_NOT_FOUND, -1);
	case 2: /* the server's failure */
		return libc_is_musl() ? result : trouble(state, TRY_AGAIN, -1);
	default:
		return libc_is_musl() ? result : trouble(state, NO_RECOVERY, -1);
	}
}

static int query(struct __res_state *state, const char *name, int record_class, int type, uint8_t *answer, int size,
                 uint32_t flags)
{
	uint8_t message[DNS_QUESTION];
	if (names_pass())
		return ASK_LIBC;
	size_t length = dns_question(message, name, (uint16_t)record_class, (uint16_t)type, random_number());
	if (!length) {
		fail(EMSGSIZE);
		return trouble(state, NO_RECOVERY, -1);
	}
	int result = ask(message, length, flags, answer, size);
	if (result == -1)
		return trouble(state, TRY_AGAIN, -1);
	return result == ASK_LIBC ? result : judge(state, answer, result);
}

/* A dot at the end says that the name is whole; a message can't. To musl it always is. */
static int search(struct __res_state *state, const char *name, int record_class, int type, uint8_t *answer, int size)
{
	size_t length = strlen(name);
	bool whole = libc_is_musl();
	if (!whole)
		trouble(state, HOST_NOT_FOUND, 0); /* glibc leaves it so where a name is found */
	whole |= length && name[length - 1] == '.' && (length == 1 || name[length - 2] != '\\');
	return query(state, name, record_class, type, answer, size, whole ? 0 : SEARCH);
}

static int query_domain(struct __res_state *state, const char *name, const char *domain, int record_class, int type,
                        uint8_t *answer, int size)
{
	char whole[2 * NAMES_LONGEST];
	size_t length = strnlen(name, NAMES_LONGEST), rest = domain ? strnlen(domain, NAMES_LONGEST) : 0;
	if (names_pass())
		return ASK_LIBC;
	if (length == NAMES_LONGEST || rest == NAMES_LONGEST)
		return trouble(state, NO_RECOVERY, -1);
	memcpy(whole, name, length);
	if (domain) {
		whole[length++] = '.';
		memcpy(whole + length, domain, rest);
	}
	whole[length + rest] = 0;
	return query(state, whole, record_class, type, answer, size, 0);
}

static int send_as_it_is(const uint8_t *message, int length, uint8_t *answer, int size)
{
	if (names_pass() || length < 0)
		return ASK_LIBC;
	return ask(message, (size_t)length, 0, answer, size);
}

/* The hooks of a call's two names: `asked` is what we do; libc's own gets the arguments as given, if it is to. */
#define HOOKS(call, declared, given, asked)    \
	ONE_HOOK(call, declared, given, asked) \
	ONE_HOOK(__##call, declared, given, asked)
#define ONE_HOOK(call, declared, given, asked)                         \
	int hook_##call declared                                       \
	{                                                              \
		int result = asked;                                    \
		return result == ASK_LIBC ? LATE(call) given : result; \
	}

HOOKS(res_query, (const char *name, int class, int type, unsigned char *answer, int size),
      (name, class, type, answer, size), query(NULL, name, class, type, answer, size, 0))
HOOKS(res_nquery,
      (struct __res_state * state, const char *name, int class, int type, unsigned char *answer, int size),
      (state, name, class, type, answer, size), query(state, name, class, type, answer, size, 0))
HOOKS(res_search, (const char *name, int class, int type, unsigned char *answer, int size),
      (name, class, type, answer, size), search(NULL, name, class, type, answer, size))
HOOKS(res_nsearch,
      (struct __res_state * state, const char *name, int class, int type, unsigned char *answer, int size),
      (state, name, class, type, answer, size), search(state, name, class, type, answer, size))
HOOKS(res_querydomain,
      (const char *name, const char *domain, int class, int type, unsigned char *answer, int size),
      (name, domain, class, type, answer, size), query_domain(NULL, name, domain, class, type, answer, size))
HOOKS(res_nquerydomain,
      (struct __res_state * state, const char *name, const char *domain, int class, int type, unsigned char *answer,
       int size),
      (state, name, domain, class, type, answer, size),
      query_domain(state, name, domain, class, type, answer, size))
HOOKS(res_send, (const unsigned char *message, int length, unsigned char *answer, int size),
      (message, length, answer, size), send_as_it_is(message, length, answer, size))
HOOKS(res_nsend,
      (struct __res_state * state, const unsigned char *message, int length, unsigned char *answer, int size),
      (state, message, length, answer, size), send_as_it_is(message, length, answer, size))
