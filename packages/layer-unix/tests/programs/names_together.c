/* Names looked up by threads at once, and by children that are forked meanwhile. */
#include "check.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, TIMES = 20 };

static void look_up(void)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list;
	struct hostent host, *result;
	struct utsname system;
	char buffer[4096], name[NI_MAXHOST];
	int trouble;
	CHECK(getaddrinfo("four", "80", &hints, &list) == 0 && list && !list->ai_next);
	CHECK(((struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr == inet_addr("10.1.0.4"));
	CHECK(getnameinfo(list->ai_addr, list->ai_addrlen, name, sizeof name, NULL, 0, 0) == 0);
	CHECK(strcmp(name, "four.test") == 0);
	freeaddrinfo(list);
	CHECK(gethostbyname_r("web", &host, buffer, sizeof buffer, &result, &trouble) == 0 && result == &host);
	CHECK(strcmp(host.h_name, "web.test") == 0 && host.h_addr_list[2] && !host.h_addr_list[3]);
	CHECK(uname(&system) == 0 && gethostname(name, sizeof name) == 0 && strcmp(system.nodename, name) == 0);
}

static void *thread(void *unused)
{
	(void)unused;
	for (int i = 0; i < TIMES; i++)
		look_up();
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, thread, NULL) == 0);
	for (int i = 0; i < TIMES; i++) {
		int status;
		pid_t child = fork();
		CHECK(child >= 0);
		if (child == 0) {
			look_up();
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && status == 0);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	return 0;
}
