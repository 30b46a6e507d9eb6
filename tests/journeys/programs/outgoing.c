/* Connects as C programs do, with what only C shows: states before, during and after, signals, sendmmsg.
 * Run twice by test_outgoing.py, as outgoing.py is. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <netinet/tcp.h>
#include <unistd.h>

static struct sockaddr_in to(const char *host, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    return address;
}

static int dial(int sock, const char *host, int port) {
    struct sockaddr_in address = to(host, port);
    return connect(sock, (struct sockaddr *)&address, sizeof address);
}

static void say(const char *label, long result) {
    printf("%s: %ld %s\n", label, result, result < 0 ? strerrorname_np(errno) : "");
    fflush(stdout);
}

static void peer(const char *label, int sock) {
    struct sockaddr_storage address;
    socklen_t size = 4; /* too short: what fits is written, the true size told */
    int result = getpeername(sock, (struct sockaddr *)&address, &size);
    say(label, result);
    if (result == 0) printf("%s: size %u\n", label, size);
    size = sizeof address;
    if (getpeername(sock, (struct sockaddr *)&address, &size) == 0) {
        char text[64];
        struct sockaddr_in *four = (struct sockaddr_in *)&address;
        printf("%s: %s %d size %u\n", label, inet_ntop(AF_INET, &four->sin_addr, text, sizeof text),
               ntohs(four->sin_port), size);
    }
}

static void on_alarm(int number) { (void)number; }

static void *dial_dark(void *argument) {
    int sock = socket(AF_INET, SOCK_STREAM, 0);
    dial(sock, "10.77.8.1", 7);
    close(sock);
    return argument;
}

int main(void) {
    char buffer[64];
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer("peer before", sock);
    say("send before", send(sock, "x", 1, MSG_NOSIGNAL));
    say("connect", dial(sock, "10.77.0.1", 7));
    peer("peer", sock);
    say("connect again", dial(sock, "10.77.0.1", 7));
    say("flags", fcntl(sock, F_GETFL) & (O_NONBLOCK | O_ACCMODE));
    say("close on exec", fcntl(sock, F_GETFD));
    say("write", write(sock, "hello", 5));
    say("read", recv(sock, buffer, 5, MSG_WAITALL));
    say("shutdown", shutdown(sock, SHUT_WR));
    say("end", read(sock, buffer, sizeof buffer));
    say("write after shutdown", send(sock, "x", 1, MSG_NOSIGNAL));
    close(sock);

    sock = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say("connect without blocking", dial(sock, "10.77.8.1", 7));
    say("once more", dial(sock, "10.77.8.1", 7));
    peer("peer while connecting", sock);
    struct pollfd wait = {.fd = sock, .events = POLLOUT | POLLIN};
    say("poll at once", poll(&wait, 1, 0));
    say("close while connecting", close(sock));

    sock = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval limit = {.tv_usec = 200000};
    setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    say("connect with SO_SNDTIMEO", dial(sock, "10.77.8.1", 7));
    close(sock);

    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval soon = {.it_value = {.tv_usec = 200000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    sock = socket(AF_INET, SOCK_STREAM, 0);
    say("connect and a signal", dial(sock, "10.77.8.1", 7));
    close(sock);

    sock = socket(AF_INET, SOCK_STREAM, 0);
    say("refused", dial(sock, "10.77.0.1", 1));
    say("then another", dial(sock, "10.77.0.1", 7));
    say("write", write(sock, "again", 5));
    say("read", recv(sock, buffer, 5, MSG_WAITALL));
    close(sock);

    sock = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say("refused later", dial(sock, "10.77.0.1", 1));
    wait = (struct pollfd){.fd = sock, .events = POLLOUT};
    say("poll", poll(&wait, 1, 10000));
    printf("events %x\n", wait.revents);
    say("write instead of SO_ERROR", send(sock, "x", 1, MSG_NOSIGNAL));
    close(sock);

    sock = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = to("10.77.0.1", 7);
    say("short address", connect(sock, (struct sockaddr *)&address, 4));
    say("bad pointer", connect(sock, (struct sockaddr *)8, sizeof address));
    say("port 0", dial(sock, "127.0.0.1", 0));
    close(sock);
    say("bad descriptor", dial(999, "10.77.0.1", 7));
    say("no socket", dial(STDIN_FILENO, "10.77.0.1", 7));

    sock = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in first = to("10.77.0.1", 7), second = to("10.77.0.3", 7), from[2];
    struct iovec words[2] = {{"one", 3}, {"two", 3}}, rooms[2];
    char room[2][64];
    struct mmsghdr messages[2] = {
        {.msg_hdr = {.msg_name = &first, .msg_namelen = sizeof first, .msg_iov = words, .msg_iovlen = 1}},
        {.msg_hdr = {.msg_name = &second, .msg_namelen = sizeof second, .msg_iov = words + 1, .msg_iovlen = 1}},
    };
    say("sendmmsg", sendmmsg(sock, messages, 2, 0));
    long got[2];
    for (int i = 0; i < 2; i++) { /* in any order: they come from two hosts */
        socklen_t size = sizeof from[i];
        got[i] = recvfrom(sock, room[i], sizeof room[i], 0, (struct sockaddr *)&from[i], &size);
    }
    int order = from[0].sin_addr.s_addr != first.sin_addr.s_addr;
    for (int i = 0; i < 2; i++) {
        char text[64];
        struct sockaddr_in *whom = &from[i ^ order];
        say("recvfrom", got[i ^ order]);
        printf("from %s %d: %.9s\n", inet_ntop(AF_INET, &whom->sin_addr, text, sizeof text), ntohs(whom->sin_port),
               room[i ^ order]);
    }
    say("connect a datagram socket", connect(sock, (struct sockaddr *)&first, sizeof first));
    peer("its peer", sock);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    say("disconnect", connect(sock, &none, sizeof none));
    peer("no peer", sock);
    say("sendto", sendto(sock, "three", 5, 0, (struct sockaddr *)&second, sizeof second));
    say("recv", recv(sock, buffer, sizeof buffer, 0));
    close(sock);

    /* one slow connect slows nobody */
    pthread_t threads[30];
    for (int i = 0; i < 30; i++) pthread_create(&threads[i], NULL, dial_dark, NULL);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    sock = socket(AF_INET, SOCK_STREAM, 0);
    say("beside slow ones", dial(sock, "10.77.0.1", 7));
    clock_gettime(CLOCK_MONOTONIC, &after);
    say("within a second", after.tv_sec - before.tv_sec + (after.tv_nsec > before.tv_nsec) <= 1);
    _exit(0);
}
