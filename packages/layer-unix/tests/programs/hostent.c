/*
 * Prints what gethostbyname and its kin give: `hostent names NAME ...` or `hostent addresses ADDRESS ...`. Calls with a
 * buffer are made with every size until it is large enough, which must say so each time.
 */
#include "check.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>

#ifndef NETDB_INTERNAL /* musl returns ERANGE alone */
#define NETDB_INTERNAL trouble
#define errno_says(code) 1
#else
#define errno_says(code) (errno == (code))
#endif

static void print(const struct hostent *host)
{
	char text[INET6_ADDRSTRLEN];
	CHECK(host->h_length == (host->h_addrtype == AF_INET ? 4 : 16));
	printf(" %s %d [", host->h_name, host->h_addrtype);
	for (char **alias = host->h_aliases; *alias; alias++)
		printf(" %s", *alias);
	printf(" ] (");
	for (char **address = host->h_addr_list; *address; address++)
		printf(" %s", inet_ntop(host->h_addrtype, *address, text, sizeof text));
	printf(" )");
}

static void end(const struct hostent *host, const char *what, const char *asked, int family)
{
	printf("%s %s %d:", what, asked, family);
	if (host)
		print(host);
	else
		printf(" h_errno %d", h_errno);
	printf(" errno %d\n", errno);
}

/* How large a buffer is tried first and by how much it grows: often enough that each part is what doesn't fit once. */
enum { FIRST = 1, STEP = 7, LARGEST = 65536 };

#define REENTRANT(what, asked, family, call)                                                            \
	do {                                                                                            \
		struct hostent host, *result;                                                           \
		int trouble, code;                                                                      \
		size_t size = FIRST;                                                                    \
		char *room = NULL, *buffer;                                                             \
		do {                                                                                    \
			size += STEP + size / 8;                                                        \
			room = realloc(room, size + 3);                                                 \
			CHECK(room);                                                                    \
			buffer = room + 3; /* nothing says that it is aligned */                        \
			result = &host + 1;                                                             \
			trouble = h_errno = 99;                                                         \
			errno = 77;                                                                     \
			code = call;                                                                    \
			if (code == ERANGE)                                                             \
				CHECK(!result && errno_says(ERANGE) && trouble == NETDB_INTERNAL);      \
		} while (code == ERANGE && size < LARGEST);                                             \
		const char *told = result ? "" : h_errno == trouble ? "twice " : "once ";               \
		h_errno = trouble;                                                                      \
		CHECK(!result || (result == &host && code == 0));                                       \
		printf("%d %s", code, told);                                                            \
		end(result, what, asked, family);                                                       \
		free(room);                                                                             \
	} while (0)

static void by_name(const char *name)
{
	static const int families[] = {AF_INET, AF_INET6};
	errno = 77;
	end(gethostbyname(name), "gethostbyname", name, AF_INET);
	REENTRANT("gethostbyname_r", name, AF_INET,
	          gethostbyname_r(name, &host, buffer, size, &result, &trouble));
	for (int i = 0; i < 2; i++) {
		errno = 77;
		end(gethostbyname2(name, families[i]), "gethostbyname2", name, families[i]);
		REENTRANT("gethostbyname2_r", name, families[i],
		          gethostbyname2_r(name, families[i], &host, buffer, size, &result, &trouble));
	}
}

static void by_address(const char *text)
{
	char address[16];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	socklen_t length = family == AF_INET ? 4 : 16;
	CHECK(inet_pton(family, text, address) == 1);
	errno = 77;
	end(gethostbyaddr(address, length, family), "gethostbyaddr", text, family);
	REENTRANT("gethostbyaddr_r", text, family,
	          gethostbyaddr_r(address, length, family, &host, buffer, size, &result, &trouble));
	end(gethostbyaddr(address, length - 1, family), "cut short", text, family);
}

int main(int argc, char **argv)
{
	CHECK(argc > 2);
	for (char **argument = argv + 2; *argument; argument++)
		(strcmp(argv[1], "names") == 0 ? by_name : by_address)(*argument);
	return 0;
}
