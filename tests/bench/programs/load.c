/* The load of the benchmarks: keep-alive requests on some connections, one at a time each. load HOST PORT COUNT SECONDS.
 * Prints requests per second, and the latencies' median and 99th percentile in microseconds. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 4000000
static const char REQUEST[] = "GET / HTTP/1.1\r\nHost: target\r\nUser-Agent: load\r\n\r\n";
enum { ANSWER = 51 }; /* what http.c sends */

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1e6 + at.tv_nsec / 1e3;
}

static int ascending(const void *one, const void *two) {
    float a = *(const float *)one, b = *(const float *)two;
    return (a > b) - (a < b);
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

int main(int arguments, char **words) {
    if (arguments != 5) return 2;
    int count = atoi(words[3]), epoll = epoll_create1(0), yes = 1;
    double *sent = calloc(count, sizeof *sent);
    int *socks = calloc(count, sizeof *socks), *missing = calloc(count, sizeof *missing);
    float *taken = malloc(MOST * sizeof *taken);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    inet_pton(AF_INET, words[1], &address.sin_addr);
    for (int i = 0; i < count; i++) {
        socks[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(socks[i], (struct sockaddr *)&address, sizeof address)) fail("connect");
        setsockopt(socks[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        epoll_ctl(epoll, EPOLL_CTL_ADD, socks[i], &event);
    }
    double start = now(), end = start + atof(words[4]) * 1e6, warm = start + (end - start) / 5, last = start;
    for (int i = 0; i < count; i++) {
        sent[i] = now();
        missing[i] = ANSWER;
        if (write(socks[i], REQUEST, sizeof REQUEST - 1) < 0) fail("write");
    }
    int total = 0;
    while (last < end && total < MOST) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, 20000);
        if (ready <= 0) fail("nothing comes");
        for (int e = 0; e < ready; e++) {
            int i = events[e].data.u32;
            char answer[4096];
            long got = read(socks[i], answer, sizeof answer);
            if (got <= 0) fail("read");
            if ((missing[i] -= got) > 0) continue;
            last = now();
            if (last > warm && total < MOST) taken[total++] = last - sent[i];
            sent[i] = last;
            missing[i] = ANSWER;
            if (write(socks[i], REQUEST, sizeof REQUEST - 1) < 0) fail("write");
        }
    }
    qsort(taken, total, sizeof *taken, ascending);
    printf("%.0f %.0f %.0f\n", total / (last - warm) * 1e6, taken[total / 2], taken[total * 99L / 100]);
    return 0;
}
