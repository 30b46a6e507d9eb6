/*
 * Prints what res_query and its kin give for names: the answer's size, how it ended, and the answer without the number
 * of its question. `resolver SIZE TYPE NAME ...`: answers go to a buffer of this size.
 */
#include "check.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>

static unsigned char answer[65536 + 64];
static int size;

static void print(const char *call, const char *name, int type, int result, int in_state)
{
	int error = errno, length = result < size ? result : size;
	printf("%s %s %d %d: %d ", call, name, type, size, result);
	if (result < 0)
		printf("h_errno %d state %d errno %d", h_errno, in_state, error);
	for (int i = 2; i < length; i++)
		printf("%02x", answer[i]);
	printf("\n");
	for (int i = 0; i < 64; i++)
		CHECK(answer[size + i] == 0xee);
}

#define TRY(name, type, state, call)                              \
	do {                                                      \
		memset(answer, 0xee, sizeof answer);              \
		errno = 77;                                       \
		h_errno = 99;                                     \
		int result = call;                                \
		print(#call, name, type, result, state);          \
	} while (0)

/* By the thread's state or not; the answer has the number of its question. */
static int ask(const unsigned char *message, int length, int by_state)
{
	int result;
#ifdef __GLIBC__
	if (by_state)
		result = res_nsend(&_res, message, length, answer, size);
	else
#endif
		result = res_send(message, length, answer, size);
	(void)by_state;
	CHECK(result < 0 || memcmp(answer, message, 2) == 0);
	return result;
}

static void look_up(const char *name, int type)
{
	unsigned char message[512];
#ifdef __GLIBC__
	struct __res_state own = {.options = 0}; /* another than the thread's */
	CHECK(res_ninit(&own) == 0);
#define state own.res_h_errno
	TRY(name, type, state, res_nquery(&own, name, C_IN, type, answer, size));
	TRY(name, type, state, res_nsearch(&own, name, C_IN, type, answer, size));
	TRY(name, type, state, res_nquerydomain(&own, name, "test", C_IN, type, answer, size));
#undef state
#define state _res.res_h_errno
#else
#define state h_errno
#endif
	TRY(name, type, state, res_query(name, C_IN, type, answer, size));
	TRY(name, type, state, res_search(name, C_IN, type, answer, size));
	TRY(name, type, state, res_querydomain(name, "test", C_IN, type, answer, size));
#ifdef __GLIBC__
	TRY(name, type, state, res_querydomain(name, NULL, C_IN, type, answer, size));
#endif
	int length = res_mkquery(QUERY, name, C_IN, type, NULL, 0, NULL, message, sizeof message);
	if (length > 0) {
		TRY(name, type, 0, ask(message, length, 0));
		TRY(name, type, 0, ask(message, length, 1));
	}
#ifdef __GLIBC__
	res_nclose(&own);
#endif
}

int main(int argc, char **argv)
{
	CHECK(argc > 3);
	size = atoi(argv[1]);
	for (char **name = argv + 3; *name; name++)
		look_up(*name, atoi(argv[2]));
	return 0;
}
