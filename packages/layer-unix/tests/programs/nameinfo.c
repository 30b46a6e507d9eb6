/* Prints what getnameinfo gives for addresses, with every flag, and with room that is too small. */
#include "check.h"

#include <arpa/inet.h>
#include <locale.h>
#include <netdb.h>
#include <sys/un.h>

#ifndef NI_IDN
#define NI_IDN 32
#endif

enum { HOST = 1025, SERVICE = 32 };

static const int flags[] = {0,
                            NI_NUMERICHOST,
                            NI_NUMERICSERV,
                            NI_NAMEREQD,
                            NI_NOFQDN,
                            NI_DGRAM,
                            NI_IDN,
                            NI_NAMEREQD | NI_NOFQDN,
                            0x4000,
                            NI_NAMEREQD | NI_NUMERICHOST};

static void look_up(const void *address, socklen_t length, const char *text, socklen_t host_size, socklen_t service_size,
                    int flag)
{
	char host[HOST] = "", service[SERVICE] = "";
	errno = 77;
	int code = getnameinfo(address, length, host_size ? host : NULL, host_size, service_size ? service : NULL,
	                       service_size, flag);
	int error = code ? errno : 0;
	if (code)
		host[0] = service[0] = 0;
	printf("%s %u %u %x: %d %s|%s|%d\n", text, host_size, service_size, flag, code, host, service, error);
}

int main(int argc, char **argv)
{
	CHECK(argc > 1);
	setlocale(LC_ALL, "C.UTF-8");
	for (char **text = argv + 1; *text; text++) {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(512)};
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(512)};
		int family = strchr(*text, ':') ? AF_INET6 : AF_INET;
		const void *address = family == AF_INET ? (const void *)&in : (const void *)&in6;
		socklen_t length = family == AF_INET ? sizeof in : sizeof in6;
		void *host = family == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr;
		CHECK(inet_pton(family, *text, host) == 1);
		for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
			look_up(address, length, *text, HOST, SERVICE, flags[i]);
		look_up(address, length, *text, HOST, 0, 0);
		look_up(address, length, *text, 0, SERVICE, 0);
		look_up(address, length, *text, 0, 0, NI_NAMEREQD);
		look_up(address, length, *text, 8, SERVICE, 0);
		look_up(address, length, *text, 9, SERVICE, 0);
		look_up(address, length, *text, HOST, 3, 0);
		look_up(address, length - 1, *text, HOST, SERVICE, 0);
		look_up(address, 1, *text, HOST, SERVICE, 0);
	}
	return 0;
}
