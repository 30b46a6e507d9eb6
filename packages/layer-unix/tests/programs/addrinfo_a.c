/* getaddrinfo_a: waiting, and told by a signal and by a thread. */
#include "check.h"

#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

static struct gaicb requests[3];
static struct gaicb *list[] = {&requests[0], NULL, &requests[1], &requests[2]};
static sem_t told;

static void prepare(void)
{
	static const char *names[] = {"web", "none.test", "web"};
	static const struct addrinfo hints = {.ai_family = AF_INET6, .ai_socktype = SOCK_DGRAM};
	for (int i = 0; i < 3; i++)
		requests[i] = (struct gaicb){.ar_name = names[i],
		                             .ar_service = i ? "80" : NULL,
		                             .ar_request = i == 2 ? &hints : NULL};
}

static void check(void)
{
	CHECK(gai_suspend((const struct gaicb *const *)list, 4, NULL) == EAI_ALLDONE);
	CHECK(gai_cancel(&requests[0]) == EAI_ALLDONE);
	CHECK(gai_error(&requests[0]) == 0 && gai_error(&requests[1]) == EAI_NONAME && gai_error(&requests[2]) == 0);
	CHECK(requests[0].ar_result->ai_next && requests[2].ar_result->ai_socktype == SOCK_DGRAM);
	CHECK(requests[2].ar_result->ai_family == AF_INET6);
	freeaddrinfo(requests[0].ar_result);
	freeaddrinfo(requests[2].ar_result);
}

static void tell(union sigval value)
{
	CHECK(value.sival_int == 5);
	CHECK(sem_post(&told) == 0);
}

int main(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 4};
	sigset_t set;
	siginfo_t info;
	CHECK(sem_init(&told, 0, 0) == 0);
	prepare();
	CHECK(getaddrinfo_a(GAI_WAIT, list, 4, NULL) == 0);
	check();

	CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGUSR1) == 0 && pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	prepare();
	CHECK(getaddrinfo_a(GAI_NOWAIT, list, 4, &event) == 0);
	CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_code == SI_ASYNCNL && info.si_value.sival_int == 4);
	check();

	prepare();
	event = (struct sigevent){.sigev_notify = SIGEV_THREAD,
	                          .sigev_notify_function = tell,
	                          .sigev_value.sival_int = 5};
	CHECK(getaddrinfo_a(GAI_NOWAIT, list, 4, &event) == 0);
	CHECK(sem_wait(&told) == 0);
	check();
	CHECK(getaddrinfo_a(77, list, 4, NULL) == EAI_SYSTEM && errno == EINVAL);
	return 0;
}
