/*
 * Prints what getaddrinfo gives for names and every combination of what can be wanted: a line for each, with its code
 * and its entries in order. Every other list is freed in two parts.
 */
#include "check.h"

#include <arpa/inet.h>
#include <locale.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef AI_IDN /* musl refuses them */
#define AI_IDN 0x40
#define AI_CANONIDN 0x80
#endif

static const char *services[] = {NULL, "443", "domain", "tftp", "nothing-like-this", ""};
static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX};
static const int types[] = {0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, 77};
static const int protocols[] = {0, IPPROTO_TCP, IPPROTO_UDP};

static const struct {
	int flag;
	const char *name;
} flags[] = {{0, "-"},
             {AI_PASSIVE, "passive"},
             {AI_CANONNAME, "canonname"},
             {AI_NUMERICHOST, "numerichost"},
             {AI_NUMERICSERV, "numericserv"},
             {AI_V4MAPPED, "v4mapped"},
             {AI_V4MAPPED | AI_ALL, "v4mapped+all"},
             {AI_ALL, "all"},
             {AI_ADDRCONFIG, "addrconfig"},
             {AI_CANONNAME | AI_V4MAPPED | AI_ALL | AI_ADDRCONFIG, "canonname+v4mapped+all+addrconfig"},
             {AI_IDN, "idn"},
             {AI_IDN | AI_CANONNAME | AI_CANONIDN, "idn+canonname+canonidn"},
             {0x10000, "bad"}};

static void print(const struct addrinfo *entry)
{
	char host[INET6_ADDRSTRLEN];
	in_port_t port;
	unsigned scope = 0;
	CHECK(entry->ai_family == entry->ai_addr->sa_family);
	if (entry->ai_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)entry->ai_addr;
		CHECK(entry->ai_addrlen == sizeof *in);
		CHECK(inet_ntop(AF_INET, &in->sin_addr, host, sizeof host));
		port = in->sin_port;
	} else {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)entry->ai_addr;
		CHECK(entry->ai_addrlen == sizeof *in6 && entry->ai_family == AF_INET6);
		CHECK(inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host));
		CHECK(in6->sin6_flowinfo == 0);
		port = in6->sin6_port;
		scope = in6->sin6_scope_id;
	}
	printf(" %s%%%u|%d|%d|%d|%x|%s", host, scope, ntohs(port), entry->ai_socktype, entry->ai_protocol,
	       entry->ai_flags, entry->ai_canonname ? entry->ai_canonname : "");
}

/* POSIX lets a program free a part of a list. */
static void give_back(struct addrinfo *list, int in_parts)
{
	struct addrinfo *rest = list->ai_next;
	if (in_parts && rest) {
		list->ai_next = NULL;
		freeaddrinfo(rest);
	}
	freeaddrinfo(list);
}

static int count;

static void look_up(const char *name, const char *service, const struct addrinfo *hints, const char *what)
{
	struct addrinfo *list = NULL;
	errno = 77;
	int code = getaddrinfo(name, service, hints, &list), error = errno;
	printf("%s %s %s f%d t%d p%d: %d", name ? name : "NULL", service ? service : "NULL", what,
	       hints ? hints->ai_family : 0, hints ? hints->ai_socktype : 0, hints ? hints->ai_protocol : 0, code);
	for (struct addrinfo *entry = code ? NULL : list; entry; entry = entry->ai_next)
		print(entry);
	printf("\n");
	if (!code)
		give_back(list, count++ % 2);
	errno = error;
}

/* Services, types and protocols as they come together. */
static void look_up_services(const char *name)
{
	for (size_t s = 0; s < sizeof services / sizeof *services; s++)
		for (size_t f = 0; f < sizeof families / sizeof *families; f++)
			for (size_t t = 0; t < sizeof types / sizeof *types; t++)
				for (size_t p = 0; p < sizeof protocols / sizeof *protocols; p++) {
					struct addrinfo hints = {.ai_family = families[f],
					                         .ai_socktype = types[t],
					                         .ai_protocol = protocols[p]};
					look_up(name, services[s], &hints, "-");
				}
}

static void look_up_flags(const char *name)
{
	look_up(name, NULL, NULL, "no hints");
	look_up(name, "80", NULL, "no hints");
	for (size_t g = 0; g < sizeof flags / sizeof *flags; g++)
		for (size_t f = 0; f < 3; f++) {
			struct addrinfo hints = {
				.ai_family = families[f], .ai_socktype = SOCK_STREAM, .ai_flags = flags[g].flag};
			look_up(name, "http", &hints, flags[g].name);
			look_up(name, NULL, &hints, flags[g].name);
		}
}

/* For those who look at errno too: it is 77 before each call. */
static void look_up_simply(const char *name)
{
	for (size_t f = 0; f < 3; f++) {
		struct addrinfo hints = {
			.ai_family = families[f], .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
		look_up(name, "7", &hints, "canonname");
		printf("errno %d\n", errno);
	}
}

/* addrinfo services|flags|simply NAME ... */
int main(int argc, char **argv)
{
	CHECK(argc > 2);
	setlocale(LC_ALL, "C.UTF-8"); /* for names beyond ASCII */
	for (char **argument = argv + 2; *argument; argument++) {
		const char *name = strcmp(*argument, "NULL") == 0 ? NULL : *argument;
		if (strcmp(argv[1], "services") == 0)
			look_up_services(name);
		else if (strcmp(argv[1], "flags") == 0)
			look_up_flags(name);
		else
			look_up_simply(name);
	}
	return 0;
}
